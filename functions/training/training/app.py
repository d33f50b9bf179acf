"""POST /train and /sweeps, and what became of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from mlops.api.http import CurrentCaller, IdempotencyKey, lambda_handler
from mlops.api.idempotency import once
from mlops.api.schemas.sweeps import SweepAccepted, SweepList, SweepRequest, SweepState
from mlops.api.schemas.training import Job, JobList, LogPage, StatusName, TrainAccepted
from mlops.aws.jobs_table import JobsTable
from mlops.domain import job
from mlops.domain.names import JobId, SweepId
from mlops.domain.training_request import TrainRequest
from training.retraining import retrain
from training.submission import Submissions
from training.views import job_view, sweep_view

router = APIRouter(tags=["training"])
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=2000)]


@router.post("/train", status_code=202, response_model=TrainAccepted)
def start_training(body: TrainRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Start a training run on AWS Batch."""
    return once(
        lambda: Submissions.from_environment().train(body, caller.name, _request_id(request)).model_dump(mode="json"),
        caller=caller.name,
        route="train",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )


@router.get("/train/status/{job_id}")
def job_status(job_id: JobId) -> Job:
    """How far a training run is."""
    return job_view(JobsTable.from_environment().job(job_id))


@router.get("/train/jobs")
def list_jobs(status: StatusName | None = None, limit: Limit = 50, cursor: Cursor = None) -> JobList:
    """Training runs, the newest first."""
    page = JobsTable.from_environment().page(job.Job, job.JobStatus(status) if status else None, limit, cursor)
    return JobList(
        jobs=[job_view(record) for record in page.records], total_count=page.total, next_cursor=page.next_cursor
    )


@router.get("/train/jobs/{job_id}/logs")
def job_logs(job_id: JobId, cursor: Cursor = None) -> LogPage:
    """What a training run has written so far; `next_cursor` reads on from there."""
    lines, next_cursor = Submissions.from_environment().logs(job_id, cursor)
    return LogPage(lines=lines, next_cursor=next_cursor)


@router.delete("/train/jobs/{job_id}", status_code=202)
def cancel_job(job_id: JobId) -> Job:
    """Cancel a training run."""
    Submissions.from_environment().cancel(job_id)
    return job_status(job_id)


@router.post("/sweeps", status_code=202, response_model=SweepAccepted)
def start_sweep(body: SweepRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Start several runs of different hyperparameters, as one array job."""
    return once(
        lambda: Submissions.from_environment().sweep(body, caller.name, _request_id(request)).model_dump(mode="json"),
        caller=caller.name,
        route="sweeps",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )


@router.get("/sweeps")
def list_sweeps(limit: Limit = 20, cursor: Cursor = None) -> SweepList:
    """Sweeps, the newest first, each with its runs ranked."""
    jobs = JobsTable.from_environment()
    page = jobs.page(job.Sweep, None, limit, cursor)
    sweeps = [sweep_view(sweep, jobs.get_many(sweep.job_ids)) for sweep in page.records]
    return SweepList(sweeps=sweeps, total_count=page.total, next_cursor=page.next_cursor)


@router.get("/sweeps/{sweep_id}")
def sweep_status(sweep_id: SweepId) -> SweepState:
    """How far a sweep is, its runs ranked."""
    jobs = JobsTable.from_environment()
    sweep = jobs.sweep(sweep_id)
    return sweep_view(sweep, jobs.get_many(sweep.job_ids))


@router.delete("/sweeps/{sweep_id}", status_code=202)
def cancel_sweep(sweep_id: SweepId) -> SweepState:
    """Cancel what still runs of a sweep."""
    Submissions.from_environment().cancel(sweep_id)
    return sweep_status(sweep_id)


def _request_id(request: Request) -> str:
    request_id: str = request.scope["aws.event"]["requestContext"]["requestId"]
    return request_id


handler = lambda_handler(router, on_event=retrain)
