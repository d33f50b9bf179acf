"""Submit training runs and sweeps to AWS Batch, and write their records."""

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
from mlops.domain.sweep import WHOLE, child_parameters, default_space, grid_size, job_id
from mlops.domain.sweep import Sweep as SweepPlan
from mlops.domain.training_request import HYPERPARAMETER_FIELDS, Hyperparameters, Range, TrainRequest
from mlops.settings import Settings

MAX_NAME = 40
"""Characters of an unknown hyperparameter's name that an error repeats."""
_MAKE_ROOM = "wait until some have ended, cancel some, or raise MaxActiveJobs"


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """Settings of the function.

    Attributes:
        artifact_bucket: The platform's own bucket, which may hold data sets.
        model_types: The model types that the training image can train, comma-separated.
        dataset_buckets: Further buckets that may hold data sets, comma-separated.
        max_active_jobs: Cost guard: how many jobs may wait or run at the same time.
    """

    artifact_bucket: str
    model_types: str
    dataset_buckets: str = ""
    max_active_jobs: int = 200


class Submissions:
    """Submits runs and sweeps. The records are written before the job is submitted, and deleted if Batch refuses it."""

    def __init__(self, settings: TrainingSettings, jobs: JobsTable, batch: Batch) -> None:
        self._settings, self._jobs, self._batch = settings, jobs, batch

    @classmethod
    def from_environment(cls) -> "Submissions":
        return _submissions()

    def train(self, request: TrainRequest, actor: str, request_id: str | None = None) -> TrainAccepted:
        """Submit a training run.

        Args:
            request: What to train.
            actor: The name of the API key that requests it.
            request_id: Passed to the job, so that one search of the logs finds both.

        Raises:
            ValidationFailed: The model type or the data set's bucket is not allowed.
            Conflict: Too many jobs are active.
            DependencyUnavailable: AWS Batch refuses the job, or does not answer.
        """
        self._check_subject(request.model_type, request.dataset)
        self._check_room(1)
        identifier = job_id(self._jobs.reserve())
        job = _job(identifier, request, actor, request_id)
        self._submit([job], lambda: self._batch.submit_run(identifier, request, _asked_by(request_id)))
        return TrainAccepted(
            message=f"The training run is queued; GET /train/status/{identifier} shows its progress",
            job_id=identifier,
            experiment_name=request.experiment_name,
            status="pending",
        )

    def sweep(self, request: SweepRequest, actor: str, request_id: str | None = None) -> SweepAccepted:
        """Submit a sweep, as one job.

        Args and errors are those of `train`. An invalid `space` is a ValidationFailed too.
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
        if len(runs) == 1:  # Batch has no arrays of one job.
            extra = {"JOB_ID": identifiers[0], "SWEEP_ID": sweep_id, **_asked_by(request_id)}
            self._submit([sweep, *jobs], lambda: self._batch.submit_run(sweep_id, runs[0], extra))
        else:
            self._submit(
                [sweep, *jobs],
                lambda: self._batch.submit_sweep(sweep_id, plan, common, _asked_by(request_id)),
            )
        return SweepAccepted(sweep_id=sweep_id, job_ids=identifiers)

    def cancel(self, identifier: str) -> None:
        """Cancel a run or a whole sweep.

        Raises:
            NotFound: There is no such job.
            Conflict: It has ended.
        """
        record = self._jobs.get(identifier)
        if record.status.has_ended:
            raise Conflict(f"{identifier} has already ended ({record.status}) and cannot be cancelled")
        children = record.job_ids if isinstance(record, Sweep) else ()
        for child in (identifier, *children):
            self._jobs.cancel_requested(child)
        if batch_job_id := self._batch_job_id(record):
            self._batch.stop(batch_job_id, "cancelled through the API")

    def logs(self, identifier: str, cursor: str | None) -> tuple[list[LogLine], str | None]:
        """Return a page of a run's log, and the cursor of the next page.

        Raises:
            NotFound: There is no such job, or it has not started.
        """
        page = self._batch.log_lines(self._batch_job_id(self._jobs.job(identifier)) or "", cursor)
        return [LogLine(at=line.at, message=line.message) for line in page.lines], page.next_cursor

    def _batch_job_id(self, record: Record) -> str | None:
        """Return Batch's id of a job. For a run of a sweep it is the sweep's id with the run's index."""
        if isinstance(record, Sweep) or record.sweep_id is None:
            return record.batch_job_id
        sweep = self._jobs.sweep(record.sweep_id)
        if len(sweep.job_ids) == 1 or sweep.batch_job_id is None:
            return sweep.batch_job_id
        return f"{sweep.batch_job_id}:{record.array_index}"

    def _submit(self, records: Sequence[Record], submit: Callable[[], str]) -> None:
        """Write the records and submit their Batch job. The first record gets its id.

        If the process dies in between, reconcile ends records whose job Batch does not have.
        """
        for record in records:
            self._jobs.create(record)
        limit = self._settings.max_active_jobs
        if not self._jobs.claim([record.job_id for record in records if isinstance(record, Job)], limit):
            self._delete(records)
            raise Conflict(
                f"At most {limit} jobs may be pending or running, and other requests came first; {_MAKE_ROOM}"
            )
        try:
            batch_job_id = submit()
        except SubmissionRefused:
            # After any other failure Batch may have the job, so the record stays, and reconcile checks it.
            self._delete(records)
            raise
        self._jobs.submitted(records[0].job_id, batch_job_id)

    def _delete(self, records: Sequence[Record]) -> None:
        for record in records:
            self._jobs.delete(record.job_id)

    def _check_subject(self, model_type: str, dataset: str) -> None:
        known = self._settings.model_types.split(",")
        if model_type not in known:
            raise ValidationFailed.of_field("model_type", f"must be one of {', '.join(known)}")
        bucket = urlsplit(dataset).netloc
        allowed = [self._settings.artifact_bucket, *filter(None, self._settings.dataset_buckets.split(","))]
        if dataset.startswith("s3://") and bucket not in allowed:
            raise ValidationFailed.of_field(
                "dataset", f"the bucket {bucket!r} is not allowed; an operator can add it to DatasetBuckets"
            )

    def _check_room(self, wanted: int) -> None:
        """Refuse early. This also counts jobs of an older version of the platform, which did not claim a place."""
        active = self._jobs.count_active()
        if active + wanted > self._settings.max_active_jobs:
            raise Conflict(
                f"{active} jobs are pending or running, and at most {self._settings.max_active_jobs} are allowed; "
                f"{_MAKE_ROOM}"
            )


