"""Training jobs, as POST /train and GET /train/… answer them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

StatusName = Literal["pending", "running", "completed", "failed", "cancelled"]
"""The values of `mlops.domain.job.JobStatus`: the published schema names them in place."""


class TrainAccepted(BaseModel):
    message: str
    job_id: str
    experiment_name: str
    status: StatusName


class Progress(BaseModel):
    epoch: int
    epochs: int


class Job(BaseModel):
    job_id: str
    run_id: str | None = None
    sweep_id: str | None = None
    experiment_name: str
    status: StatusName
    progress: Progress
    metrics: dict[str, float] = {}
    params: dict[str, Any] = {}
    model_name: str | None = None
    model_version: int | None = None
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = Field(default=None, description="Why the job failed, AWS Batch's own reason included")


class JobList(BaseModel):
    jobs: list[Job]
    total_count: int
    next_cursor: str | None = None


class LogLine(BaseModel):
    at: int = Field(description="Milliseconds since 1970")
    message: str


class LogPage(BaseModel):
    lines: list[LogLine]
    next_cursor: str | None = None
