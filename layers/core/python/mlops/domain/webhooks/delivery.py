"""What became of a message to a webhook."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

KEPT_SECONDS = 30 * 24 * 3600
"""How long the record of a delivery is kept."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    """No try has begun."""
    RETRYING = "retrying"
    DELIVERED = "delivered"
    DEAD = "dead"
    """All tries have failed."""


@dataclass(frozen=True)
class Delivery:
    """The record of a message.

    Attributes:
        attempts: How many tries have begun.
        next_attempt_at: When the next try is due, ISO 8601 in UTC; None if none follows.
        response_status: The status of the last answer, if there was one.
        error: Why the last try failed; None while it runs, and if it was stopped before it could say.
    """

    message_id: str
    event_type: str
    created_at: str
    attempts: int = 0
    last_attempt_at: str | None = None
    next_attempt_at: str | None = None
    delivered_at: str | None = None
    response_status: int | None = None
    error: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Delivery":
        """Read a record. Fields that this version does not have are left out."""
        return cls(**{entry.name: record[entry.name] for entry in fields(cls) if record.get(entry.name) is not None})

    @property
    def state(self) -> DeliveryState:
        if self.delivered_at is not None:
            return DeliveryState.DELIVERED
        if not self.attempts:
            return DeliveryState.PENDING
        return DeliveryState.DEAD if self.next_attempt_at is None else DeliveryState.RETRYING
