"""The routes of training runs, people's own code, sweeps and model types: start, status, lists, logs, cancel; and notes
of runs. And the events that ask for retrains."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from mlops.api.auth import Caller, require, require_all, require_name
from mlops.api.http import CurrentCaller, ExperimentRef, IdempotencyKey, lambda_handler, request_id_of
from mlops.api.idempotency import once
from mlops.api.pagination import Cursor, SmallPageSize
from mlops.api.schemas.code import CodeUpload
from mlops.api.schemas.experiments import EditedRun, RunEdit
from mlops.api.schemas.model_types import ModelTypeList
from mlops.api.schemas.sweeps import SweepAccepted, SweepList, SweepRequest, SweepState
from mlops.api.schemas.training import Job, JobList, LogPage, StatusName, TrainAccepted
from mlops.aws.jobs_table import JobsTable
from mlops.domain import job
from mlops.domain.code_run import CodeUploadRequest, RunRequest
from mlops.domain.names import JobId, SweepId
from mlops.domain.training_request import TrainRequest
from mlops.registry.runs import Runs
from training.code_runs import CodeRuns
from training.progress import with_progress
from training.retraining import retrain
from training.run_edits import edit
from training.schedule import ScheduledRetrains
from training.submission import Submissions
from training.views import job_view, sweep_view

router = APIRouter(tags=["training"])
Asked = TypeVar("Asked", bound=BaseModel)
OWN_CODE = "own code, which can register a version of any model,"
Status = Annotated[StatusName | None, Query(description="Only runs with this status")]


def _started(
    start: Callable[[Asked, str, str], BaseModel],
    route: str,
    body: Asked,
    request: Request,
    caller: Caller,
    key: str | None,
) -> dict[str, Any]:
    """Start once what a request asks for, and return the answer as JSON."""
    return once(
        lambda: start(body, caller.name, request_id_of(request)).model_dump(mode="json"),
        caller=caller.name,
        route=route,
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )


@router.post("/train", status_code=202, response_model=TrainAccepted)
def start_training(body: TrainRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Start a training run. The answer comes at once; GET /train/status/{job_id} follows the run."""
    _require_names(caller, body.model_name, body.experiment_name)
    return _started(Submissions.from_environment().train, "train", body, request, caller, key)


@router.post("/code")
def upload_code(body: CodeUploadRequest, caller: CurrentCaller) -> CodeUpload:
    """Ask where to upload an archive of your own training code."""
    require_all(caller, OWN_CODE)
    return CodeRuns.from_environment().upload(body)


