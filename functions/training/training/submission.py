"""Submit training runs and sweeps to AWS Batch, and write their records."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Protocol, TypeVar

from mlops.api.auth import Caller, authorise_own
from mlops.api.schemas.sweeps import SweepAccepted, SweepRequest
from mlops.api.schemas.training import LogLine, TrainAccepted
from mlops.aws.batch import Batch, check_length, sweep_environment, training_environment
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.model_types import PublishedModelTypes
from mlops.domain.dataset_deletion import DatasetDeletion
from mlops.domain.errors import Conflict, ValidationFailed
from mlops.domain.job import LEARNING, Job, JobStatus, Record, Sweep
from mlops.domain.model_settings import HasSettings
from mlops.domain.model_types import ModelType, ModelTypes
from mlops.domain.sweep import Sweep as SweepPlan
from mlops.domain.sweep import child_parameters, chooses, grid_size, job_id, sweep_id
from mlops.domain.training_request import SHORT_FORM, TrainingSubject, TrainRequest
from training import hyperparameters
from training.admission import Admission
from training.checks import check, cost_errors, find_type
from training.settings import TrainingSettings


class _Types(Protocol):
    def read(self) -> ModelTypes:
        """Return the published model types. Raises DependencyUnavailable."""


Subject = TypeVar("Subject", bound=TrainingSubject)


class Governance(HasSettings, Protocol):
    """The settings of models, and what was deleted."""

    def deleted_data(self, address: str) -> DatasetDeletion | None:
        """Return the deletion of the data set whose file had this address, if it was deleted."""
        ...


class Submissions:
    """Submits runs and sweeps, cancels jobs of all kinds, and reads their logs."""

    def __init__(
        self, settings: TrainingSettings, jobs: JobsTable, batch: Batch, types: _Types, governance: Governance
    ) -> None:
        self._settings, self._jobs, self._batch, self._types = settings, jobs, batch, types
        self._governance = governance
        self._admission = Admission(jobs, settings.max_active_jobs)

    @classmethod
    def from_environment(cls) -> "Submissions":
        return _submissions()

    def _check_data(self, dataset: str) -> None:
        """Check that a data set was not deleted. Raises ValidationFailed."""
        deleted = self._governance.deleted_data(dataset)
        if deleted is not None:
            raise ValidationFailed.of_field("dataset", f"was deleted {deleted.said}; name another one")

    def _completed(self, request: Subject) -> Subject:
        """Return a request with what its model's settings say where it says nothing."""
        usual = self._governance.settings(request.model_name).settings
        update: dict[str, Any] = {}
        if request.objective is None and usual.objective is not None:
            update |= {"objective": usual.objective.name, "direction": usual.objective.direction}
        if request.decision_threshold is None and request.task != "regression":
            update["decision_threshold"] = usual.decision_threshold
        return request.model_copy(update=update)

    def model_types(self) -> ModelTypes:
        """Return the published model types. Raises DependencyUnavailable."""
        return self._types.read()

    def model_type(self, name: str) -> ModelType:
        """Return a published model type. Raises ValidationFailed, DependencyUnavailable."""
        return find_type(name, self._types.read())

    def train(self, request: TrainRequest, actor: str, request_id: str | None = None) -> TrainAccepted:
        """Submit a training run.

        Args:
            request: What to train.
            actor: The name of the API key that requests it.
            request_id: Passed to the job, so that one search of the logs finds both.

        Raises:
            ValidationFailed: A field is wrong, or does not fit the model type or the data.
            Conflict: Too many jobs are active.
            DependencyUnavailable: AWS Batch refuses the job, or does not answer; or no model types are published.
        """
        self._check_data(request.dataset)
        request = self._completed(request)
        model_type = check(request, self._types.read(), self._settings)
        given = hyperparameters.checked(request, model_type)
        request = TrainRequest.model_validate(_normal(request, model_type, given))
        _check_cost(request, self._settings)
        check_length(training_environment(request))
        self._admission.check_room(1)
        identifier = job_id(self._jobs.reserve())
        job = _job(identifier, request, model_type, actor, request_id)
        self._admission.submit([job], lambda: self._batch.submit_run(identifier, request, _asked_by(actor, request_id)))
        return TrainAccepted(
            message=f"The training run is queued; GET /train/status/{identifier} shows its progress",
            job_id=identifier,
            experiment_name=request.experiment_name,
            status="pending",
        )

    def sweep(
        self, request: SweepRequest, actor: str, request_id: str | None = None, owner: str | None = None
    ) -> SweepAccepted:
        """Submit a sweep, as one job; `owner` is that of the key.

        Other args and the errors are those of `train`. An invalid `space` is a ValidationFailed too.
        """
        self._check_data(request.dataset)
        request = self._completed(request)
        model_type = check(request, self._types.read(), self._settings)
        given = hyperparameters.checked(request, model_type)
        plan = _plan(request, model_type, given)
        # A worker has the time of each of the runs that it does one after the other.
        _check_cost(request, self._settings, plan.processes * math.ceil(plan.num_runs / plan.processes))
        subject = {**_normal(request, model_type, given), "register": False}
        common = TrainRequest.model_validate(subject)
        check_length({**sweep_environment("sweep_", plan), **training_environment(common)})
        self._admission.check_room(plan.num_runs)
        first = self._jobs.reserve(plan.num_runs)
        plan = plan.model_copy(update={"first_job_number": first})
        sweep_name = sweep_id(first)
        identifiers = plan.job_ids
        runs = [_run(subject, plan, index, identifier) for index, identifier in enumerate(identifiers)]
        sweep = Sweep(
            sweep_name,
            experiment_name=request.experiment_name,
            model_name=request.model_name,
            request=_recorded(request, plan),
            actor=actor,
            actor_owner=owner,
            request_id=request_id,
            job_ids=tuple(identifiers),
            ranks_by_validation=plan.ranks_by_validation,
        )
        jobs = [
            replace(_job(identifier, run, model_type, actor), sweep_id=sweep_name, array_index=index)
            for index, (identifier, run) in enumerate(zip(identifiers, runs, strict=True))
        ]
        if len(runs) == 1 and not plan.learns:  # Batch has no arrays of one job.
            extra = {"JOB_ID": identifiers[0], "SWEEP_ID": sweep_name, **_asked_by(actor, request_id)}
            self._admission.submit([sweep, *jobs], lambda: self._batch.submit_run(sweep_name, runs[0], extra))
        else:
            self._admission.submit(
                [sweep, *jobs],
                lambda: self._batch.submit_sweep(sweep_name, plan, common, _asked_by(actor, request_id)),
            )
        return SweepAccepted(sweep_id=sweep_name, job_ids=identifiers)

    def cancel(self, identifier: str, caller: Caller) -> None:
        """Cancel a run or a whole sweep.

        A worker has other runs to do. So the run ends in its record, where the trainer sees it.

        Raises:
            NotFound: There is no such job.
            Forbidden: Another key has started it, and the caller is no admin.
            Conflict: It has ended.
        """
        record = self._jobs.get(identifier)
        authorise_own(caller, self._actor(record), identifier)
        if record.status.has_ended:
            raise Conflict(f"{identifier} has already ended ({record.status}) and cannot be cancelled")
        if isinstance(record, Job) and record.sweep_id and self._jobs.sweep(record.sweep_id).has_workers:
            self._jobs.move(identifier, JobStatus.CANCELLED, record.attempt, cancel_requested=True)
            return
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

    def _actor(self, record: Record) -> str | None:
        """Return the name of the key that has started a job; for a run of a sweep, the one that has started the
        sweep."""
        if isinstance(record, Job) and record.sweep_id:
            return self._jobs.sweep(record.sweep_id).actor
        return record.actor

    def _batch_job_id(self, record: Record) -> str | None:
        """Return Batch's id of a job. For a run of a sweep it is the sweep's id with the index of the run's process.

        Returns:
            None if the job has not been submitted, or no worker of a tpe sweep has claimed the run yet.
        """
        if isinstance(record, Sweep) or record.sweep_id is None:
            return record.batch_job_id
        sweep = self._jobs.sweep(record.sweep_id)
        index = record.worker if sweep.has_workers else record.array_index
        if sweep.batch_job_id is None or index is None:
            return None
        return sweep.batch_job_id if sweep.processes == 1 else f"{sweep.batch_job_id}:{index}"


