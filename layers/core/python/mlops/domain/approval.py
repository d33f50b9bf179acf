"""Approval: what people have decided about a transition that waits, and what exactly they have seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.domain.access import Caller
from mlops.domain.errors import Forbidden
from mlops.domain.timestamps import now

EXPIRES_AFTER = timedelta(days=7)
MEASURED = ("latency", "live_accuracy")
"""Checks whose details are measured anew each time, and are not part of what was approved."""


@dataclass(frozen=True)
class Binding:
    """What a decision is about. If any of it has changed, the decision is void.

    Attributes:
        sha256: Hash of the version's file.
        gates_sha256: Hash of the gate's results.
        settings_version: Version of the model's settings.
        replaced_version: The version that would be replaced; None if there is none.
    """

    sha256: str
    gates_sha256: str
    settings_version: int
    replaced_version: int | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Binding":
        """Read a record. Raises KeyError, TypeError or ValueError."""
        replaced = record.get("replaced_version")
        return cls(
            str(record["sha256"]),
            str(record["gates_sha256"]),
            int(record["settings_version"]),
            None if replaced is None else int(replaced),
        )

    def changes(self, before: "Binding") -> list[str]:
        """Name what differs from an earlier binding."""
        names = {
            "sha256": "the version's file",
            "gates_sha256": "the gate's results",
            "settings_version": "the model's settings",
            "replaced_version": "the version that would be replaced",
        }
        return [text for name, text in names.items() if getattr(self, name) != getattr(before, name)]


@dataclass(frozen=True)
class Decision:
    """What one person has decided. `name` is that of the key, `owner` and `key_id` are the key's."""

    approved: bool
    name: str
    owner: str
    key_id: str
    comment: str | None
    at: str

    @classmethod
    def of(cls, caller: Caller, approved: bool, comment: str | None) -> "Decision":
        """Make the decision of a caller, now."""
        return cls(approved, caller.name, caller.owner, caller.key_id, comment, now())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Decision":
        """Read a record. Raises KeyError, TypeError or ValueError."""
        comment = record.get("comment")
        return cls(
            approved=bool(record["approved"]),
            name=str(record["name"]),
            owner=str(record["owner"]),
            key_id=str(record["key_id"]),
            comment=None if comment is None else str(comment),
            at=str(record["at"]),
        )


def require_another(caller: Caller, asked: str, owner: str | None, key_id: str | None) -> None:
    """Check that a caller is somebody else than who asked for the transition.

    Args:
        caller: Who decides.
        asked: The name of the key that asked.
        owner: Its owner; None in records of an earlier version.
        key_id: Its id; None likewise.

    Raises:
        Forbidden: It is the same key, or the same owner.
    """
    theirs = asked if owner is None else owner
    if caller.key_id == key_id or caller.owner == theirs or (owner is None and caller.name == asked):
        raise Forbidden(
            f"The transition was asked for by {asked!r}, whose owner is {owner or asked!r}; somebody else has to "
            "decide, with a key of another owner"
        )


def require_first(caller: Caller, decisions: Iterable[Decision]) -> None:
    """Check that a caller's owner has not decided before. Raises Forbidden."""
    for decision in decisions:
        if caller.owner == decision.owner or caller.key_id == decision.key_id:
            raise Forbidden(
                f"{decision.owner!r} has decided already, with the key {decision.name!r}; somebody else has to decide"
            )


def has_expired(waiting_since: str) -> bool:
    """Return whether a transition has waited for too long."""
    return datetime.now(UTC) - datetime.fromisoformat(waiting_since) > EXPIRES_AFTER
