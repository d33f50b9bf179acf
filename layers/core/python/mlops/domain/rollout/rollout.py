"""A rollout of a model version: who asked for it, how far it has come, and how it ended."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from mlops.domain.ids import sortable_id
from mlops.domain.rollout.guardrails import Finding
from mlops.domain.rollout.plan import Plan
from mlops.domain.stored import known_fields
from mlops.domain.timestamps import now

ID_PREFIX = "ro_"


class RolloutStatus(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    """Somebody else has to approve it before predict knows of it."""
    STARTING = "starting"
    """predict does not know of it yet."""
    RUNNING = "running"
    PAUSED = "paused"
    """It keeps its phase. Its guardrails still end it."""
    PROMOTING = "promoting"
    """Its last step, the transition to Production, is under way."""
    BAKING = "baking"
    """It is in Production. Labels that come later can still bring the version before back."""
    RETURNING = "returning"
    """The transition that brings the version before back is under way."""
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    """A guardrail has ended it."""
    ABORTED = "aborted"
    """Somebody has ended it, or another transition has, or too few requests came."""
    FAILED = "failed"
    """The transition to Production was refused."""
    REJECTED = "rejected"
    """It never began: somebody has rejected it, nobody has decided, or the gate has refused the version."""

    @property
    def has_ended(self) -> bool:
        return self not in _ACTIVE


SHOWN = (RolloutStatus.AWAITING_APPROVAL, RolloutStatus.STARTING, RolloutStatus.RUNNING, RolloutStatus.PAUSED)
"""Its version is not on its way to Production yet."""
_ACTIVE = (*SHOWN, RolloutStatus.PROMOTING, RolloutStatus.BAKING, RolloutStatus.RETURNING)


class RecordError(ValueError):
    """The record is not a complete rollout. The message names the field."""


@dataclass(frozen=True)
class Figure:
    """What is known about a guardrail, as the record and the API have it.

    Attributes:
        guardrail: Its name.
        limit: Its limit.
        observed: What was observed instead; None before there are requests.
        observations: Of how many requests or rows.
        evidence: 0 to 1: how much of the evidence there is that breaks the guardrail, on a logarithmic scale.
    """

    guardrail: str
    limit: float
    observed: float | None
    observations: int
    evidence: float

    @classmethod
    def of(cls, finding: Finding) -> "Figure":
        evidence = min(1.0, max(0.0, finding.log_evidence / finding.log_needed))
        observed = None if finding.observed is None else round(finding.observed, 6)
        return cls(finding.guardrail, finding.limit, observed, finding.observations, round(evidence, 4))


@dataclass(frozen=True)
class Rollout:
    """The record of a rollout, under the names that the table and the API use.

    Attributes:
        rollout_id: Ids sort by time.
        version: The challenger.
        sha256: Hash of the challenger's file.
        champion: The version in Production when it began.
        plan: Its steps and guardrails, frozen.
        actor, actor_owner, actor_key: Name, owner and id of the key that asked for it; records of an earlier version
            have the name alone.
        phase: Index of the present phase; the shadow, if there is one, is the first.
        phase_began_at: When the present phase began, or went on after a pause.
        note: What it waits for, or why it ended.
        broken: The guardrail that has ended it.
        figures: What is known about each guardrail, of the last look.
        transition_id: The transition to Production. If it needs an approval, it is requested before the rollout begins.
        rollback_id: The transition that brings the champion back, after the version was in Production.
    """

    rollout_id: str
    model_name: str
    version: int
    sha256: str
    champion: int
    plan: Plan
    actor: str
    reason: str | None = None
    request_id: str | None = None
    status: RolloutStatus = RolloutStatus.STARTING
    phase: int = 0
    created_at: str = field(default_factory=now)
    phase_began_at: str = field(default_factory=now)
    completed_at: str | None = None
    note: str | None = None
    broken: str | None = None
    figures: tuple[Figure, ...] = ()
    transition_id: str | None = None
    rollback_id: str | None = None
    actor_owner: str | None = None
    actor_key: str | None = None

    @property
    def weight(self) -> float:
        """Percent of the routing keys that the challenger answers now; 0 in the shadow, and after the end."""
        if self.status in (RolloutStatus.BAKING, RolloutStatus.RETURNING):
            return 100.0
        shown = not self.status.has_ended and self.status is not RolloutStatus.AWAITING_APPROVAL
        return self.plan.weights[self.phase] if shown else 0.0

    @property
    def moved_by(self) -> str | None:
        """The transition that is, or comes, next: the one to Production, or the one that brings the champion back."""
        return self.rollback_id if self.status is RolloutStatus.RETURNING else self.transition_id

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Rollout":
        """Read a record; fields of a later version are passed over.

        Raises:
            RecordError: A required field is missing, or has a value that is not allowed.
        """
        known = known_fields(cls, record)
        try:
            known["plan"] = Plan.model_validate_json(known["plan"])
            known["status"] = RolloutStatus(known["status"])
            known["figures"] = tuple(_figure(figure) for figure in known.get("figures", ()))
            for name in ("version", "champion", "phase"):
                known[name] = int(known[name])
            rollout = cls(**known)
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise RecordError(f"rollout {record.get('rollout_id')!r}: {error!r}") from error
        if not 0 <= rollout.phase < len(rollout.plan.weights):
            raise RecordError(f"rollout {rollout.rollout_id!r}: its plan has no phase {rollout.phase}")
        return rollout

    def to_record(self) -> dict[str, Any]:
        """Return the record, without fields that are None."""
        return rollout_record({name: getattr(self, name) for name in _NAMES})


def rollout_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a rollout as in a record, without those that are None."""
    record = {name: value for name, value in values.items() if value is not None}
    if "plan" in record:
        record["plan"] = record["plan"].model_dump_json()
    if "figures" in record:
        record["figures"] = [asdict(figure) for figure in record["figures"]]
    return record


def described(rollout: Rollout) -> dict[str, Any]:
    """Return what the history and events have of a rollout at its start and its end. What is missing is null."""
    record = rollout.to_record()
    return {name: record.get(name) for name in _DESCRIBED} | {"plan": rollout.plan.model_dump(mode="json")}


def new_rollout_id() -> str:
    """Return a new id. Ids sort by time in milliseconds, then at random."""
    return sortable_id(ID_PREFIX)


def _figure(record: Mapping[str, Any]) -> Figure:
    observed = record["observed"]
    return Figure(
        str(record["guardrail"]),
        float(record["limit"]),
        None if observed is None else float(observed),
        int(record["observations"]),
        float(record["evidence"]),
    )


_NAMES = [entry.name for entry in fields(Rollout)]
_OMITTED = ("model_name", "phase_began_at", "plan", "request_id", "actor_owner", "actor_key")
_DESCRIBED = [name for name in _NAMES if name not in _OMITTED]
