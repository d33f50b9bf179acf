"""The request and the responses of the sweep routes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mlops.api.schemas.objectives import Objective
from mlops.api.schemas.training import Job, StatusName
from mlops.domain.training_request import MAX_SEED, Space, TrainingSubject


class SweepRequest(TrainingSubject):
    num_runs: Annotated[int, Field(ge=1, le=100, description="Number of runs; a grid has at most its combinations")] = (
        10
    )
    strategy: Annotated[
        Literal["random", "grid"], Field(description="random: draw values at random; grid: try every combination")
    ] = "random"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed gives the same runs")] = 42
    epochs: Annotated[
        int, Field(ge=1, le=100, description="Short form for mlp and cnn: epochs of each run, unless `space` has some")
    ] = 10
    space: Annotated[
        Space,
        Field(
            max_length=100,
            description="The values to try of each hyperparameter, by the model type's own names: a list, or for the "
            "random strategy a range {low, high, log}. Empty means the model type's default space, without what "
            "`hyperparameters` sets and what another task uses",
        ),
    ] = {}  # noqa: RUF012  pydantic copies defaults
    register_best: Annotated[bool, Field(description="Register the model of the best run when the sweep has ended")] = (
        True
    )
    stage: Annotated[
        Literal["Staging", "Production"] | None, Field(description="Request the best model's transition to this stage")
    ] = None


class SweepAccepted(BaseModel):
    sweep_id: str
    job_ids: list[str]


class SweepState(BaseModel):
    sweep_id: str
    status: StatusName
    experiment_name: str
    model_name: str
    num_runs: int
    objective: Objective | None = Field(
        default=None,
        description="The metric that ranks the runs; null if this version of the platform does not know it",
    )
    runs: list[Job] = Field(description="Ranked by the objective, the best first; runs without it come last")
    unranked: dict[str, str] = Field(default={}, description="Why completed runs have no rank, by job id")
    best: Job | None = Field(default=None, description="The best run so far")
    model_version: int | None = Field(default=None, description="The version registered from the best run")
    transition_id: str | None = Field(default=None, description="The transition of that version to `stage`")
    created_at: str
    completed_at: str | None = None
    error: str | None = Field(default=None, description="The reason, if the sweep failed")


class SweepList(BaseModel):
    sweeps: list[SweepState]
    total_count: int
    next_cursor: str | None = None
