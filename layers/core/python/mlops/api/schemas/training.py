"""The responses of the training routes."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from mlops.api.schemas.objectives import Objective

StatusName = Literal["pending", "running", "completed", "failed", "cancelled", "pruned"]
"""The values of `mlops.domain.job.JobStatus`, spelt out for the published schema."""


class TrainAccepted(BaseModel):
    message: str = Field(description="Where to follow the run")
    job_id: str
    experiment_name: str
    status: StatusName


class Progress(BaseModel):
    epoch: int = Field(description="Epochs completed")
    epochs: int = Field(description="Number of epochs; 0 if it is not known, as of your own code that does not say it")


class Job(BaseModel):
    job_id: str
    run_id: str | None = Field(default=None, description="Id of the MLflow run; null until it has started")
    sweep_id: str | None = Field(default=None, description="The sweep that the run belongs to")
    experiment_name: str
    status: StatusName
    progress: Progress
    metrics: dict[str, float] = {}
    objective: Objective | None = Field(
        default=None,
        description="The metric that says how good the run is; null if this version of the platform does not know it",
    )
    params: dict[str, Any] = {}
    model_name: str | None = Field(
        default=None, description="Name of the registered model to which the run adds a version"
    )
    model_version: int | None = Field(default=None, description="The version that the run has registered")
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    cost_usd: float | None = Field(
        default=None,
        description="What it has cost on AWS in US dollars, by list prices; null if it has not ended",
    )
    error: str | None = Field(
        default=None, description="The reason, if the run failed, was cancelled or was pruned, with that of AWS Batch"
    )


class JobList(BaseModel):
    jobs: list[Job]
    total_count: int
    next_cursor: str | None = None


class LogLine(BaseModel):
    at: int = Field(description="Time in milliseconds since 1970, UTC")
    message: str


class LogPage(BaseModel):
    lines: list[LogLine]
    next_cursor: str | None = Field(
        default=None, description="Send it as `cursor` to read the following lines, also lines that are written later"
    )
