"""Answers about drift: GET /drift/status and GET /drift/history."""

from functools import cache
from itertools import pairwise

from drift.settings import ReportSettings
from drift.windows import (
    Windows,
    drift_of,
    reference_of,
    samples_of,
    samples_of_steps,
    series_of,
    steps_ending_now,
)
from mlops.api.schemas.drift import (
    ComparisonResult,
    DriftHistory,
    DriftPoint,
    DriftStatus,
    SignalResult,
    Thresholds,
    Window,
)
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, hours_before
from mlops.domain.drift.counts import summary_of
from mlops.domain.drift.verdict import Against, Comparison, DriftThresholds, compare, not_compared

BASELINE_HOURS = 168
"""Hours before the first window with which a version without a reference is compared."""


class DriftReport:
    def __init__(
        self, stats: PredictionStats, served: ServedModels, thresholds: DriftThresholds, default_model: str
    ) -> None:
        self._stats, self._served, self._thresholds, self._default = stats, served, thresholds, default_model

    @classmethod
    def from_environment(cls) -> "DriftReport":
        return _report()

    def status(self, model_name: str | None, baseline_hours: int, current_hours: int) -> DriftStatus:
        """Compare the current window with the reference and with the baseline window. Raises NoModelInStage."""
        manifest = self._served.manifest(model_name or self._default)
        windows = Windows.ending_now(baseline_hours, current_hours)
        samples = samples_of(self._stats, manifest, windows)
        drift = drift_of(manifest, samples, self._thresholds)
        deciding, worst = drift.deciding, drift.worst
        return DriftStatus(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            status=drift.verdict.value,
            psi=round(worst.psi, 6) if worst else None,
            signal=worst.signal if worst else None,
            against=deciding.against if deciding else None,
            message=drift.message,
            thresholds=_thresholds(self._thresholds),
            comparisons=[_comparison(comparison) for comparison in drift.comparisons],
            current=_window(windows.current_start, windows.end, current_hours, samples.current.count),
            baseline=_window(windows.baseline_start, windows.current_start, baseline_hours, samples.baseline.count),
            reference_samples=samples.reference.count if samples.reference else 0,
            current_distribution=samples.current.shares(),
            baseline_distribution=samples.baseline.shares(),
            reference_distribution=samples.reference.shares() if samples.reference else None,
        )

    def history(self, model_name: str | None, hours: int, step_hours: int) -> DriftHistory:
        """Compare consecutive windows with the reference. Raises NoModelInStage."""
        manifest = self._served.manifest(model_name or self._default)
        series, bounds = series_of(manifest), steps_ending_now(hours, step_hours)
        against: Against = "reference"
        other = reference_of(manifest)
        if other is None:
            against = "baseline"
            first, last = (hours_before(bounds[0], ago) for ago in (BASELINE_HOURS, 1))
            other = summary_of(self._stats.window(series, first, last))
        samples = samples_of_steps(self._stats, series, bounds)
        return DriftHistory(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            start=_time(bounds[0]),
            end=_time(bounds[-1]),
            step_hours=step_hours,
            against=against,
            against_samples=other.count,
            thresholds=_thresholds(self._thresholds),
            points=[
                _point(
                    start,
                    end,
                    sample.count,
                    not_compared(against)
                    if manifest.predicts_quantity
                    else compare(against, sample, other, self._thresholds),
                )
                for (start, end), sample in zip(pairwise(bounds), samples, strict=True)
            ],
        )


def _comparison(comparison: Comparison) -> ComparisonResult:
    return ComparisonResult(
        against=comparison.against,
        status=comparison.verdict.value,
        samples=comparison.count,
        note=comparison.note,
        signals=_signals(comparison),
    )


def _point(start: str, end: str, samples: int, comparison: Comparison) -> DriftPoint:
    worst = comparison.worst
    return DriftPoint(
        start=_time(start),
        end=_time(end),
        samples=samples,
        status=comparison.verdict.value,
        psi=round(worst.psi, 6) if worst else None,
        signal=worst.signal if worst else None,
        signals=_signals(comparison),
        note=comparison.note,
    )


def _signals(comparison: Comparison) -> list[SignalResult]:
    return [
        SignalResult.model_validate(
            {
                "signal": drift.signal,
                "psi": round(drift.psi, 6),
                "p_value": drift.p_value,
                "significant": drift.significant,
                "status": drift.verdict.value,
            }
        )
        for drift in comparison.signals
    ]


def _thresholds(thresholds: DriftThresholds) -> Thresholds:
    return Thresholds(
        warning=thresholds.drift_warning,
        alert=thresholds.drift_alert,
        retrain=thresholds.drift_retrain,
        alpha=thresholds.drift_alpha,
        minimum_samples=thresholds.drift_minimum_samples,
    )


def _window(start: str, end: str, hours: int, samples: int) -> Window:
    return Window(start=_time(start), end=_time(end), hours=hours, samples=samples)


def _time(hour: str) -> str:
    return f"{hour}:00:00Z"


@cache
def _report() -> DriftReport:
    return DriftReport(
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        DriftThresholds.from_environment(),
        ReportSettings.from_environment().default_model_name,
    )
