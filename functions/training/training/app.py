"""POST /train and /sweeps, and what became of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from mlops.api.http import CurrentCaller, IdempotencyKey, lambda_handler
from mlops.api.idempotency import once
from mlops.api.schemas.sweeps import SweepAccepted, SweepList, SweepRequest, SweepState
from mlops.api.schemas.training import Job, JobList, LogPage, TrainAccepted
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import JobStatus
from mlops.domain.names import JobId, SweepId
from mlops.domain.training_request import TrainRequest
from training.retraining import retrain
from training.submission import Submissions, job_view, sweep_view

router = APIRouter(tags=["training"])
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query(max_length=2000)]


@router.post("/train", status_code=202, response_model=TrainAccepted)
def start_training(body: TrainRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Start a training run on AWS Batch."""
    return once(
        lambda: Submissions.from_environment().train(body, caller.name, _request_id(request)),
        caller=caller.name,
        route="train",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )


@router.get("/train/status/{job_id}")
def job_status(job_id: JobId) -> Job:
    """How far a training run is."""
    return job_view(JobsTable.from_environment().get(job_id))


@router.get("/train/jobs")
def list_jobs(status: JobStatus | None = None, limit: Limit = 50, cursor: Cursor = None) -> JobList:
    """Training runs, the newest first."""
    items, total, following = JobsTable.from_environment().page("job", status, limit, cursor)
    return JobList(jobs=[job_view(item) for item in items], total_count=total, next_cursor=following)


@router.get("/train/jobs/{job_id}/logs")
def job_logs(job_id: JobId, cursor: Cursor = None) -> LogPage:
    """What a training run has written so far; `next_cursor` reads on from there."""
    lines, following = Submissions.from_environment().logs(job_id, cursor)
    return LogPage(lines=lines, next_cursor=following)


@router.delete("/train/jobs/{job_id}", status_code=202)
def cancel_job(job_id: JobId) -> Job:
    """Cancel a training run."""
    return job_view(Submissions.from_environment().cancel(job_id))


@router.post("/sweeps", status_code=202, response_model=SweepAccepted)
def start_sweep(body: SweepRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> Any:
    """Start several runs of different hyperparameters, as one array job."""
    return once(
        lambda: Submissions.from_environment().sweep(body, caller.name, _request_id(request)),
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
    items, total, following = jobs.page("sweep", None, limit, cursor)
    sweeps = [sweep_view(item, jobs.get_many(item["job_ids"])) for item in items]
    return SweepList(sweeps=sweeps, total_count=total, next_cursor=following)


@router.get("/sweeps/{sweep_id}")
def sweep_status(sweep_id: SweepId) -> SweepState:
    """How far a sweep is, its runs ranked."""
    jobs = JobsTable.from_environment()
    item = jobs.get(sweep_id)
    return sweep_view(item, jobs.get_many(item["job_ids"]))


@router.delete("/sweeps/{sweep_id}", status_code=202)
def cancel_sweep(sweep_id: SweepId) -> SweepState:
    """Cancel what still runs of a sweep."""
    jobs = JobsTable.from_environment()
    item = Submissions.from_environment().cancel(sweep_id)
    return sweep_view(item, jobs.get_many(item["job_ids"]))


def _request_id(request: Request) -> str:
    request_id: str = request.scope["aws.event"]["requestContext"]["requestId"]
    return request_id


handler = lambda_handler(router, on_event=retrain)
