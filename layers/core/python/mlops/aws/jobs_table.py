"""The jobs table: the requests of jobs and sweeps, and their progress.

An item has three writers: the API (the request), the trainer (run, progress, end) and the handler of Batch's events
(state). Only the API creates a record, before it submits the job. So a job of another program with the same name
changes nothing. Events come at least once and in any order, so a conditional update moves the status only forward along
(attempt, state). The trainer's report is kept, whether it or the event comes first.
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from boto3.dynamodb.conditions import Attr, ConditionBase

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.jobs_counts import RecordCounts
from mlops.aws.jobs_selection import ACTIVE, IS_OURS, id_in, ours, selection
from mlops.domain.access import ALL_MODELS
from mlops.domain.errors import NotFound
from mlops.domain.job import Job, JobStatus, Record, Sweep, from_item, to_item
from mlops.domain.pagination import encode_cursor
from mlops.domain.timestamps import now

COUNTER = "counter"
"""An item that is not a record. It has the last job number and the names of the active runs."""
_ENDED = 1_000_000
_RANK = {JobStatus.PENDING: 0, JobStatus.RUNNING: 5}
_OF_TRIALS = ("job_id", "kind", "created_at", "status", "attempt", "worker", "asked", "metrics", "curve")
"""What a sweep's trainers may read of its runs."""
_Kind = TypeVar("_Kind", Job, Sweep)


class Changes(TypedDict, total=False):
    """The values of a record that may change, besides its status. None leaves a value unchanged."""

    batch_job_id: str | None
    moved_from: str
    cancel_requested: bool
    batch_reason: str
    error: str | None
    run_id: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    epoch: int
    epochs: int
    attempt: int
    model_name: str | None
    model_version: int | None
    best_job_id: str
    transition_id: str
    created_at: str
    worker: int
    asked: Mapping[str, Any]
    curve: Mapping[str, float]
    cost_usd: float


@dataclass(frozen=True)
class RecordPage(Generic[_Kind]):
    """Records, newest first; their total number; and the cursor of the next page, if there is one."""

    records: list[_Kind]
    total: int
    next_cursor: str | None


