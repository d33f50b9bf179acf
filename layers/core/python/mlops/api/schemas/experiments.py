"""Experiments, runs and their comparison."""

from typing import Literal

from pydantic import BaseModel, Field

from mlops.domain.metric_kinds import MetricKind
from mlops.domain.objective import Direction


class Run(BaseModel):
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]


class Experiment(BaseModel):
    experiment_id: str
    name: str
    total_runs: int
    best_run: Run | None = Field(description="The run of the highest accuracy")


class ExperimentList(BaseModel):
    experiments: list[Experiment]
    total_count: int
    next_cursor: str | None = None


RunStatus = Literal["running", "scheduled", "finished", "failed", "killed"]


class RunRow(Run):
    status: RunStatus
    started_at: str | None = Field(description="ISO 8601; null where MLflow has none, or a number that is no date")
    ended_at: str | None = Field(description="ISO 8601; null while it runs, or where the number is no date")
    own_metrics: list[str] = Field(
        default=[], description="Names of the metrics that the platform's trainer does not log: the run's own"
    )


class RunList(BaseModel):
    experiment_id: str
    name: str
    runs: list[RunRow]
    total_count: int
    next_cursor: str | None = None


class Artifact(BaseModel):
    path: str = Field(description="Relative to the run; a logged model's files stand under its name")
    size: int = Field(description="Bytes")


class MetricPoint(BaseModel):
    step: int
    value: float
    at: int = Field(description="Milliseconds since 1970")


class RunDetail(RunRow):
    experiment_id: str
    experiment_name: str
    tags: dict[str, str]
    artifacts: list[Artifact]
    metric_history: dict[str, list[MetricPoint]] = Field(description="At most some 500 points a metric, evenly taken")


class ComparedParam(BaseModel):
    name: str
    values: dict[str, str | None] = Field(description="By run id; null where the run has none")
    differs: bool


class ComparedMetric(BaseModel):
    name: str
    values: dict[str, float | None] = Field(description="By run id; null where the run has none")
    differs: bool
    kind: MetricKind = Field(description="own: logged by the run itself; the trainer logs all other kinds")
    better: Direction | None = Field(
        description="By the name: lower for losses, errors, times and sizes; null where it does not say"
    )
    best: str | None = Field(description="The run that is best in this metric; null where nobody can say")


class Comparison(BaseModel):
    experiment_id: str
    name: str
    runs: list[RunRow]
    params: list[ComparedParam] = Field(description="Those that differ come first")
    metrics: list[ComparedMetric] = Field(description="Those that differ come first")
