"""Turns requests into Batch jobs with a record each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mlops.api.schemas.sweeps import SweepAccepted, SweepRequest
from mlops.api.schemas.training import LogLine, TrainAccepted
from mlops.aws.batch import Batch, SubmissionRefused
from mlops.aws.jobs_table import JobsTable
from mlops.domain.errors import Conflict, ValidationFailed
from mlops.domain.job import Job, Record, Sweep
from mlops.domain.sweep import Sweep as SweepPlan
from mlops.domain.sweep import child_parameters, default_space, grid_size, job_id
from mlops.domain.training_request import HYPERPARAMETER_FIELDS, Hyperparameters, TrainRequest
from mlops.settings import Settings

_MAKE_ROOM = "wait for some to end, cancel some, or raise MaxActiveJobs"


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """`model_types`: what the training image can train, comma-separated. `dataset_buckets`: buckets whose data sets may
    be trained on, beside the platform's own `artifact_bucket`. `max_active_jobs`: the cost guard."""

    artifact_bucket: str
    model_types: str
    dataset_buckets: str = ""
    max_active_jobs: int = 200


class Submissions:
    """Submits runs and sweeps. A record is written before the job is, and deleted if the job is refused."""

    def __init__(self, settings: TrainingSettings, jobs: JobsTable, batch: Batch) -> None:
        self._settings, self._jobs, self._batch = settings, jobs, batch

    @classmethod
    def from_environment(cls) -> "Submissions":
        return _submissions()

    def train(self, request: TrainRequest, actor: str, request_id: str | None = None) -> TrainAccepted:
        """`request_id` goes with the job, so that one search shows the whole story.

        Raises ValidationFailed, Conflict (too many jobs at once), DependencyUnavailable.
        """
        self._check_subject(request.model_type, request.dataset)
        self._check_room(1)
        identifier = job_id(self._jobs.reserve())
        job = _job(identifier, request, actor, request_id)
        self._submit([job], lambda: self._batch.submit_run(identifier, request, _asked_by(request_id)))
        return TrainAccepted(
            message=f"Training started; GET /train/status/{identifier} tells how far it is",
            job_id=identifier,
            experiment_name=request.experiment_name,
            status="pending",
        )

    def sweep(self, request: SweepRequest, actor: str, request_id: str | None = None) -> SweepAccepted:
        """As `train`, for several runs.

        Raises ValidationFailed, Conflict (too many jobs at once), DependencyUnavailable.
        """
        self._check_subject(request.model_type, request.dataset)
        children = _children(request)
        self._check_room(len(children))
        first = self._jobs.reserve(len(children))
        plan = SweepPlan(
            strategy=request.strategy,
            seed=request.seed,
            num_runs=len(children),
            space=request.space,
            first_job_number=first,
        )
        sweep_id = f"sweep_{first:06d}"
        identifiers = [plan.job_id(index) for index in range(len(children))]
        subject = request.model_dump(include={"model_type", "dataset", "experiment_name", "model_name", "epochs"})
        runs = [
            TrainRequest.model_validate({**subject, "run_name": identifier, "register": False, **child})
            for identifier, child in zip(identifiers, children, strict=True)
        ]
        sweep = Sweep(
            sweep_id,
            experiment_name=request.experiment_name,
            model_name=request.model_name,
            request=request.model_dump(mode="json"),
            actor=actor,
            request_id=request_id,
            job_ids=tuple(identifiers),
        )
        jobs = [
            replace(_job(identifier, run, actor), sweep_id=sweep_id, array_index=index)
            for index, (identifier, run) in enumerate(zip(identifiers, runs, strict=True))
        ]
        common = TrainRequest.model_validate({**subject, "register": False})
        if len(runs) == 1:  # Batch has no array of one.
            extra = {"JOB_ID": identifiers[0], "SWEEP_ID": sweep_id, **_asked_by(request_id)}
            self._submit([sweep, *jobs], lambda: self._batch.submit_run(sweep_id, runs[0], extra))
        else:
            self._submit(
                [sweep, *jobs],
                lambda: self._batch.submit_sweep(sweep_id, plan, common, _asked_by(request_id)),
            )
        return SweepAccepted(sweep_id=sweep_id, job_ids=identifiers)

    def cancel(self, identifier: str) -> None:
        """Cancel a run or a whole sweep. Raises NotFound; Conflict if it has ended."""
        record = self._jobs.get(identifier)
        if record.status.has_ended:
            raise Conflict(f"{identifier} has ended already ({record.status}); nothing is left to cancel")
        children = record.job_ids if isinstance(record, Sweep) else ()
        for child in (identifier, *children):
            self._jobs.cancel_requested(child)
        if batch_job_id := self._batch_job_id(record):
            self._batch.stop(batch_job_id, "cancelled through the API")

    def logs(self, identifier: str, cursor: str | None) -> tuple[list[LogLine], str | None]:
        """Raises NotFound for an unknown job, and for one that has not started."""
        page = self._batch.log_lines(self._batch_job_id(self._jobs.job(identifier)) or "", cursor)
        return [LogLine(at=line.at, message=line.message) for line in page.lines], page.next_cursor

    def _batch_job_id(self, record: Record) -> str | None:
        """A run of a sweep has its sweep's Batch id with its own index."""
        if isinstance(record, Sweep) or record.sweep_id is None:
            return record.batch_job_id
        sweep = self._jobs.sweep(record.sweep_id)
        if len(sweep.job_ids) == 1 or sweep.batch_job_id is None:
            return sweep.batch_job_id
        return f"{sweep.batch_job_id}:{record.array_index}"

    def _submit(self, records: Sequence[Record], submit: Callable[[], str]) -> None:
        """Write the records and submit their one Batch job, whose id the first record gets.

        If the process dies in between, reconcile ends the records of a job that Batch does not have.
        """
        for record in records:
            self._jobs.create(record)
        limit = self._settings.max_active_jobs
        if not self._jobs.claim([record.job_id for record in records if isinstance(record, Job)], limit):
            self._delete(records)
            raise Conflict(f"At most {limit} jobs may be under way, and other requests came first; {_MAKE_ROOM}")
        try:
            batch_job_id = submit()
        except SubmissionRefused:
            # After any other failure Batch may have taken the job: then the record stays, and reconcile looks.
            self._delete(records)
            raise
        self._jobs.submitted(records[0].job_id, batch_job_id)

    def _delete(self, records: Sequence[Record]) -> None:
        for record in records:
            self._jobs.delete(record.job_id)

    def _check_subject(self, model_type: str, dataset: str) -> None:
        known = self._settings.model_types.split(",")
        if model_type not in known:
            raise ValidationFailed(
                f"model_type: {model_type!r} is not one of {', '.join(known)}",
                errors=[{"field": "model_type", "message": f"must be one of {', '.join(known)}"}],
            )
        bucket = urlsplit(dataset).netloc
        allowed = [self._settings.artifact_bucket, *filter(None, self._settings.dataset_buckets.split(","))]
        if dataset.startswith("s3://") and bucket not in allowed:
            raise ValidationFailed(
                f"dataset: the bucket {bucket!r} is not allowed; an operator can add it to DatasetBuckets",
                errors=[{"field": "dataset", "message": f"the bucket {bucket!r} is not allowed"}],
            )

    def _check_room(self, wanted: int) -> None:
        """Refuse early, and count what a version without `claim` has submitted."""
        active = self._jobs.count_active()
        if active + wanted > self._settings.max_active_jobs:
            raise Conflict(
                f"{active} jobs are under way and at most {self._settings.max_active_jobs} may be; {_MAKE_ROOM}"
            )