def _children(request: SweepRequest) -> list[dict[str, Any]]:
    """Return the hyperparameters of each run. Raises ValidationFailed with the field of `space`."""
    space = request.space or default_space(request.strategy)
    for name, values in space.items():
        _check_values(name, values, request.strategy)
    count = min(request.num_runs, grid_size(space)) if request.strategy == "grid" else request.num_runs
    plan = SweepPlan(strategy=request.strategy, seed=request.seed, num_runs=count, space=request.space)
    return [child_parameters(plan, index) for index in range(count)]


def _check_values(name: str, values: list[float] | Range, strategy: str) -> None:
    """Check the values of a hyperparameter, or the ends of its range."""
    if name not in HYPERPARAMETER_FIELDS:
        raise _space_error(name, f"is not a hyperparameter; use {', '.join(HYPERPARAMETER_FIELDS)}")
    if strategy == "grid" and not isinstance(values, list):
        raise _space_error(name, "must be a list of values for a grid; ranges are for the random strategy")
    for value in values if isinstance(values, list) else (values.low, values.high):
        if name in WHOLE and int(value) != value:
            raise _space_error(name, f"must have whole numbers only, not {value:g}")
        try:
            Hyperparameters.model_validate({name: int(value) if name in WHOLE else value})
        except ValidationError as error:
            raise _space_error(name, error.errors()[0]["msg"]) from error


def _space_error(name: str, message: str) -> ValidationFailed:
    return ValidationFailed.of_field(f"space.{name[:MAX_NAME]}", message)


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
