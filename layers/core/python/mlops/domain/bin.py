"""The bin: what was deleted, and can be restored for 30 days. A record decides; MLflow only mirrors it.

MLflow cannot restore a version that it has deleted. So a version in the bin stays in MLflow, with a tag that hides it,
until it is purged. Experiments and runs are deleted in MLflow at once, because there this can be undone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from mlops.domain.errors import Conflict, Gone
from mlops.domain.ids import sortable_id
from mlops.domain.stored import known_fields
from mlops.domain.timestamps import now, text_of

KEPT = timedelta(days=30)
"""How long what was deleted can be restored; and how long a version that a rollback can bring back is protected."""
CLAIM = timedelta(seconds=60)
"""How long a claim holds. Whoever checks whether something may be deleted has half of it for that."""
TAG = "mlops.bin"
"""The tag of versions and models in MLflow. The platform's views leave out what has it."""
EXPERIMENTS_CHAIN = "#experiments"
"""In place of a model's name: the history of what was deleted of experiments."""
DELETED, RESTORED, PURGED = "deleted", "restored", "purged"


class BinKind(StrEnum):
    MODEL = "model"
    VERSION = "version"
    EXPERIMENT = "experiment"
    RUN = "run"


class BinState(StrEnum):
    CLAIMED = "claimed"
    """Somebody checks whether it may be deleted. No transition of it begins meanwhile."""
    KEPT = "kept"
    PURGING = "purging"
    """It is too late to restore it."""


@dataclass(frozen=True)
class BinEntry:
    """Something in the bin.

    Attributes:
        kind: What it is.
        name: The model, or the experiment.
        reason, actor, owner: Why it was deleted, and by which key of whom.
        version: Of a version.
        versions: Of a model: those that it had when it was deleted, and that were not in the bin before.
        experiment_id: Of an experiment or a run.
        run_id: Of a run.
        force: Whether it was deleted though a rollback could have brought it back.
        until: Until when it can be restored.
        mirrored: Whether MLflow shows that it is in the bin. If not, the next look sees to it.
    """

    kind: BinKind
    name: str
    reason: str
    actor: str
    owner: str = ""
    version: int | None = None
    versions: tuple[int, ...] = ()
    experiment_id: str | None = None
    run_id: str | None = None
    force: bool = False
    entry_id: str = field(default_factory=lambda: sortable_id("bin_"))
    state: BinState = BinState.CLAIMED
    deleted_at: str = field(default_factory=now)
    until: str = field(default_factory=lambda: text_of(datetime.now(UTC) + KEPT))
    mirrored: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "BinEntry":
        """Read a record. Fields that this version does not have are left out."""
        known = known_fields(cls, record)
        known |= {"kind": BinKind(known["kind"]), "state": BinState(known["state"])}
        known["versions"] = tuple(map(int, known.get("versions", ())))
        return cls(**known)

    def to_record(self) -> dict[str, Any]:
        """Return the record, without what is not set."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @property
    def identity(self) -> str:
        """What it is among all that can be in the bin."""
        return identity_of(self.kind, self.name, self.version, self.experiment_id, self.run_id)

    @property
    def chain(self) -> str:
        """The history that has its entries."""
        return self.name if self.kind in (BinKind.MODEL, BinKind.VERSION) else EXPERIMENTS_CHAIN

    @property
    def binds(self) -> bool:
        """Return whether nothing else may be done with it."""
        return self.state is not BinState.CLAIMED or datetime.now(UTC) - _time(self.deleted_at) < CLAIM

    @property
    def is_due(self) -> bool:
        """Return whether it is to be purged."""
        return self.state is not BinState.CLAIMED and _time(self.until) <= datetime.now(UTC)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The versions that are in the bin by this entry."""
        return self.versions if self.version is None else (self.version,)

    def covers(self, registered_at: str) -> bool:
        """Return whether a version with one of the entry's numbers was there when it was deleted.

        If a model was deleted in MLflow and registered again, the same number is another version.
        """
        return registered_at <= self.deleted_at

    def kept(self) -> "BinEntry":
        """Return the entry of something that may be deleted, from now on."""
        since = now()
        return replace(self, state=BinState.KEPT, deleted_at=since, until=text_of(_time(since) + KEPT))

    def described(self) -> dict[str, Any]:
        """Return what the history says of it."""
        left_out = ("entry_id", "state", "mirrored", "deleted_at", "actor", "owner", "reason")
        return {name: value for name, value in self.to_record().items() if name not in left_out}

    def refusal(self) -> str:
        """Say that it is in the bin, and what helps."""
        if self.state is BinState.CLAIMED:
            return "is being deleted just now; try again in a minute"
        if self.state is BinState.PURGING or self.is_due:
            return f"was in the bin until {self.until}, and cannot be restored any more"
        return f"is in the bin until {self.until}; restore it with POST {self.route}/restore"

    @property
    def route(self) -> str:
        """Its route in the API."""
        match self.kind:
            case BinKind.MODEL:
                return f"/models/{self.name}"
            case BinKind.VERSION:
                return f"/models/{self.name}/versions/{self.version}"
            case BinKind.EXPERIMENT:
                return f"/experiments/{self.experiment_id}"
            case BinKind.RUN:
                return f"/experiments/{self.experiment_id}/runs/{self.run_id}"

    def __str__(self) -> str:
        match self.kind:
            case BinKind.MODEL:
                return f"The model {self.name!r}"
            case BinKind.VERSION:
                return f"Version {self.version} of {self.name!r}"
            case BinKind.EXPERIMENT:
                return f"The experiment {self.name!r}"
            case BinKind.RUN:
                return f"The run {self.run_id!r}"


def identity_of(
    kind: BinKind,
    name: str,
    version: int | None = None,
    experiment_id: str | None = None,
    run_id: str | None = None,
) -> str:
    """Return what something is among all that can be in the bin."""
    match kind:
        case BinKind.MODEL:
            return f"{kind}/{name}"
        case BinKind.VERSION:
            return f"{kind}/{version}/{name}"
        case BinKind.EXPERIMENT:
            return f"{kind}/{experiment_id}"
        case BinKind.RUN:
            return f"{kind}/{run_id}"


def in_bin(entry: BinEntry, what: str | None = None) -> Conflict:
    """Return the error of a request that names something in the bin."""
    return Conflict(f"{what or entry} {entry.refusal()}")


def gone(entry: BinEntry) -> Gone:
    """Return the error of a request to read something in the bin."""
    return Gone(f"{entry} {entry.refusal()}")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
