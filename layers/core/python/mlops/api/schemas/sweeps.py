"""The request and the responses of the sweep routes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from mlops.api.schemas.objectives import Objective
from mlops.api.schemas.training import Job, StatusName
from mlops.domain.job import LEARNING
from mlops.domain.sweep import DEFAULT_WORKERS, Strategy
from mlops.domain.training_request import MAX_SEED, Space, TrainingSubject


class SweepRequest(TrainingSubject):
    num_runs: Annotated[int, Field(ge=1, le=100, description="Number of runs; a grid has at most its combinations")] = (
        10
    )
    strategy: Annotated[
        Strategy,
        Field(
            description="random: draw values at random; grid: try every combination; tpe and gp: choose values by what "
            "the runs before have shown"
        ),
    ] = "random"
    workers: Annotated[
        int | None,
        Field(
            ge=1,
            le=100,
            description=f"For tpe and gp: how many runs train at the same time. Default: {DEFAULT_WORKERS}. The fewer, "
            "the more each run can learn from those before",
        ),
    ] = None
    prune: Annotated[
        bool,
        Field(
            description="For random, tpe and gp: end a run early if, from epoch 3 on, it is worse than the median of "
            "the others at the same epoch"
        ),
    ] = False
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed gives the same runs")] = 42
    epochs: Annotated[
        int, Field(ge=1, le=100, description="Short form for mlp and cnn: epochs of each run, unless `space` has some")
    ] = 10
    space: Annotated[
        Space,
        Field(
            max_length=100,
            description="The values to try of each hyperparameter, by the model type's own names: a list, or for the "
            "strategies random, tpe and gp a range {low, high, log}. Empty means the model type's default space, "
            "without what `hyperparameters` sets and what another task uses",
        ),
    ] = {}  # noqa: RUF012  pydantic copies defaults
    register_best: Annotated[bool, Field(description="Register the model of the best run when the sweep has ended")] = (
        True
    )
    stage: Annotated[
        Literal["Staging", "Production"] | None, Field(description="Request the best model's transition to this stage")
    ] = None

    @field_validator("workers")
    @classmethod
    def _for_those_that_learn(cls, workers: int | None, others: ValidationInfo) -> int | None:
        if workers is None or not {"num_runs", "strategy"} <= others.data.keys():  # those have errors of their own
            return workers
        if others.data["strategy"] not in LEARNING:
            raise ValueError(f"is for the strategies {' and '.join(LEARNING)}: set one of them, or leave it out")
        if workers > others.data["num_runs"]:
            raise ValueError(f"must be at most num_runs, which is {others.data['num_runs']}")
        return workers

    @property
    def processes(self) -> int:
        """The number of processes that do the runs of a sweep that learns."""
        return min(self.workers or DEFAULT_WORKERS, self.num_runs)

    @field_validator("prune")
    @classmethod
    def _not_for_grids(cls, prune: bool, others: ValidationInfo) -> bool:
        if prune and others.data.get("strategy") == "grid":
            raise ValueError("is for the strategies random, tpe and gp: a grid tries every combination to its end")
        return prune


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
        description="Ranks the runs on the rows for validation, as val_accuracy; a single run: accuracy. Null: unknown",
    )
    runs: list[Job] = Field(description="Ranked by the objective, the best first; runs without it come last")
    unranked: dict[str, str] = Field(
        default={}, description="Why runs that completed or were pruned have no rank, by job id"
    )
    best: Job | None = Field(default=None, description="The best run so far")
    model_version: int | None = Field(default=None, description="The version registered from the best run")
    transition_id: str | None = Field(default=None, description="The transition of that version to `stage`")
    created_at: str
    completed_at: str | None = None
    cost_usd: float | None = Field(
        default=None, description="What those of its runs that have ended have cost, estimated"
    )
    error: str | None = Field(default=None, description="The reason, if the sweep failed")


class SweepList(BaseModel):
    sweeps: list[SweepState]
    total_count: int
    next_cursor: str | None = None
