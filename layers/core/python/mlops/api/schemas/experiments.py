"""The responses of the experiment routes: experiments, runs and comparisons."""

from typing import Literal

from pydantic import BaseModel, Field

from mlops.api.schemas.objectives import Objective
from mlops.domain.metric_direction import Direction
from mlops.domain.metric_kinds import MetricKind


class Run(BaseModel):
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]


class Experiment(BaseModel):
    experiment_id: str
    name: str
    total_runs: int
    objective: Objective = Field(
        description="The objective of the newest run that has a value of its own objective; accuracy if none has"
    )
    best_run: Run | None = Field(description="The best of the runs with this objective")


class ExperimentList(BaseModel):
    experiments: list[Experiment]
    total_count: int
    next_cursor: str | None = None


RunStatus = Literal["running", "scheduled", "finished", "failed", "killed"]


class RunRow(Run):
    status: RunStatus
    started_at: str | None = Field(description="ISO 8601; null if MLflow has none, or no valid date")
    ended_at: str | None = Field(description="ISO 8601; null while it runs, or if MLflow has no valid date")
    own_metrics: list[str] = Field(
        default=[],
        description="Names of the metrics that the run has logged itself: all that the platform's trainer does not log",
    )
    objective: Objective | None = Field(
        default=None, description="The metric that says how good the run is; null if its direction is not known"
    )


class RunList(BaseModel):
    experiment_id: str
    name: str
    objective: Objective = Field(
        description="What `order_by=objective` orders by: the objective of the newest run that has a value of its own "
        "objective; accuracy if none has"
    )
    runs: list[RunRow]
    total_count: int
    next_cursor: str | None = None


class Artifact(BaseModel):
    path: str = Field(description="Path relative to the run. Files of a logged model are below the model's name")
    size: int = Field(description="Size in bytes")


class ArtifactFile(Artifact):
    url: str = Field(description="Where to GET the file, without a key, within an hour")


class ArtifactFileList(BaseModel):
    artifacts: list[ArtifactFile]


class MetricPoint(BaseModel):
    step: int
    value: float
    at: int = Field(description="Time in milliseconds since 1970, UTC")


class RunDetail(RunRow):
    experiment_id: str
    experiment_name: str
    tags: dict[str, str]
    artifacts: list[Artifact]
    metric_history: dict[str, list[MetricPoint]] = Field(
        description="Points by metric. A long history is thinned evenly to about 500 points"
    )


class ComparedParam(BaseModel):
    name: str
    values: dict[str, str | None] = Field(description="Values by run id; null if the run has none")
    differs: bool = Field(description="Whether the runs have different values")


class ComparedMetric(BaseModel):
    name: str
    values: dict[str, float | None] = Field(description="Values by run id; null if the run has none")
    differs: bool = Field(description="Whether the runs have different values")
    kind: MetricKind = Field(description="own: logged by the run itself. The platform's trainer logs all other kinds")
    better: Direction | None = Field(
        description="Whether higher or lower values are better, by the runs' objective or the metric's name; null if "
        "unknown"
    )
    best: str | None = Field(
        description="Id of the run with the best value; null if `better` is null or no run is best"
    )


class Comparison(BaseModel):
    experiment_id: str
    name: str
    runs: list[RunRow]
    params: list[ComparedParam] = Field(description="Those with different values come first")
    metrics: list[ComparedMetric] = Field(description="Those with different values come first")
