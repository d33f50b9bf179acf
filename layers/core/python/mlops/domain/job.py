"""The records of training jobs and sweeps, and their conversion from and to items of the table.

A sweep's record is like that of a job, for several jobs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

from mlops.domain.timestamps import now

LEARNING = ("tpe", "gp")
"""The strategies of sweeps whose runs learn from those before."""


class JobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PRUNED = "pruned"

    @property
    def has_ended(self) -> bool:
        """Whether this is a final status."""
        return self not in (JobStatus.PENDING, JobStatus.RUNNING)


@dataclass(frozen=True)
class _Record:
    """The common fields of jobs and sweeps. Times are ISO 8601 in UTC."""

    KIND: ClassVar[str]

    job_id: str
    experiment_name: str = ""
    model_version: int | None = None
    status: JobStatus = JobStatus.PENDING
    status_order: int = 0
    """The position of (attempt, status) in their order. It only increases."""
    attempt: int = 0
    request: Mapping[str, Any] = field(default_factory=dict)
    """The body of the API request."""
    actor: str | None = None
    request_id: str | None = None
    batch_job_id: str | None = None
    moved_from: str | None = None
    """The Batch job that was replaced by one in another queue. Its events do not count any more."""
    cancel_requested: bool = False
    error: str | None = None
    batch_reason: str | None = None
    created_at: str = field(default_factory=now)
    started_at: str | None = None
    completed_at: str | None = None


@dataclass(frozen=True)
class Job(_Record):
    """A training run."""

    KIND: ClassVar[str] = "job"

    model_name: str | None = None
    """The registered model to which the run adds a version; None if it registers none."""
    sweep_id: str | None = None
    array_index: int = 0
    """The index of the run in its sweep, from 0."""
    run_id: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    epoch: int = 0
    epochs: int = 0
    worker: int | None = None
    """Of a tpe sweep: the index of the worker that has claimed the run; None until then."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """Of a tpe sweep: the hyperparameters that were chosen when the run was claimed."""
    curve: Mapping[int, float] = field(default_factory=dict)
    """Of a sweep that prunes: by epoch, how good the model is on the rows for validation; higher is better."""
    cost_usd: float | None = None
    """What its attempts have cost, as estimated when it ended."""

    @property
    def is_code_run(self) -> bool:
        """Whether it runs people's own code, whose progress MLflow has. The code's hash is in the request."""
        return "code" in self.request

    @property
    def whole_request(self) -> dict[str, Any]:
        """The request with the hyperparameters that a tpe sweep chose: the same request trains the same model."""
        asked = dict(self.asked)
        own = {"seed": asked.pop("seed")} if "seed" in asked else {}
        if asked:
            own["hyperparameters"] = {**self.request.get("hyperparameters", {}), **asked}
        return {**self.request, **own}


RETRAIN_ACTOR = "retrain"
"""The actor of a sweep that trains the version in Production again."""


@dataclass(frozen=True)
class Sweep(_Record):
    """Several training runs of different hyperparameters, submitted together."""

    KIND: ClassVar[str] = "sweep"

    model_name: str = ""
    actor_owner: str | None = None
    """The owner of the key that has started it; None in records of older versions, and for retrains."""
    job_ids: tuple[str, ...] = ()
    best_job_id: str | None = None
    transition_id: str | None = None
    ranks_by_validation: bool = False
    """Whether its runs are ranked on the rows for validation. Then the held-out rows, which the gate compares by,
    choose nothing. Sweeps of older versions, and those of a single run, do not."""

    @property
    def is_retrain(self) -> bool:
        """Whether the platform requested it, because of drift or a schedule."""
        return self.actor == RETRAIN_ACTOR

    @property
    def has_workers(self) -> bool:
        """Whether its Batch job has a child for each worker, and not for each run."""
        return self.request.get("strategy") in LEARNING

    @property
    def processes(self) -> int:
        """The number of processes that do its runs."""
        return int(self.request["workers"]) if self.has_workers else len(self.job_ids)

    @property
    def register_best(self) -> bool:
        return bool(self.request.get("register_best", True))

    @property
    def stage(self) -> str | None:
        """The stage to which the request moves the best run's model."""
        return self.request.get("stage")


Record = Job | Sweep
_REQUIRED = ("job_id", "status", "created_at")
_TYPES: dict[str, type[Job] | type[Sweep]] = {kind.KIND: kind for kind in (Job, Sweep)}


def from_item(item: Mapping[str, Any]) -> Record | None:
    """Read a table's item. Unknown attributes are ignored, and missing ones have their defaults.

    Returns:
        None if the item is not a record: it lacks a required attribute, or its kind or status is unknown.
    """
    record_type = _TYPES.get(item.get("kind", ""))
    if record_type is None or any(not item.get(name) for name in _REQUIRED) or item["status"] not in set(JobStatus):
        return None
    known = {entry.name: item[entry.name] for entry in fields(record_type) if item.get(entry.name) is not None}
    known["status"] = JobStatus(known["status"])
    if "job_ids" in known:
        known["job_ids"] = tuple(known["job_ids"])
    if "metrics" in known:
        # DynamoDB has no NaN and no infinity, so the table has them as text.
        known["metrics"] = {name: float(value) for name, value in known["metrics"].items()}
    if "curve" in known:
        known["curve"] = {int(epoch): float(value) for epoch, value in known["curve"].items()}
    return record_type(**known)


def to_item(record: Record) -> dict[str, Any]:
    """Return the item of a new record, without empty attributes."""
    values = {entry.name: getattr(record, entry.name) for entry in fields(record)}
    given = {name: value for name, value in values.items() if value is not None and value is not False and value != {}}
    return {"kind": record.KIND, **given, "status": str(record.status)}