def _check_cost(request: TrainingSubject, settings: TrainingSettings, runs: int = 1) -> None:
    """Check what runs could cost. Raises ValidationFailed."""
    if errors := list(cost_errors(request.resources, settings, runs)):
        raise ValidationFailed.of_fields(errors)


def _normal(
    request: TrainRequest | SweepRequest,
    model_type: ModelType,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the fields of a `TrainRequest` in one form: the type by its present name, and its hyperparameters by their
    own names."""
    fields = request.model_dump(
        include=set(TrainRequest.model_fields) - set(SHORT_FORM), by_alias=True, exclude_unset=True
    )
    return {**fields, "model_type": model_type.name, "hyperparameters": dict(given)}


def _plan(request: SweepRequest, model_type: ModelType, given: Mapping[str, Any]) -> SweepPlan:
    """Return the plan of a sweep's runs. Raises ValidationFailed with the field of `space`."""
    space = hyperparameters.checked_space(request, model_type, given)
    num_runs = min(request.num_runs, grid_size(space)) if request.strategy == "grid" else request.num_runs
    return SweepPlan(
        strategy=request.strategy,
        seed=request.seed,
        num_runs=num_runs,
        workers=request.processes if request.strategy in LEARNING else 1,
        prune=request.prune,
        space=space,
        whole=model_type.whole_in_sweeps,
        ranks_by_validation=chooses(request.strategy, num_runs),
    )


def _recorded(request: SweepRequest, plan: SweepPlan) -> dict[str, Any]:
    """Return the request for the sweep's record, with the number of workers that a sweep that learns has."""
    workers = plan.workers if plan.learns else None
    return {**request.model_dump(mode="json", by_alias=True), "workers": workers}


def _run(subject: dict[str, Any], plan: SweepPlan, index: int, identifier: str) -> TrainRequest:
    """Return the request that a run of a sweep is."""
    drawn = child_parameters(plan, index)
    seed = drawn.pop("seed")
    own = {"hyperparameters": {**subject["hyperparameters"], **drawn}}
    return TrainRequest.model_validate({**subject, **own, "seed": seed, "run_name": identifier})


def _asked_by(actor: str, request_id: str | None) -> dict[str, str]:
    """Return the variables that say who has asked, for MLflow and for the logs."""
    return {"ACTOR": actor, **({"REQUEST_ID": request_id} if request_id else {})}


def _job(
    identifier: str, request: TrainRequest, model_type: ModelType, actor: str, request_id: str | None = None
) -> Job:
    document = request.document()
    params = {"seed": request.seed, **model_type.effective(document["hyperparameters"], request.preset)}
    epochs = params.get("epochs")
    return Job(
        identifier,
        experiment_name=request.experiment_name,
        model_name=request.model_name if request.register_model else None,
        request=document,
        actor=actor,
        request_id=request_id,
        params=params,
        epochs=epochs if isinstance(epochs, int) else 1,
    )


@cache
def _submissions() -> Submissions:
    settings = TrainingSettings.from_environment()
    types = PublishedModelTypes.of_bucket(settings.artifact_bucket)
    governance = GovernanceTable.from_environment()
    return Submissions(settings, JobsTable.from_environment(), Batch.from_environment(), types, governance)
