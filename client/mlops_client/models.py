"""The API's answers as frozen records. Generated from openapi.json: change that, then run `make openapi`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mlops_client.states import HasEnded


@dataclass(frozen=True, kw_only=True)
class Artifact:
    path: str
    """Relative to the run; a logged model's files stand under its name"""
    size: int
    """Bytes"""


@dataclass(frozen=True, kw_only=True)
class BatchPrediction:
    predictions: list[int | str]
    confidences: list[float]
    model_name: str
    model_version: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class ComparedMetric:
    name: str
    values: dict[str, float | None]
    """By run id; null where the run has none"""
    differs: bool
    better: Literal["higher", "lower"] | None
    """By the name: lower for losses, errors, times and sizes; null where it does not say"""
    best: str | None
    """The run that is best in this metric; null where nobody can say"""


@dataclass(frozen=True, kw_only=True)
class ComparedParam:
    name: str
    values: dict[str, str | None]
    """By run id; null where the run has none"""
    differs: bool


@dataclass(frozen=True, kw_only=True)
class Dependency:
    ok: bool
    detail: str
    age_seconds: float | None = None
    """Age of the Production manifest"""


@dataclass(frozen=True, kw_only=True)
class GateResult:
    check: str
    passed: bool
    detail: str
    kind: Literal["integrity", "metric"] = "integrity"


@dataclass(frozen=True, kw_only=True)
class Health:
    status: Literal["ok"]
    version: str


@dataclass(frozen=True, kw_only=True)
class LogLine:
    at: int
    """Milliseconds since 1970"""
    message: str


@dataclass(frozen=True, kw_only=True)
class MetricPoint:
    step: int
    value: float
    at: int
    """Milliseconds since 1970"""


@dataclass(frozen=True, kw_only=True)
class Model:
    name: str
    latest_version: int | None
    latest_stage: str | None
    production_version: int | None
    versions: int
    """How many versions the model has"""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    version: int
    stage: str
    run_id: str | None
    metrics: dict[str, float]
    sha256: str | None
    created_at: str


@dataclass(frozen=True, kw_only=True)
class Prediction:
    prediction: int | str
    """The label of the likeliest class"""
    confidence: float
    """That class's probability"""
    probabilities: list[float]
    """One a class, in the model's own order of labels"""
    model_name: str
    model_version: int
    model_stage: Literal["Production", "Staging"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    epoch: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Ready:
    status: Literal["ready", "degraded"]
    dependencies: dict[str, Dependency]


@dataclass(frozen=True, kw_only=True)
class Run:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RunDetail:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]
    status: Literal["running", "scheduled", "finished", "failed", "killed"]
    started_at: str | None
    ended_at: str | None
    experiment_id: str
    experiment_name: str
    tags: dict[str, str]
    artifacts: list[Artifact]
    metric_history: dict[str, list[MetricPoint]]
    """At most some 500 points a metric, evenly taken"""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    run_id: str
    run_name: str | None
    metrics: dict[str, float]
    params: dict[str, str]
    status: Literal["running", "scheduled", "finished", "failed", "killed"]
    started_at: str | None
    ended_at: str | None


@dataclass(frozen=True, kw_only=True)
class SignalResult:
    signal: Literal["predictions", "confidence", "mean_intensity", "ink_share", "block_means"]
    psi: float
    """Population stability index; for block means, Jeffreys' divergence"""
    p_value: float
    """Probability of a PSI at least this high when there is no drift"""
    significant: bool
    """Whether the p-value is below alpha, divided by the number of comparisons"""
    status: Literal["insufficient_data", "stable", "warning", "alert"]


