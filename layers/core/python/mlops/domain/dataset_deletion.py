"""The deletion of a data set: of the file, and of the rows that its runs have kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from mlops.domain.ids import sortable_id
from mlops.domain.stored import known_fields
from mlops.domain.timestamps import before, now

TAG = "mlops.data_deleted"
"""The tag of runs whose rows were deleted. It says when and by whom."""
DIGEST_LENGTH = 36
"""MLflow keeps so many characters of a digest."""
LOOK = timedelta(days=3)
"""So long the hourly look repeats a deletion: a job that had begun before may still have written rows."""


@dataclass(frozen=True)
class DatasetDeletion:
    """A data set that was deleted.

    Attributes:
        digest: Its digest, as MLflow has it.
        addresses: The addresses of files with these rows.
        reason, actor, owner: Why it was deleted, and by which key of whom.
        completed_at: When all was gone for the first time; None as long as something is left.
    """

    digest: str
    addresses: tuple[str, ...]
    reason: str
    actor: str
    owner: str = ""
    deletion_id: str = field(default_factory=lambda: sortable_id("data_"))
    deleted_at: str = field(default_factory=now)
    completed_at: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "DatasetDeletion":
        """Read a record. Fields that this version does not have are left out."""
        known = known_fields(cls, record)
        return cls(**{**known, "addresses": tuple(known["addresses"])})

    def to_record(self) -> dict[str, Any]:
        """Return the record, without what is not set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def is_watched(self) -> bool:
        """Whether the hourly look repeats it."""
        return self.completed_at is None or self.deleted_at > before(LOOK)

    @property
    def said(self) -> str:
        """By whom and when, for messages."""
        return f"by {self.actor} at {self.deleted_at}"
