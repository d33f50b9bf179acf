"""The responses of the experiment routes: experiments, runs and comparisons."""

from posixpath import normpath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from mlops.api.schemas.objectives import Objective
from mlops.domain.metric_direction import Direction
from mlops.domain.metric_kinds import MetricKind
from mlops.domain.request import Request

MAX_TAG = 5000
"""Characters that a tag has in MLflow at most."""
RESERVED = ("mlflow.", "mlops.")
"""What the names of tags begin with that MLflow and the platform write themselves."""


def _free_name(name: str) -> str:
    """Return the name of a tag. Raises ValueError for one that is not for people, or that MLflow refuses."""
    if name.startswith(RESERVED):
        raise ValueError(
            f"has {name!r}: MLflow and the platform write the tags that begin with {' or '.join(RESERVED)} themselves; "
            "choose another name, and give a note as `note`"
        )
    if name.startswith(("/", "..")) or normpath(name) != name:
        raise ValueError(f"has {name!r}, which is no name for a tag: write it without . or .. between slashes")
    return name


RunTag = Annotated[str, Field(pattern=r"^[\w.\- :/]+$", max_length=250), AfterValidator(_free_name)]


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


class ArtifactContent(Artifact):
    media_type: str = Field(description="By the ending of the path, such as image/png")
    content: str = Field(description="The file in base64")


class ArtifactFileList(BaseModel):
    artifacts: list[ArtifactFile]


class MetricPoint(BaseModel):
    step: int
    value: float
    at: int = Field(description="Time in milliseconds since 1970, UTC")


class RunDataset(BaseModel):
    name: str
    digest: str = Field(
        description="Of the data, as the run has logged it: for the platform's trainer a SHA-256's beginning"
    )
    context: str | None = Field(default=None, description="What the run has used it for, such as training")


class RunVersion(BaseModel):
    model_name: str
    version: int
    stage: str = Field(description="Registered, Staging, Production or Archived")


class RunDetail(RunRow):
    experiment_id: str
    experiment_name: str
    tags: dict[str, str]
    artifacts: list[Artifact]
    datasets: list[RunDataset] = Field(default=[], description="The data that the run has read")
    versions: list[RunVersion] = Field(default=[], description="The versions that were registered from the run")
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


class DatasetRun(BaseModel):
    run_id: str
    run_name: str | None
    experiment_name: str
    status: RunStatus


class UsedDataset(BaseModel):
    name: str
    digest: str = Field(description="Of the data: other content has another digest")
    runs: int = Field(description="How many runs have used it")
    last_used_at: str | None = Field(description="Start of the newest of these runs; null if MLflow has no valid date")
    experiments: list[str]
    latest_runs: list[DatasetRun] = Field(description="The newest of its runs, at most five")
    deleted_at: str | None = Field(default=None, description="When its files and rows were deleted")


class DatasetList(BaseModel):
    datasets: list[UsedDataset]
    total_count: int
    next_cursor: str | None = None


class RunEdit(Request):
    """What is to change about a run. What is left out stays as it is."""

    tags: Annotated[
        dict[RunTag, Annotated[str, Field(max_length=MAX_TAG)] | None],
        Field(max_length=100, description="Values of tags by their names; null removes a tag"),
    ] = {}  # noqa: RUF012  pydantic copies defaults
    note: Annotated[
        str | None,
        Field(max_length=MAX_TAG, description="The note in Markdown, which MLflow shows too; empty removes it"),
    ] = None


class EditedRun(BaseModel):
    experiment_id: str
    run_id: str
    tags: dict[str, str] = Field(description="All tags of the run")
    note: str | None