@dataclass(frozen=True, kw_only=True)
class SweepAccepted:
    sweep_id: str
    job_ids: list[str]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    warning: float
    """PSI at or above which the status is warning"""
    alert: float
    """PSI at or above which the status is alert"""
    retrain: float
    """PSI at or above which drift may request a retrain"""
    alpha: float
    """Allowed chance of any false verdict in one check"""
    minimum_samples: int
    """Number of predictions below which there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class TrainAccepted:
    message: str
    job_id: str
    experiment_name: str
    status: Literal["pending", "running", "completed", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Transition:
    transition_id: str
    model_name: str
    version: int
    stage: str
    status: Literal["queued", "succeeded", "rejected", "failed"]
    actor: str
    created_at: str
    completed_at: str | None = None
    error: str | None = None
    force: bool = False
    from_stage: str | None = None
    gates: list[GateResult] = field(default_factory=list)
    kind: Literal["transition", "mend"] = "transition"
    """mend: reconcile repaired what was changed past the API"""
    reason: str | None = None
    replaced_version: int | None = None
    sha256: str | None = None
    """SHA-256 of the ONNX file that the gate admitted; the version is this file for ever"""


@dataclass(frozen=True, kw_only=True)
class Window:
    start: str
    """First hour, ISO 8601 in UTC"""
    end: str
    """End of the last hour; the baseline ends where the current window starts"""
    hours: int
    samples: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    experiment_id: str
    name: str
    runs: list[RunRow]
    params: list[ComparedParam]
    """Those that differ come first"""
    metrics: list[ComparedMetric]
    """Those that differ come first"""


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    against: Literal["reference", "baseline"]
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    samples: int
    """How many predictions the current window is compared with"""
    signals: list[SignalResult]
    note: str | None = None
    """Why there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class DriftPoint:
    start: str
    """ISO 8601 in UTC"""
    end: str
    """ISO 8601 in UTC; the last point ends with the current hour"""
    samples: int
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    psi: float | None
    """PSI of the signal that gave the status; null with insufficient data"""
    signal: str | None
    """The signal that gave the status"""
    signals: list[SignalResult]
    """Empty with insufficient data"""
    note: str | None
    """Why there is no verdict"""


@dataclass(frozen=True, kw_only=True)
class DriftStatus:
    model_name: str
    model_version: int
    status: Literal["insufficient_data", "stable", "warning", "alert"]
    psi: float | None
    """PSI of the signal that gave the status; null with insufficient data"""
    signal: str | None
    """The signal that gave the status"""
    against: Literal["reference", "baseline"] | None
    """The comparison that gave the status"""
    message: str
    thresholds: Thresholds
    comparisons: list[ComparisonResult]
    current: Window
    baseline: Window
    reference_samples: int
    current_distribution: dict[str, float]
    baseline_distribution: dict[str, float]
    reference_distribution: dict[str, float] | None
    """Class shares of the rows held out in training"""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    experiment_id: str
    name: str
    total_runs: int
    best_run: Run | None
    """The run of the highest accuracy"""


@dataclass(frozen=True, kw_only=True)
class Job(HasEnded):
    job_id: str
    experiment_name: str
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    progress: Progress
    created_at: str
    completed_at: str | None = None
    error: str | None = None
    """Why the job failed, AWS Batch's own reason included"""
    metrics: dict[str, float] = field(default_factory=dict)
    model_name: str | None = None
    model_version: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    started_at: str | None = None
    sweep_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelDetail:
    name: str
    production_version: int | None
    staging_version: int | None
    versions: list[ModelVersion]
    """The newest first"""
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class SweepState(HasEnded):
    sweep_id: str
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    experiment_name: str
    model_name: str
    num_runs: int
    runs: list[Job]
    """Ranked, the best first; those without an accuracy last"""
    created_at: str
    best: Job | None = None
    completed_at: str | None = None
    error: str | None = None
    model_version: int | None = None
    transition_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class DriftHistory:
    model_name: str
    model_version: int
    start: str
    """Start of the first point, ISO 8601 in UTC"""
    end: str
    """End of the last point"""
    step_hours: int
    """Hours that each point covers"""
    against: Literal["reference", "baseline"]
    """What every point is compared with; for a version without a reference, the 168 hours before `start`"""
    against_samples: int
    thresholds: Thresholds
    points: list[DriftPoint]
    """Oldest first, without gaps"""
