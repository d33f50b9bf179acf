"""Sweeps: the request, and how a sweep stands."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mlops.api.schemas.training import Job, StatusName
from mlops.domain.training_request import MAX_SEED, Space, TrainingSubject


class SweepRequest(TrainingSubject):
    num_runs: Annotated[int, Field(ge=1, le=100)] = 10
    strategy: Literal["random", "grid"] = "random"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 42
    epochs: Annotated[int, Field(ge=1, le=100)] = 10
    space: Annotated[
        Space,
        Field(description="Hyperparameter → values to try, or {low, high, log}; empty means the default space"),
    ] = {}  # noqa: RUF012  pydantic copies defaults
    register_best: Annotated[bool, Field(description="Register the best run's model when the sweep has ended")] = True
    stage: Annotated[Literal["Staging", "Production"] | None, Field(description="Promote the best to this stage")] = (
        None
    )


class SweepAccepted(BaseModel):
    sweep_id: str
    job_ids: list[str]


class SweepState(BaseModel):
    sweep_id: str
    status: StatusName
    experiment_name: str
    model_name: str
    num_runs: int
    runs: list[Job] = Field(description="Ranked, the best first; those without an accuracy last")
    best: Job | None = None
    model_version: int | None = None
    transition_id: str | None = None
    created_at: str
    completed_at: str | None = None
    error: str | None = None


class SweepList(BaseModel):
    sweeps: list[SweepState]
    total_count: int
    next_cursor: str | None = None