@router.post("/runs", status_code=202, response_model=TrainAccepted)
def start_code_run(body: RunRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Run a script of your own training code. GET /train/status/{job_id} follows the run."""
    require_all(caller, OWN_CODE)
    return _started(CodeRuns.from_environment().start, "runs", body, request, caller, key)


@router.patch("/experiments/{experiment}/runs/{run_id}", tags=["experiments"])
def edit_run(experiment: ExperimentRef, run_id: str, body: RunEdit, caller: CurrentCaller) -> EditedRun:
    """Change the tags and the note of a run. What the request leaves out stays as it is."""
    return edit(Runs.from_environment(), experiment, run_id, body, caller)


@router.get("/train/status/{job_id}")
def job_status(job_id: JobId, caller: CurrentCaller) -> Job:
    """Get a training run: its status, progress, metrics and parameters."""
    (current,) = with_progress([JobsTable.from_environment().job(job_id)])
    _require_names(caller, current.model_name, current.experiment_name)
    return job_view(current)


@router.get("/train/jobs")
def list_jobs(
    caller: CurrentCaller, status: Status = None, limit: SmallPageSize = 50, cursor: Cursor = None
) -> JobList:
    """List the training runs of models and experiments that the key is for, newest first."""
    wanted = job.JobStatus(status) if status else None
    page = JobsTable.from_environment().page(job.Job, wanted, limit, cursor, caller.models)
    jobs = [job_view(record) for record in with_progress(page.records)]
    return JobList(jobs=jobs, total_count=page.total, next_cursor=page.next_cursor)


@router.get("/train/jobs/{job_id}/logs")
def job_logs(job_id: JobId, caller: CurrentCaller, cursor: Cursor = None) -> LogPage:
    """Read the log of a training run. To follow it, ask again with `next_cursor`."""
    _require_job(caller, job_id)
    lines, next_cursor = Submissions.from_environment().logs(job_id, cursor)
    return LogPage(lines=lines, next_cursor=next_cursor)


@router.delete("/train/jobs/{job_id}", status_code=202)
def cancel_job(job_id: JobId, caller: CurrentCaller) -> Job:
    """Cancel a training run that has not ended. Only an admin's key can cancel what another key has started."""
    _require_job(caller, job_id)
    Submissions.from_environment().cancel(job_id, caller)
    return job_status(job_id, caller)


@router.post("/sweeps", status_code=202, response_model=SweepAccepted)
def start_sweep(body: SweepRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Start a sweep: several training runs with different hyperparameters. `stage` needs the role `approve`."""
    _require_names(caller, body.model_name, body.experiment_name)
    if body.stage is not None:
        require(caller, "approve", "`stage`, which promotes the best model,")
    sweep = partial(Submissions.from_environment().sweep, owner=caller.owner)
    return _started(sweep, "sweeps", body, request, caller, key)


@router.get("/model-types", response_model=ModelTypeList)
def model_types() -> Any:
    """List the model types that can be trained, each with its tasks, its hyperparameters and what sweeps try."""
    return Submissions.from_environment().model_types().model_dump(mode="json")


@router.get("/sweeps")
def list_sweeps(caller: CurrentCaller, limit: SmallPageSize = 20, cursor: Cursor = None) -> SweepList:
    """List the sweeps of models that the key is for, newest first, each with its runs ranked by its objective."""
    jobs = JobsTable.from_environment()
    page = jobs.page(job.Sweep, None, limit, cursor, caller.models)
    sweeps = [sweep_view(sweep, jobs.get_many(sweep.job_ids)) for sweep in page.records]
    return SweepList(sweeps=sweeps, total_count=page.total, next_cursor=page.next_cursor)


@router.get("/sweeps/{sweep_id}")
def sweep_status(sweep_id: SweepId, caller: CurrentCaller) -> SweepState:
    """Get a sweep, with its runs ranked by its objective."""
    jobs = JobsTable.from_environment()
    sweep = jobs.sweep(sweep_id)
    _require_names(caller, sweep.model_name, sweep.experiment_name)
    return sweep_view(sweep, jobs.get_many(sweep.job_ids))


@router.delete("/sweeps/{sweep_id}", status_code=202)
def cancel_sweep(sweep_id: SweepId, caller: CurrentCaller) -> SweepState:
    """Cancel the runs of a sweep that have not ended. Only an admin's key can cancel what another key has started."""
    _require_job(caller, sweep_id)
    Submissions.from_environment().cancel(sweep_id, caller)
    return sweep_status(sweep_id, caller)


def _require_job(caller: Caller, identifier: str) -> None:
    """Check that the key is for a run or a sweep. Raises NotFound, Forbidden."""
    record = JobsTable.from_environment().get(identifier)
    _require_names(caller, record.model_name, record.experiment_name)


def _require_names(caller: Caller, model_name: str | None, experiment_name: str) -> None:
    """Check that the key is for the model, if there is one, and for the experiment. Raises Forbidden."""
    if model_name:
        require_name(caller, model_name)
    require_name(caller, experiment_name, "experiment")


def on_event(event: dict[str, Any], context: Any) -> Any:
    """Carry out an event: of a schedule, whose detail names `models`, or one that asks for the retrain of a model."""
    if "models" in event["detail"]:
        return {"requested": ScheduledRetrains.from_environment().request(event["detail"])}
    return retrain(event, context)


handler = lambda_handler(router, changes="train", on_event=on_event)
