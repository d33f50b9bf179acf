"""The API's answers as frozen records. A test holds each to the schema of the same name in openapi.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class Health:
    status: str
    version: str


@dataclass(frozen=True)
class Dependency:
    ok: bool
    detail: str
    age_seconds: float | None = None


@dataclass(frozen=True)
class Ready:
    """`status` is ready or degraded; `dependencies` by name."""

    status: str
    dependencies: dict[str, Dependency]


@dataclass(frozen=True)
class TrainAccepted:
    message: str
    job_id: str
    experiment_name: str
    status: str


@dataclass(frozen=True)
class Progress:
    epoch: int
    epochs: int


@dataclass(frozen=True)
class Job:
    """A training run; `status` is pending, running, completed, failed or cancelled. Times are ISO 8601 in UTC."""

    job_id: str
    experiment_name: str
    status: str
    progress: Progress
    created_at: str
    run_id: str | None = None
    sweep_id: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    model_name: str | None = None
    model_version: int | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class LogLine:
    """`at` is milliseconds since 1970."""

    at: int
    message: str


@dataclass(frozen=True)
class SweepAccepted:
    sweep_id: str
    job_ids: list[str]


@dataclass(frozen=True)
class SweepState:
    """A sweep; `runs` are ranked, the best first."""

    sweep_id: str
    status: str
    experiment_name: str
    model_name: str
    num_runs: int
    runs: list[Job]
    created_at: str
    best: Job | None = None
    model_version: int | None = None
    transition_id: str | None = None
    completed_at: str | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class Run:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]


@dataclass(frozen=True)
class Experiment:
    """`best_run` is the run of the highest accuracy."""

    experiment_id: str
    name: str
    total_runs: int
    best_run: Run | None


@dataclass(frozen=True)
class RunRow(Run):
    """`status` is running, scheduled, finished, failed or killed."""

    status: str
    started_at: str | None
    ended_at: str | None


@dataclass(frozen=True)
class Artifact:
    """`path` is relative to the run; `size` in bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class MetricPoint:
    """`at` is milliseconds since 1970."""

    step: int
    value: float
    at: int


@dataclass(frozen=True)
class RunDetail(RunRow):
    experiment_id: str
    experiment_name: str
    tags: dict[str, str]
    artifacts: list[Artifact]
    metric_history: dict[str, list[MetricPoint]]


@dataclass(frozen=True)
class ComparedParam:
    """`values` by run id; None where the run has none."""

    name: str
    values: dict[str, str | None]
    differs: bool


@dataclass(frozen=True)
class ComparedMetric:
    """`values` by run id; `best` is the run that is best; `better` is higher or lower."""

    name: str
    values: dict[str, float | None]
    differs: bool
    better: str
    best: str | None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; what differs comes first."""

    experiment_id: str
    name: str
    runs: list[RunRow]
    params: list[ComparedParam]
    metrics: list[ComparedMetric]


@dataclass(frozen=True)
class Model:
    """A registered model; `versions` is how many versions it has."""

    name: str
    latest_version: int | None
    latest_stage: str | None
    production_version: int | None
    versions: int


@dataclass(frozen=True)
class ModelVersion:
    version: int
    stage: str
    run_id: str | None
    metrics: dict[str, float]
    sha256: str | None
    created_at: str


@dataclass(frozen=True)
class ModelDetail:
    """A model's versions with their stages, the newest first."""

    name: str
    production_version: int | None
    staging_version: int | None
    versions: list[ModelVersion]
    next_cursor: str | None = None


@dataclass(frozen=True)
class GateResult:
    """What one check of the gate found; `kind` is integrity or metric."""

    check: str
    passed: bool
    detail: str
    kind: str = "integrity"


@dataclass(frozen=True)
class Transition:
    """Who moved which version where, when and why; `status` is queued, succeeded, rejected or failed."""

    transition_id: str
    model_name: str
    version: int
    stage: str
    status: str
    actor: str
    created_at: str
    from_stage: str | None = None
    replaced_version: int | None = None
    reason: str | None = None
    force: bool = False
    gates: list[GateResult] = field(default_factory=list)
    error: str | None = None
    completed_at: str | None = None
    kind: str = "transition"


@dataclass(frozen=True)
class Prediction:
    """`probabilities` stand in the model's own order of labels."""

    prediction: int | str
    confidence: float
    probabilities: list[float]
    model_name: str
    model_version: int
    model_stage: str


@dataclass(frozen=True)
class BatchPrediction:
    """Predictions and confidences in the order of the inputs."""

    predictions: list[int | str]
    confidences: list[float]
    model_name: str
    model_version: int
    batch_size: int


@dataclass(frozen=True)
class Thresholds:
    warning: float
    alert: float
    retrain: float
    alpha: float
    minimum_samples: int


@dataclass(frozen=True)
class SignalResult:
    """PSI of one signal; `p_value` is the chance of at least this PSI with no drift at all."""

    signal: str
    psi: float
    p_value: float
    significant: bool
    status: str


@dataclass(frozen=True)
class ComparisonResult:
    """The current window against the reference or the baseline."""

    against: str
    status: str
    samples: int
    signals: list[SignalResult]
    note: str | None = None


@dataclass(frozen=True)
class Window:
    start: str
    end: str
    hours: int
    samples: int


@dataclass(frozen=True)
class DriftStatus:
    """`status` is stable, warning, alert or insufficient_data; distributions are class shares."""

    model_name: str
    model_version: int
    status: str
    psi: float | None
    signal: str | None
    against: str | None
    message: str
    thresholds: Thresholds
    comparisons: list[ComparisonResult]
    current: Window
    baseline: Window
    reference_samples: int
    current_distribution: dict[str, float]
    baseline_distribution: dict[str, float]
    reference_distribution: dict[str, float] | None


@dataclass(frozen=True)
class DriftPoint:
    """A window of the history; with insufficient data `psi` is None and `note` says why."""

    start: str
    end: str
    samples: int
    status: str
    psi: float | None
    signal: str | None
    signals: list[SignalResult]
    note: str | None


@dataclass(frozen=True)
class DriftHistory:
    """Drift over time, oldest point first; `against` is reference, or baseline for a version without one."""

    model_name: str
    model_version: int
    start: str
    end: str
    step_hours: int
    against: str
    against_samples: int
    thresholds: Thresholds
    points: list[DriftPoint]


SCHEMAS = {"Prediction": "PredictResponse", "BatchPrediction": "BatchPredictResponse"}
"""Records whose schema in openapi.json has another name."""
