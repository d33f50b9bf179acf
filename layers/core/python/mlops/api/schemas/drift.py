"""Responses of the drift routes."""

from typing import Literal

from pydantic import BaseModel, Field

VerdictName = Literal["insufficient_data", "stable", "warning", "alert"]
Shares = dict[str, float]


class Thresholds(BaseModel):
    warning: float = Field(description="PSI at or above which the status is warning")
    alert: float = Field(description="PSI at or above which the status is alert")
    retrain: float = Field(description="PSI at or above which drift may request a retrain")
    alpha: float = Field(description="Allowed probability of a false verdict in one check")
    minimum_samples: int = Field(description="Number of predictions below which there is no verdict")
    share_warning: float = Field(description="Growth of the share of missing, unseen or out-of-range values: warning")
    share_alert: float = Field(description="Growth of such a share from which the status is alert")
    columns_alpha: float = Field(description="Allowed probability of a false verdict on any column in 30 days")


class SignalResult(BaseModel):
    signal: Literal["predictions", "confidence", "mean_intensity", "ink_share", "block_means"]
    psi: float = Field(ge=0, description="Population stability index; for block means, Jeffreys' divergence")
    p_value: float = Field(ge=0, le=1, description="Probability of a PSI at least this high if there is no drift")
    significant: bool = Field(description="Whether the p-value is below alpha, divided by the number of comparisons")
    status: VerdictName


class ComparisonResult(BaseModel):
    against: Literal["reference", "baseline"] = Field(
        description="reference: the rows held out in training; baseline: the hours before the current window"
    )
    status: VerdictName
    samples: int = Field(
        description="Number of predictions, or of held-out rows, that the current window is compared with"
    )
    signals: list[SignalResult]
    note: str | None = Field(default=None, description="The reason, if there is no verdict")


class ColumnResult(BaseModel):
    name: str
    role: Literal["input", "prediction"] = Field(description="prediction: the answers of a model of a quantity")
    kind: Literal["number", "boolean", "category", "presence"] = Field(
        description="How values are counted; presence: only whether there is one, as of datetimes"
    )
    status: VerdictName
    changes: list[Literal["missing", "unseen", "below_range", "above_range", "distribution"]] = Field(
        description="What gave the status"
    )
    message: str | None = Field(description="What happened, in a sentence; null if the column is stable")
    psi: float = Field(ge=0, description="Population stability index, less what chance alone gives on average")
    raw_psi: float | None = Field(
        description="That of the bins as they are, without smoothing; null if it is infinite, because a bin is empty"
    )
    p_value: float = Field(ge=0, le=1, description="Probability of such a PSI if there is no drift")
    missing: float = Field(description="Share of the rows without a value")
    reference_missing: float
    unseen: float | None = Field(description="Share of the rows with a category that training did not see")
    reference_unseen: float | None
    below_range: float | None = Field(description="Share of the rows with a number below the training range")
    above_range: float | None = Field(description="Share of the rows with a number above the training range")


class ColumnsResult(BaseModel):
    """The columns of a table model against the held-out rows."""

    status: VerdictName
    rows: int = Field(description="Counted rows of the current window; of a busy hour not every row is counted")
    reference_rows: int = Field(description="Number of rows held out in training; 0 if there is no reference")
    watched: int = Field(description="Number of columns that are watched")
    moved: int = Field(description="Number of columns with a warning or an alert")
    columns: list[ColumnResult] = Field(description="The 20 columns that moved most, in this order")
    note: str | None = Field(description="The reason, if there is no verdict")


class ColumnDetail(ColumnResult):
    bins: list[str] = Field(description="Names of the bins: missing, then ranges of numbers, or categories")
    counts: list[int] = Field(description="Rows of the current window by bin")
    reference_counts: list[int] = Field(description="Held-out rows by bin")


class Window(BaseModel):
    start: str = Field(description="First hour, ISO 8601 in UTC")
    end: str = Field(description="End of the last hour; the baseline ends where the current window starts")
    hours: int
    samples: int = Field(description="Number of predictions")


