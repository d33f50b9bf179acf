"""The record of a weekly cleanup: what it put into the bin, purged, marked and removed, and how much that freed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mlops.domain.ids import sortable_id
from mlops.domain.stored import known_fields
from mlops.domain.timestamps import now

MOST_NAMES = 500
"""Names of each kind in a record, which DynamoDB limits in size. The counts have all."""
_NAMES = ("binned", "purged", "kept", "marked", "removed", "failed")


@dataclass
class Cleanup:
    """What a cleanup has done so far.

    Attributes:
        binned: The versions that the rules of their models put into the bin.
        purged: What was longest enough in the bin, and is gone.
        kept: What was due, and something needs it.
        marked: Folders of the bucket that nothing points to since this cleanup.
        removed: Folders that nothing has pointed to for a week, and that are gone.
        failed: What could not be done. The next cleanup tries it again.
        freed_bytes: Bytes of all versions of the objects that are gone.
    """

    cleanup_id: str = field(default_factory=lambda: sortable_id("cleanup_"))
    started_at: str = field(default_factory=now)
    completed_at: str | None = None
    binned: list[str] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    freed_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Cleanup":
        """Read a record. Fields that this version does not have are left out."""
        return cls(**known_fields(cls, record))

    def ended(self) -> dict[str, Any]:
        """Note the end, and return the record."""
        self.completed_at = now()
        self.counts = {name: len(getattr(self, name)) for name in _NAMES}
        return asdict(self) | {name: getattr(self, name)[:MOST_NAMES] for name in _NAMES}

    def detail(self) -> dict[str, Any]:
        """Return what the event says: the counts."""
        values = {"cleanup_id": self.cleanup_id, "started_at": self.started_at, "completed_at": self.completed_at}
        return {**values, "freed_bytes": self.freed_bytes, **self.counts}
