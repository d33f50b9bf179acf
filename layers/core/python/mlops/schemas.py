"""Requests and responses of the HTTP API. The bounds stand here once: the API, the trainer's command line and
openapi.json all take them from these models."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlops.objective import Direction

MAX_SEED = 2**31 - 1
RESERVED_MODEL_NAMES = frozenset({"transition", "transitions"})
DEFAULT_MODEL_NAME = "digit-classifier"
DEFAULT_EXPERIMENT = "digit-classification"

ModelName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Name of a registered model")
]
ExperimentName = Annotated[str, Field(pattern=r"^[^\x00-\x1f/]{1,200}$", description="Name of an MLflow experiment")]
JobId = Annotated[str, Field(pattern=r"^job_[0-9]{6,}$")]
SweepId = Annotated[str, Field(pattern=r"^sweep_[0-9]{6,}$")]
JobStatus = Literal["pending", "running", "completed", "failed", "cancelled"]


class Request(BaseModel):
    """Base of request bodies: unknown fields, NaN, infinities, and strings or booleans for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Hyperparameters(Request):
    learning_rate: Annotated[float, Field(ge=1e-5, le=1, description="Peak learning rate")] = 0.001
    epochs: Annotated[int, Field(ge=1, le=100)] = 10
    batch_size: Annotated[int, Field(ge=8, le=512)] = 64
    hidden_size: Annotated[int, Field(ge=32, le=512, description="Units of the hidden layer")] = 128
    dropout: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed gives the same model")] = 42


HYPERPARAMETER_FIELDS = tuple(Hyperparameters.model_fields)


class TrainingSubject(Request):
    """What is trained on what: shared by a single run and a sweep."""

    model_type: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="mlp, cnn, logistic_regression, …")
    ] = "mlp"
    dataset: Annotated[
        str,
        Field(
            pattern=r"^(digits|mnist|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|https://[^/\s]+/\S+)$",
            max_length=1000,
            description="digits, mnist, or the s3:// or https:// address of an npz or CSV file",
        ),
    ] = "digits"
    experiment_name: ExperimentName = DEFAULT_EXPERIMENT
    model_name: ModelName = DEFAULT_MODEL_NAME

    @field_validator("model_name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_MODEL_NAMES:
            raise ValueError(f"{name!r} is reserved; choose another name")
        return name


class TrainRequest(TrainingSubject, Hyperparameters):
    run_name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    register_model: Annotated[bool, Field(alias="register", description="Register the model when training is done")] = (
        True
    )

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class TrainAccepted(BaseModel):
    message: str
    job_id: str
    experiment_name: str
    status: JobStatus


class Progress(BaseModel):
    epoch: int
    epochs: int


class Job(BaseModel):
    job_id: str
    run_id: str | None = None
    sweep_id: str | None = None
    experiment_name: str
    status: JobStatus
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


class Range(Request):
    """A range to draw from; `log` draws evenly in the logarithm, as is usual for learning rates."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 for a logarithmic range")
        return self


Space = dict[str, Annotated[list[float], Field(min_length=1, max_length=100)] | Range]
"""Hyperparameter name → the values to try, or a range to draw from (random strategy only)."""


class LogLine(BaseModel):
    at: int = Field(description="Milliseconds since 1970")
    message: str


class LogPage(BaseModel):
    lines: list[LogLine]
    next_cursor: str | None = None


class SweepRequest(TrainingSubject):
    num_runs: Annotated[int, Field(ge=1, le=100)] = 10
    strategy: Literal["random", "grid"] = "random"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 42
    epochs: Annotated[int, Field(ge=1, le=100)] = 10
    space: Annotated[
        Space,
        Field(description="Hyperparameter → values to try, or {low, high, log}; empty means the default space"),
    ] = {}
    register_best: Annotated[bool, Field(description="Register the best run's model when the sweep has ended")] = True
    stage: Annotated[Literal["Staging", "Production"] | None, Field(description="Promote the best to this stage")] = (
        None
    )


class SweepAccepted(BaseModel):
    sweep_id: str
    job_ids: list[str]


class SweepState(BaseModel):
    sweep_id: str
    status: JobStatus
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
    started_at: str | None
    ended_at: str | None


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


class ModelVersion(BaseModel):
    version: int
    stage: str
    run_id: str | None
    metrics: dict[str, float]
    sha256: str | None
    created_at: str


class Model(BaseModel):
    name: str
    latest_version: int | None
    latest_stage: str | None
    production_version: int | None
    versions: int = Field(description="How many versions the model has")


class ModelList(BaseModel):
    models: list[Model]
    total_count: int
    next_cursor: str | None = None


class ModelDetail(BaseModel):
    name: str
    production_version: int | None
    staging_version: int | None
    versions: list[ModelVersion] = Field(description="The newest first")
    next_cursor: str | None = None


class TransitionRequest(Request):
    model_name: ModelName
    version: Annotated[int, Field(ge=1)]
    stage: Literal["Staging", "Production", "Archived"]
    reason: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
    force: Annotated[bool, Field(description="Go past the metric gates, with a reason; never past integrity")] = False


class GateResult(BaseModel):
    check: str
    passed: bool
    detail: str
    kind: Literal["integrity", "metric"] = "integrity"


class Transition(BaseModel):
    transition_id: str
    kind: Literal["transition", "mend"] = Field(
        default="transition", description="mend: what reconcile found changed past the API, and what came of it"
    )
    model_name: str
    version: int
    stage: str
    status: Literal["queued", "succeeded", "rejected", "failed"]
    from_stage: str | None = None
    replaced_version: int | None = None
    actor: str
    reason: str | None = None
    force: bool = False
    gates: list[GateResult] = []
    error: str | None = None
    created_at: str
    completed_at: str | None = None


class TransitionHistory(BaseModel):
    transitions: list[Transition]
    next_cursor: str | None = None


class RollbackRequest(Request):
    reason: Annotated[str | None, Field(min_length=1, max_length=1000)] = None


class Health(BaseModel):
    status: Literal["ok"]
    version: str


class Dependency(BaseModel):
    ok: bool
    detail: str
    age_seconds: float | None = Field(default=None, description="Age of the Production manifest")


class Ready(BaseModel):
    status: Literal["ready", "degraded"]
    dependencies: dict[str, Dependency]