class DriftStatus(BaseModel):
    model_name: str
    model_version: int
    status: VerdictName
    psi: float | None = Field(description="PSI of the signal that gave the status; null with insufficient data")
    signal: str | None = Field(description="The signal that gave the status")
    column: str | None = Field(description="The column that gave the status, alone or with a signal")
    against: Literal["reference", "baseline"] | None = Field(description="The comparison that gave the status")
    message: str = Field(description="The result in a sentence")
    thresholds: Thresholds
    comparisons: list[ComparisonResult]
    columns: ColumnsResult | None = Field(description="Null for models of images and vectors")
    current: Window
    baseline: Window
    reference_samples: int = Field(description="Number of rows held out in training; 0 if there is no reference")
    current_distribution: Shares = Field(description="Share of each class in the current window")
    baseline_distribution: Shares = Field(description="Share of each class in the baseline")
    reference_distribution: Shares | None = Field(description="Share of each class among the rows held out in training")


class DriftColumns(BaseModel):
    model_name: str
    model_version: int
    status: VerdictName
    message: str = Field(description="The result in a sentence")
    thresholds: Thresholds
    current: Window
    rows: int = Field(description="Counted rows of the current window; of a busy hour not every row is counted")
    reference_rows: int = Field(description="Number of rows held out in training; 0 if there is no reference")
    columns: list[ColumnDetail] = Field(description="Those that moved most come first")


class ColumnMove(BaseModel):
    name: str
    status: VerdictName
    psi: float = Field(ge=0)
    message: str = Field(description="What happened, in a sentence")


class DriftPoint(BaseModel):
    start: str = Field(description="ISO 8601 in UTC")
    end: str = Field(description="ISO 8601 in UTC; the last point ends with the current hour")
    samples: int
    status: VerdictName
    psi: float | None = Field(description="PSI of the signal that gave the status; null with insufficient data")
    signal: str | None = Field(description="The signal that gave the status")
    column: str | None = Field(description="The column that gave the status, alone or with a signal")
    signals: list[SignalResult] = Field(description="Empty with insufficient data")
    columns: list[ColumnMove] = Field(description="Columns with a warning or an alert, at most 20")
    note: str | None = Field(description="The reason, if there is no verdict")


class DriftHistory(BaseModel):
    model_name: str
    model_version: int
    start: str = Field(description="Start of the first point, ISO 8601 in UTC")
    end: str = Field(description="End of the last point")
    step_hours: int = Field(description="Hours that each point covers")
    against: Literal["reference", "baseline"] = Field(
        description="What each point is compared with: the reference, or for a version without one the 168 hours "
        "before `start`"
    )
    against_samples: int = Field(description="Number of predictions or held-out rows that points are compared with")
    thresholds: Thresholds
    points: list[DriftPoint] = Field(description="Oldest first, without gaps")


class Bucketed(BaseModel):
    """A histogram: `counts[i]` values are at most `edges[i]`, and the last count is above the last edge."""

    edges: list[float]
    counts: list[int]


class ConfidenceStats(BaseModel):
    mean: float | None
    standard_deviation: float | None
    histogram: Bucketed


class LatencyStats(BaseModel):
    """Milliseconds in the function. The quantiles are estimates from the histogram."""

    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    histogram: Bucketed


class VersionStats(BaseModel):
    model_version: int
    stage: str
    predictions: int = Field(description="Number of inputs that were answered; a batch has several")
    requests: int
    cache_hits: int = Field(description="Requests that were answered from the response cache")
    confidence: ConfidenceStats
    latency: LatencyStats


class DriftStats(BaseModel):
    model_name: str
    hours: int
    total_predictions: int = Field(description="Number of inputs that were answered; a batch has several")
    total_requests: int
    cache_hits: int = Field(description="Requests that were answered from the response cache")
    confidence: ConfidenceStats
    latency: LatencyStats
    versions: list[VersionStats]


class ClassShare(BaseModel):
    label: str
    count: int
    share: float


class VersionDistribution(BaseModel):
    model_version: int
    stage: str
    samples: int
    classes: list[ClassShare]


class DriftDistribution(BaseModel):
    model_name: str
    hours: int
    samples: int
    distribution: list[ClassShare]
    versions: list[VersionDistribution]
    reference: Shares | None = Field(description="Share of each class in the reference of the Production version")
