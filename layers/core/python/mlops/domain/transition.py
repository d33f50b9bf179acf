"""A transition of a model version to a stage: who requested it and why, and the outcome."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Literal, TypedDict

from mlops.domain.approval import Binding, Decision
from mlops.domain.ids import sortable_id
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now


class TransitionStatus(StrEnum):
    QUEUED = "queued"
    CONVERTING = "converting"
    """It waits until a job has converted the version to ONNX, and then goes on by itself."""
    AWAITING_APPROVAL = "awaiting_approval"
    """It waits until somebody else approves or rejects it, or a week is over."""
    AWAITING_ROLLOUT = "awaiting_rollout"
    """It is approved, and waits until its rollout comes to its last step."""
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        return self in (TransitionStatus.SUCCEEDED, TransitionStatus.REJECTED, TransitionStatus.FAILED)

    @property
    def waits_for_days(self) -> bool:
        """Whether it waits for people or a rollout, and others of the model may go before it."""
        return self in (TransitionStatus.AWAITING_APPROVAL, TransitionStatus.AWAITING_ROLLOUT)

    @property
    def waits(self) -> bool:
        """Whether it is in nobody's queue: for minutes or days it moves nothing."""
        return self is TransitionStatus.CONVERTING or self.waits_for_days


class TransitionKind(StrEnum):
    """The origin: a caller of the API, or reconcile, because an alias was changed without the API."""

    TRANSITION = "transition"
    REPAIR = "mend"  # the word in records, in messages and in the API


class RecordError(ValueError):
    """The record is not a complete transition. The message names the field."""


@dataclass(frozen=True)
class GateResult:
    """The result of one check of the gate. `force` skips checks of the kind metric, never those of integrity."""

    check: str
    passed: bool
    detail: str
    kind: Literal["integrity", "metric"] = "integrity"


Gates = tuple[GateResult, ...]


class TransitionChanges(TypedDict, total=False):
    """The fields that the steps of a transition may note in its record."""

    status: TransitionStatus
    from_stage: Stage
    replaced_version: int | None
    sha256: str
    gates: Gates
    put_back: str
    refused_gates: Gates
    tries: int
    binding: Binding
    decisions: tuple[Decision, ...]
    approvals_needed: int
    comparison: Mapping[str, Any]
    waiting_since: str
    announced_waiting: str | None
    queued_at: str
    void: str | None