class JobsTable:
    """Adapter of the DynamoDB table `JOBS_TABLE` (key `job_id`, indexes `by_time` and `by_status`)."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table
        self._counts = RecordCounts.of_table(table)

    @classmethod
    def from_environment(cls) -> "JobsTable":
        return cls(table_named(os.environ["JOBS_TABLE"]))

    # For the API

    def reserve(self, count: int = 1) -> int:
        """Reserve `count` consecutive job numbers and return the first."""
        counter = self._table.update(_key(COUNTER), add={"numbers": count})
        assert counter is not None, "an update without a condition has an answer"
        return int(counter["numbers"]) - count + 1

    def create(self, record: Record) -> None:
        """Write a new record. If the same write comes again, it changes nothing."""
        self._table.put(to_item(record), condition=~IS_OURS)

    def claim(self, job_ids: Sequence[str], limit: int) -> bool:
        """Add runs, whose records exist already, to the active ones; False if that would exceed `limit`.

        The active runs are a set of names in one item, so concurrent claims cannot exceed the limit, and a repeated
        claim counts once. When the set is full, the names of runs that have ended are removed.
        """
        return self._claim(job_ids, limit) or (self._release_ended() and self._claim(job_ids, limit))

    def _claim(self, job_ids: Sequence[str], limit: int) -> bool:
        if len(job_ids) > limit:
            return False
        active = Attr("active")
        # boto3 repeats a write whose answer was lost; then the claim is there already.
        room = active.not_exists() | active.size().lte(limit - len(job_ids)) | active.contains(job_ids[0])
        return self._table.update(_key(COUNTER), add={"active": set(job_ids)}, condition=room) is not None

    def _release_ended(self) -> bool:
        """Remove ended and deleted runs from the active ones; False if there are none."""
        names: set[str] = (self._table.get(_key(COUNTER)) or {}).get("active", set())
        released = names - {job.job_id for job in self.get_many(sorted(names)) if not job.status.has_ended}
        if released:
            self._table.update(_key(COUNTER), discard={"active": released})
        return bool(released)

    def submitted(self, job_id: str, batch_job_id: str) -> None:
        self.update(job_id, batch_job_id=batch_job_id)

    def delete(self, job_id: str) -> None:
        """Delete the record of a job that was refused."""
        self._table.delete(_key(job_id))

    def cancel_requested(self, job_id: str) -> None:
        self.update(job_id, cancel_requested=True)

    def get(self, job_id: str) -> Record:
        """Return a record. Raises NotFound."""
        if (record := self.find(job_id)) is None:
            raise NotFound(f"There is no job {job_id!r}; GET /train/jobs lists them")
        return record

    def job(self, job_id: str) -> Job:
        """Return a run. Raises NotFound, also for a sweep."""
        return self._get(Job, job_id)

    def sweep(self, sweep_id: str) -> Sweep:
        """Return a sweep. Raises NotFound, also for a single run."""
        return self._get(Sweep, sweep_id)

    def _get(self, kind: type[_Kind], job_id: str) -> _Kind:
        record = self.get(job_id)
        if not isinstance(record, kind):
            raise NotFound(f"There is no {kind.KIND} {job_id!r}")
        return record

    def find(self, job_id: str) -> Record | None:
        """Return the record, if the API has created one with this name."""
        item = self._table.get(_key(job_id))
        return from_item(item) if item is not None else None

    def get_many(self, job_ids: Sequence[str], attributes: Sequence[str] = ()) -> list[Job]:
        """Return the runs of `job_ids` in that order, with all or the named attributes. Missing ones are left out."""
        records = map(from_item, self._table.get_many([_key(job_id) for job_id in job_ids], attributes))
        runs = {record.job_id: record for record in records if isinstance(record, Job)}
        return [runs[job_id] for job_id in job_ids if job_id in runs]

    def page(
        self,
        kind: type[_Kind],
        status: JobStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
        names: Sequence[str] = ALL_MODELS,
    ) -> RecordPage[_Kind]:
        """Return a page of the records of one kind, newest first, of models and experiments with these names.

        Raises:
            ValidationFailed: The cursor is not valid.
        """
        start: dict[str, Any] = {}
        if cursor:
            within = {"status": str(status)} if status else {"kind": kind.KIND}
            start = {"ExclusiveStartKey": {"job_id": id_in(cursor, kind), **within}}
        # One more than the page holds tells whether another follows.
        newest = self._query(kind, status, names, **start, Limit=limit + 1, ScanIndexForward=False)
        records = list(itertools.islice(newest, limit + 1))
        next_cursor = encode_cursor(records[limit - 1].job_id) if len(records) > limit else None
        return RecordPage(records[:limit], self._counts.total(kind, status, names), next_cursor)

    def newest(self, kind: type[_Kind]) -> Iterator[_Kind]:
        """Iterate over the records of a kind, newest first, and read them on demand."""
        return self._query(kind, ScanIndexForward=False)

    def active_jobs(self) -> list[Job]:
        """Return the runs that have not ended."""
        return self._active(Job)

    def under_way(self) -> list[Record]:
        """Return the runs and sweeps that have not ended."""
        return [*self._active(Job), *self._active(Sweep)]

    def _active(self, kind: type[_Kind]) -> list[_Kind]:
        return [record for status in ACTIVE for record in self._query(kind, status)]

    def count_active(self) -> int:
        """Return how many runs are pending or running."""
        return sum(self._counts.total(Job, status, ALL_MODELS) for status in ACTIVE)

    def _query(
        self,
        kind: type[_Kind],
        status: JobStatus | None = None,
        names: Sequence[str] = ALL_MODELS,
        **request: Any,
    ) -> Iterator[_Kind]:
        condition, index = selection(kind, status)
        items = self._table.query(condition, IndexName=index, FilterExpression=ours(names), **request)
        return (record for record in map(from_item, items) if isinstance(record, kind))

    # For the trainer

    def started(self, job_id: str, attempt: int, run_id: str, params: Mapping[str, Any], epochs: int) -> None:
        self._report(job_id, attempt, run_id=run_id, params=params, epochs=epochs, attempt=attempt)
        self.move(job_id, JobStatus.RUNNING, attempt)

    def progressed(
        self,
        job_id: str,
        attempt: int,
        epoch: int,
        metrics: Mapping[str, float],
        curve: Mapping[int, float] | None = None,
    ) -> None:
        """Record the end of an epoch; `epoch` counts from 1. `curve` is that of a run that may be pruned."""
        changes: Changes = {"epoch": epoch, "metrics": metrics}
        if curve is not None:
            changes["curve"] = {str(at): value for at, value in curve.items()}
        self._report(job_id, attempt, **changes)

    def completed(self, job_id: str, attempt: int, metrics: Mapping[str, float], model_version: int | None) -> None:
        self._report(job_id, attempt, metrics=metrics, model_version=model_version)
        self.move(job_id, JobStatus.COMPLETED, attempt)

    def failed(self, job_id: str, attempt: int, error: str) -> None:
        self.move(job_id, JobStatus.FAILED, attempt, error=error[:2000])

    def pruned(self, job_id: str, attempt: int, reason: str) -> None:
        self.move(job_id, JobStatus.PRUNED, attempt, error=reason)

    def trials(self, job_ids: Sequence[str]) -> list[Job]:
        """Return runs of a sweep in the order of `job_ids`, as far as another run of the sweep may read them."""
        return self.get_many(job_ids, _OF_TRIALS)

    def claim_trial(self, job_id: str, worker: int, asked: Mapping[str, Any]) -> bool:
        """Give a run of a tpe sweep to a worker, with its hyperparameters; False if it is taken, or has ended.

        It is one write. So each run is done once, and no run is under way without its hyperparameters.
        """
        free = Attr("worker").not_exists() & Attr("status_order").lt(_ENDED)
        return self._update(job_id, {"worker": worker, "asked": asked}, condition=free)

    def _report(self, job_id: str, reported_by: int, **changes: Unpack[Changes]) -> None:
        """Write the report of an attempt, unless a later attempt has reported already."""
        self._update(job_id, changes, condition=Attr("attempt").not_exists() | Attr("attempt").lte(reported_by))

    # For Batch's events

    def move(self, job_id: str, status: JobStatus, at_attempt: int, **changes: Unpack[Changes]) -> bool:
        """Move the status forward, with `changes`; False if the record has this or a later status."""
        order = _ENDED if status.has_ended else at_attempt * 10 + _RANK[status]
        once = {"started_at": now()} if status is JobStatus.RUNNING else {}
        if status.has_ended:
            once["completed_at"] = now()
        forward = Attr("status_order").not_exists() | Attr("status_order").lt(order)
        return self._update(job_id, {"status": str(status), "status_order": order, **changes}, once, forward)

    def update(self, job_id: str, **changes: Unpack[Changes]) -> bool:
        """Change a record; False if there is none with this name."""
        return self._update(job_id, changes)

    def choose(self, sweep_id: str, best_job_id: str, transition_id: str) -> bool:
        """Write a sweep's choice of the best run; False if it has one already."""
        choice = {"best_job_id": best_job_id, "transition_id": transition_id}
        return self._update(sweep_id, choice, condition=Attr("best_job_id").not_exists())

    def _update(
        self,
        job_id: str,
        values: Mapping[str, Any],
        once: Mapping[str, Any] | None = None,
        condition: ConditionBase | None = None,
    ) -> bool:
        """Change an existing record; False if there is none, or if `condition` does not hold.

        Only the changes are returned, because the trainer's role may not see more.
        """
        holds = IS_OURS if condition is None else IS_OURS & condition
        changed = self._table.update(_key(job_id), values, once=once, condition=holds, returns="UPDATED_NEW")
        return changed is not None


def _key(job_id: str) -> dict[str, str]:
    return {"job_id": job_id}
