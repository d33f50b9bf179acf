"""A webhook: an address, the events that it wants, and the ids of its secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from mlops.domain.access import ALL_MODELS, Grant
from mlops.domain.ids import sortable_id
from mlops.domain.stored import known_fields, stored_fields
from mlops.domain.timestamps import now
from mlops.domain.webhooks.event import PlatformEvent

MOST_WEBHOOKS = 50
"""Each event is compared with all of them."""
OVERLAP_SECONDS = 24 * 3600
"""How long the secret before still signs after a rotation, beside the new one."""

Format = Literal["standard", "slack"]


@dataclass(frozen=True)
class Webhook:
    """The record of a webhook. Address and secrets are elsewhere (`mlops.aws.webhook_secrets`).

    Attributes:
        events: Types of events; `drift.*` stands for all of a family, `*` for all.
        models: Names of models and experiments, with a `*` at the end for all names with this beginning.
        key_models: What the key that made it is for: nothing is sent of which the key could not read.
        host: The host of its address. The rest of an address may be a secret, as Slack's are.
        secret_id: Which secret signs.
        previous_secret_id, previous_until: The secret before, and the Unix time until which it signs too.
    """

    webhook_id: str
    host: str
    events: tuple[str, ...]
    models: tuple[str, ...]
    actor: str
    secret_id: str
    key_models: tuple[str, ...] = ALL_MODELS
    format: Format = "standard"
    description: str | None = None
    previous_secret_id: str | None = None
    previous_until: float | None = None
    created_at: str = field(default_factory=now)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Webhook":
        """Read a record. Fields that this version does not have are left out."""
        known = known_fields(cls, record)
        known |= {name: tuple(known[name]) for name in ("events", "models", "key_models") if name in known}
        return cls(**known)

    def to_record(self) -> dict[str, Any]:
        """Return the record, without fields that are None."""
        return stored_fields(self)

    def wants(self, event: PlatformEvent) -> bool:
        """Return whether the webhook subscribes to an event."""
        family = event.type.partition(".")[0]
        subscribes = not {"*", event.type, f"{family}.*"}.isdisjoint(self.events)
        may_know = all(map(Grant("read", self.key_models).covers, (event.name, *event.other_names)))
        return subscribes and may_know and Grant("read", self.models).covers(event.name)

    def signing_secret_ids(self, moment: float) -> list[str]:
        """Return the ids of the secrets that sign at a Unix time, the newest first."""
        previous = self.previous_secret_id if self.overlap_until(moment) is not None else None
        return [self.secret_id] if previous is None else [self.secret_id, previous]

    def overlap_until(self, moment: float) -> float | None:
        """Return the Unix time until which the secret before signs too; None if it signs no more."""
        return self.previous_until if moment < (self.previous_until or 0.0) else None


def host_of(url: str) -> str:
    """Return the host of an address."""
    return urlsplit(url).hostname or ""


def new_webhook_id() -> str:
    """Return a new id. Ids sort by time in milliseconds, then at random."""
    return sortable_id("wh_")