@dataclass(frozen=True)
class Transition:
    """The record of a transition, under the names that the table and the API use.

    Attributes:
        stage: The stage to which the version moves.
        competes: Whether the metric gate compares it with the version that it replaces in Staging, too. This is set for
        retrains, because nobody has checked their result.
        from_stage: The version's stage when promotion began; None before.
        replaced_version: The version that it replaces in the stage.
        sha256: Hash of the file that passed the gate and is in `serving/`. From then on the gate does not run again,
        and the version is bound to this file.
        gates: The results of the gate.
        tries: How often promotion has started it.
        resends, resent_at: How often and when reconcile has sent its message again.
        open: Whether something is left to do: it has not ended, or its outcome is not announced.
        alias_stage: For a repair: the stage whose alias differs from its manifest.
        alias_version: For a repair: the version that the alias names, if any.
        served_version: For a repair: the version in the manifest, if any.
        unreadable_manifest: For a repair: the ETag of a manifest that cannot be read.
        put_back: For a repair: why the alias is moved back.
        refused_gates: For a repair that is refused: the results of the gate.
        actor_owner, actor_key: The owner and the id of the key that asked; None if the platform did.
        approvals_needed: How many people have to approve it.
        binding: What a decision about it is about.
        decisions: What people have decided since it waits.
        comparison: What the approver is shown beside the gate's results.
        waiting_since: When it began to wait for approval.
        announced_waiting: The `waiting_since` of which an event was sent.
        queued_at: When it was queued again, after a decision.
        void: Why earlier approvals do not count.
        rollout_id: The rollout whose last step it is.
    """

    transition_id: str
    model_name: str
    version: int
    stage: Stage
    actor: str
    kind: TransitionKind = TransitionKind.TRANSITION
    status: TransitionStatus = TransitionStatus.QUEUED
    reason: str | None = None
    force: bool = False
    competes: bool = False
    request_id: str | None = None
    from_stage: Stage | None = None
    replaced_version: int | None = None
    sha256: str | None = None
    gates: Gates = ()
    error: str | None = None
    created_at: str = field(default_factory=now)
    completed_at: str | None = None
    tries: int = 0
    resends: int = 0
    resent_at: str | None = None
    open: bool = True
    alias_stage: Stage | None = None
    alias_version: int | None = None
    served_version: int | None = None
    unreadable_manifest: str | None = None
    put_back: str | None = None
    refused_gates: Gates = ()
    actor_owner: str | None = None
    actor_key: str | None = None
    approvals_needed: int = 0
    binding: Binding | None = None
    decisions: tuple[Decision, ...] = ()
    comparison: Mapping[str, Any] | None = None
    waiting_since: str | None = None
    announced_waiting: str | None = None
    queued_at: str | None = None
    void: str | None = None
    rollout_id: str | None = None

    @property
    def since(self) -> str:
        """When it was queued last."""
        return self.queued_at or self.created_at

    @staticmethod
    def recorded_as(name: str) -> str:
        """Return the name of a field in records."""
        return _RECORDED.get(name, name)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Transition":
        """Read a record of this version, an earlier one, which has fewer fields, or a later one, which has more.

        Raises:
            RecordError: A required field is missing, or has a value that is not allowed.
        """
        known = {name: record[_RECORDED.get(name, name)] for name in _NAMES if _RECORDED.get(name, name) in record}
        given = {name: value for name, value in known.items() if value is not None}
        for name in ("transition_id", "model_name", "version", "stage", "actor", "status", "created_at"):
            if name not in given:
                raise RecordError(f"transition {record.get('transition_id')!r}: {name} is missing")
        for name, read in _READ.items():
            if name in given:
                try:
                    given[name] = read(given[name])
                except (KeyError, TypeError, ValueError) as error:
                    raise RecordError(f"transition {given['transition_id']!r}: {name} is {given[name]!r}") from error
        return cls(**{**given, "open": "open" in record})

    def to_record(self) -> dict[str, Any]:
        """Return the record, without fields that are None."""
        values = {name: getattr(self, name) for name in _NAMES if name != "open"}
        return {**transition_record(values), **({"open": "1"} if self.open else {})}


def transition_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a transition as in a record, without those that are None."""
    return {_RECORDED.get(name, name): _recorded(value) for name, value in values.items() if value is not None}


def _recorded(value: Any) -> Any:
    """Return a value as in a record: records within it become objects, without what is None."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: entry for name, entry in asdict(value).items() if entry is not None}
    if isinstance(value, tuple | list):
        return [_recorded(entry) for entry in value]
    return value


def new_transition_id() -> str:
    """Return a new id. Ids sort by time in milliseconds, then at random."""
    return sortable_id("tr_")


def _gates(results: Any) -> Gates:
    return tuple(
        GateResult(str(result["check"]), bool(result["passed"]), str(result["detail"]), result.get("kind", "integrity"))
        for result in results
    )


_NAMES = [entry.name for entry in fields(Transition)]
_RECORDED = {"alias_version": "found", "served_version": "served", "sha256": "admitted"}
"""Fields that have another name in records."""
_READ: dict[str, Callable[[Any], Any]] = {
    "version": int,
    "stage": Stage,
    "kind": TransitionKind,
    "status": TransitionStatus,
    "from_stage": Stage,
    "alias_stage": Stage,
    "replaced_version": int,
    "alias_version": int,
    "served_version": int,
    "tries": int,
    "resends": int,
    "gates": _gates,
    "refused_gates": _gates,
    "approvals_needed": int,
    "binding": Binding.from_record,
    "decisions": lambda records: tuple(map(Decision.from_record, records)),
}