def _children(request: SweepRequest) -> list[dict[str, Any]]:
    """The checked hyperparameters of each run. Raises ValidationFailed, naming the field of `space`."""
    space = request.space or default_space(request.strategy)
    for name, values in space.items():
        if name not in HYPERPARAMETER_FIELDS:
            raise _space_error(name, f"is not a hyperparameter; there are {', '.join(HYPERPARAMETER_FIELDS)}")
        if request.strategy == "grid" and not isinstance(values, list):
            raise _space_error(name, "a grid takes a list of values; ranges are for the random strategy")
    count = min(request.num_runs, grid_size(space)) if request.strategy == "grid" else request.num_runs
    plan = SweepPlan(strategy=request.strategy, seed=request.seed, num_runs=count, space=request.space)
    children = [child_parameters(plan, index) for index in range(count)]
    for child in children:
        try:
            Hyperparameters.model_validate(child)
        except ValidationError as error:
            first = error.errors()[0]
            raise _space_error(str(first["loc"][0]), first["msg"]) from error
    return children


def _space_error(name: str, message: str) -> ValidationFailed:
    return ValidationFailed(f"space.{name}: {message}", errors=[{"field": f"space.{name}", "message": message}])


def _asked_by(request_id: str | None) -> dict[str, str]:
    return {"REQUEST_ID": request_id} if request_id else {}


def _job(identifier: str, request: TrainRequest, actor: str, request_id: str | None = None) -> Job:
    return Job(
        identifier,
        experiment_name=request.experiment_name,
        model_name=request.model_name if request.register_model else None,
        request=request.model_dump(mode="json", by_alias=True),
        actor=actor,
        request_id=request_id,
        params=request.model_dump(include=set(HYPERPARAMETER_FIELDS)),
        epochs=request.epochs,
    )


@cache
def _submissions() -> Submissions:
    return Submissions(TrainingSettings.from_environment(), JobsTable.from_environment(), Batch.from_environment())
