"""Turns requests into Batch jobs with a record each, and records into answers."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mlops.api.schemas.sweeps import SweepRequest, SweepState
from mlops.api.schemas.training import Job, Progress
from mlops.aws.batch import Batch, SubmissionRefused
from mlops.aws.dynamodb import Item
from mlops.aws.jobs_table import TERMINAL, JobsTable
from mlops.domain.errors import Conflict, ValidationFailed
from mlops.domain.ranking import ranked
from mlops.domain.sweep import Sweep, child_parameters, default_space, grid_size, job_id
from mlops.domain.training_request import HYPERPARAMETER_FIELDS, Hyperparameters, TrainRequest
from mlops.settings import Settings


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """`model_types`: what the training image can train, comma-separated. `dataset_buckets`: buckets whose data sets may
    be trained on, beside the platform's own `artifact_bucket`. `max_active_jobs`: the cost guard."""

    artifact_bucket: str
    model_types: str
    dataset_buckets: str = ""
    max_active_jobs: int = 200


class Submissions:
    """Submits runs and sweeps. A record is written before the job is, and taken back if Batch refuses."""

    def __init__(self, settings: TrainingSettings, jobs: JobsTable, batch: Batch) -> None:
        self._settings, self._jobs, self._batch = settings, jobs, batch

    @classmethod
    def from_environment(cls) -> "Submissions":
        return _submissions()

    def train(self, request: TrainRequest, actor: str, request_id: str | None = None) -> dict[str, Any]:
        """`request_id` goes with the job, so that one search shows the whole story.

        Raises ValidationFailed, Conflict (too many jobs at once), DependencyUnavailable.
        """
        self._check_subject(request.model_type, request.dataset)
        self._check_room(1)
        identifier = job_id(self._jobs.reserve())
        self._jobs.create(_record(identifier, request, actor) | {"request_id": request_id})
        asked_by = _asked_by(request_id)
        self._submit([identifier], lambda: self._batch.submit_run(identifier, request, asked_by))
        return {
            "message": f"Training started; GET /train/status/{identifier} tells how far it is",
            "job_id": identifier,
            "experiment_name": request.experiment_name,
            "status": "pending",
        }

    def sweep(self, request: SweepRequest, actor: str, request_id: str | None = None) -> dict[str, Any]:
        """As `train`, for several runs.

        Raises ValidationFailed, Conflict (too many jobs at once), DependencyUnavailable.
        """
        self._check_subject(request.model_type, request.dataset)
        children = _children(request)
        self._check_room(len(children))
        first = self._jobs.reserve(len(children))
        sweep = Sweep(
            strategy=request.strategy,
            seed=request.seed,
            num_runs=len(children),
            space=request.space,
            first_job_number=first,
        )
        sweep_id = f"sweep_{first:06d}"
        identifiers = [sweep.job_id(index) for index in range(len(children))]
        subject = request.model_dump(include={"model_type", "dataset", "experiment_name", "model_name", "epochs"})
        runs = [
            TrainRequest.model_validate({**subject, "run_name": identifier, "register": False, **child})
            for identifier, child in zip(identifiers, children, strict=True)
        ]
        self._jobs.create(
            {
                "job_id": sweep_id,
                "job_ids": identifiers,
                "request": request.model_dump(mode="json"),
                "experiment_name": request.experiment_name,
                "model_name": request.model_name,
                "actor": actor,
                "request_id": request_id,
            }
        )
        for index, (identifier, run) in enumerate(zip(identifiers, runs, strict=True)):
            self._jobs.create(_record(identifier, run, actor) | {"sweep_id": sweep_id, "array_index": index})
        common = TrainRequest.model_validate({**subject, "register": False})
        if len(runs) == 1:  # Batch has no array of one.
            extra = {"JOB_ID": identifiers[0], "SWEEP_ID": sweep_id, **_asked_by(request_id)}
            self._submit([sweep_id, *identifiers], lambda: self._batch.submit_run(sweep_id, runs[0], extra))
        else:
            self._submit(
                [sweep_id, *identifiers],
                lambda: self._batch.submit_sweep(sweep_id, sweep, common, _asked_by(request_id)),
            )
        return {"sweep_id": sweep_id, "job_ids": identifiers}

    def cancel(self, identifier: str) -> Item:
        """Cancel a run or a whole sweep. Raises NotFound; Conflict if it has ended."""
        item = self._jobs.get(identifier)
        if item["status"] in TERMINAL:
            raise Conflict(f"{identifier} has ended already ({item['status']}); nothing is left to cancel")
        for child in [identifier, *item.get("job_ids", [])]:
            self._jobs.cancel_requested(child)
        if batch_job_id := self._batch_job_id(item):
            self._batch.stop(batch_job_id, "cancelled through the API")
        return self._jobs.get(identifier)

    def logs(self, identifier: str, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Raises NotFound for an unknown job, and for one that has not started."""
        return self._batch.log_lines(self._batch_job_id(self._jobs.get(identifier)) or "", cursor)

    def _batch_job_id(self, item: Item) -> str | None:
        """A run of a sweep has its sweep's Batch id with its own index."""
        if "sweep_id" not in item:
            return item.get("batch_job_id")
        sweep = self._jobs.get(item["sweep_id"])
        alone = len(sweep["job_ids"]) == 1
        parent: str | None = sweep.get("batch_job_id")
        return parent if alone or parent is None else f"{parent}:{item['array_index']}"

    def _submit(self, identifiers: list[str], submit: Any) -> None:
        try:
            batch_job_id = submit()
        except SubmissionRefused:
            # After any other failure Batch may have taken the job: then the record stays, and reconcile looks.
            for identifier in identifiers:
                self._jobs.delete(identifier)
            raise
        self._jobs.submitted(identifiers[0], batch_job_id)

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
        active = self._jobs.count_active()
        if active + wanted > self._settings.max_active_jobs:
            raise Conflict(
                f"{active} jobs are under way and at most {self._settings.max_active_jobs} may be; "
                "wait for some to end, cancel some, or raise MaxActiveJobs"
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
    sweep = Sweep(strategy=request.strategy, seed=request.seed, num_runs=count, space=request.space)
    children = [child_parameters(sweep, index) for index in range(count)]
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


def _record(identifier: str, request: TrainRequest, actor: str) -> Item:
    return {
        "job_id": identifier,
        "request": request.model_dump(mode="json", by_alias=True),
        "experiment_name": request.experiment_name,
        "model_name": request.model_name if request.register_model else None,
        "params": request.model_dump(include=set(HYPERPARAMETER_FIELDS)),
        "epochs": request.epochs,
        "actor": actor,
    }


def job_view(item: Item) -> Job:
    """The record as the API shows it."""
    reasons = [item.get("error"), item.get("batch_reason")]
    return Job(
        **{name: item.get(name) for name in Job.model_fields if name in item and name not in ("error", "progress")},
        progress=Progress(epoch=item.get("epoch", 0), epochs=item.get("epochs", 0)),
        error="; Batch: ".join(str(reason) for reason in reasons if reason) or None
        if item["status"] in ("failed", "cancelled")
        else None,
    )


def sweep_view(item: Item, runs: list[Item]) -> SweepState:
    """A sweep and its runs as the API shows them. While any runs, the best is the best so far."""
    order = ranked(runs)
    best = next((run for run in order if run["status"] == "completed" and "accuracy" in run.get("metrics", {})), None)
    return SweepState(
        sweep_id=item["job_id"],
        status=_sweep_status(item, runs),
        experiment_name=item["experiment_name"],
        model_name=item["model_name"],
        num_runs=len(item["job_ids"]),
        runs=[job_view(run) for run in order],
        best=job_view(best) if best else None,
        model_version=item.get("model_version"),
        transition_id=item.get("transition_id") if item["request"].get("stage") else None,
        created_at=item["created_at"],
        completed_at=item.get("completed_at"),
        error=item.get("error"),
    )


def _sweep_status(item: Item, runs: list[Item]) -> str:
    """Batch's array jobs are never RUNNING themselves: a sweep runs as soon as one of its runs has begun."""
    begun = any(run["status"] != "pending" for run in runs)
    return "running" if item["status"] == "pending" and begun else item["status"]


@cache
def _submissions() -> Submissions:
    return Submissions(TrainingSettings.from_environment(), JobsTable.from_environment(), Batch.from_environment())
