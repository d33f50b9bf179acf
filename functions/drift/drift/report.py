"""Answers about drift: GET /drift/status, /drift/columns and /drift/history."""

from functools import cache
from itertools import pairwise

from drift.column_report import column_detail, column_moves, columns_result
from drift.settings import ReportSettings, own_thresholds
from drift.windows import (
    Windows,
    columns_of,
    columns_of_steps,
    drift_of,
    reference_of,
    samples_of,
    samples_of_steps,
    series_of,
    steps_ending_now,
)
from mlops.api.schemas.drift import (
    ComparisonResult,
    DriftColumns,
    DriftHistory,
    DriftPoint,
    DriftStatus,
    SignalResult,
    Thresholds,
    Window,
)
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, hours_before
from mlops.domain.drift.column_words import sentence_of_all
from mlops.domain.drift.counts import summary_of
from mlops.domain.drift.verdict import Against, Comparison, Drift, DriftThresholds, compare, of_columns
from mlops.domain.errors import NotFound
from mlops.domain.model_settings import HasSettings

BASELINE_HOURS = 168
"""Hours before the first window with which a version without a reference is compared."""


class DriftReport:
    def __init__(
        self,
        stats: PredictionStats,
        served: ServedModels,
        thresholds: DriftThresholds,
        default_model: str,
        governance: HasSettings,
    ) -> None:
        self._stats, self._served, self._thresholds, self._default = stats, served, thresholds, default_model
        self._governance = governance

    @classmethod
    def from_environment(cls) -> "DriftReport":
        return _report()

    def _thresholds_of(self, model_name: str) -> DriftThresholds:
        return own_thresholds(self._thresholds, self._governance.settings(model_name).settings)

    def status(self, model_name: str | None, baseline_hours: int, current_hours: int) -> DriftStatus:
        """Compare the current window with the reference and with the baseline window. Raises NoModelInStage."""
        manifest = self._served.manifest(model_name or self._default)
        thresholds = self._thresholds_of(manifest.model_name)
        windows = Windows.ending_now(baseline_hours, current_hours)
        samples = samples_of(self._stats, manifest, windows)
        columns = columns_of(self._stats, manifest, windows.current_start, thresholds)
        drift = drift_of(manifest, samples, columns, thresholds)
        return DriftStatus(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            status=drift.verdict.value,
            psi=_psi(drift),
            signal=drift.worst.signal if drift.worst else None,
            column=drift.column.name if drift.column else None,
            against=drift.against,
            message=drift.message,
            thresholds=_thresholds(thresholds),
            comparisons=[_comparison(comparison) for comparison in drift.comparisons],
            columns=columns_result(drift.columns),
            current=_window(windows.current_start, windows.end, current_hours, samples.current.count),
            baseline=_window(windows.baseline_start, windows.current_start, baseline_hours, samples.baseline.count),
            reference_samples=samples.reference.count if samples.reference else 0,
            current_distribution=samples.current.shares(),
            baseline_distribution=samples.baseline.shares(),
            reference_distribution=samples.reference.shares() if samples.reference else None,
        )

    def columns(self, model_name: str | None, current_hours: int, column: str | None, moved: bool) -> DriftColumns:
        """Return columns with both histograms: all of them, a named one, or those that moved.

        Raises:
            NoModelInStage: No version is in Production.
            NotFound: The model has no columns, or none of that name is watched.
        """
        manifest = self._served.manifest(model_name or self._default)
        thresholds = self._thresholds_of(manifest.model_name)
        windows = Windows.ending_now(1, current_hours)
        drift = columns_of(self._stats, manifest, windows.current_start, thresholds)
        if drift is None:
            raise NotFound(f"{manifest.model_name} takes images or vectors, which have no columns; GET /drift/status")
        named = [entry for entry in (drift.moved if moved else drift.columns) if column in (None, entry.name)]
        if column is not None and drift.columns and column not in {entry.name for entry in drift.columns}:
            raise NotFound(f"{manifest.model_name} has no watched column of this name; leave column out to list them")
        return DriftColumns(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            status=drift.verdict.value,
            message=sentence_of_all(drift),
            thresholds=_thresholds(thresholds),
            current=_window(
                windows.current_start,
                windows.end,
                current_hours,
                self._stats.window(series_of(manifest), windows.current_start)["n"],
            ),
            rows=drift.rows,
            reference_rows=drift.reference_rows,
            columns=[column_detail(entry) for entry in named],
        )

    def history(self, model_name: str | None, hours: int, step_hours: int) -> DriftHistory:
        """Compare consecutive windows with the reference. Raises NoModelInStage."""
        manifest = self._served.manifest(model_name or self._default)
        thresholds = self._thresholds_of(manifest.model_name)
        series, bounds = series_of(manifest), steps_ending_now(hours, step_hours)
        against: Against = "reference"
        other = reference_of(manifest)
        if other is None:
            against = "baseline"
            first, last = (hours_before(bounds[0], ago) for ago in (BASELINE_HOURS, 1))
            other = summary_of(self._stats.window(series, first, last))
        samples = samples_of_steps(self._stats, series, bounds)
        columns = columns_of_steps(self._stats, manifest, bounds, thresholds)
        return DriftHistory(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            start=_time(bounds[0]),
            end=_time(bounds[-1]),
            step_hours=step_hours,
            against=against,
            against_samples=other.count,
            thresholds=_thresholds(thresholds),
            points=[
                _point(
                    start,
                    end,
                    of_columns(sample, compared)
                    if manifest.predicts_quantity and compared is not None
                    else Drift(sample, (compare(against, sample, other, thresholds),), compared),
                )
                for (start, end), sample, compared in zip(pairwise(bounds), samples, columns, strict=True)
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


def _point(start: str, end: str, drift: Drift) -> DriftPoint:
    signals = [signal for comparison in drift.comparisons for signal in _signals(comparison)]
    notes = [comparison.note for comparison in drift.comparisons if comparison.note]
    if drift.columns is not None and drift.columns.note:
        notes.append(drift.columns.note)
    return DriftPoint(
        start=_time(start),
        end=_time(end),
        samples=drift.current.count,
        status=drift.verdict.value,
        psi=_psi(drift),
        signal=drift.worst.signal if drift.worst else None,
        column=drift.column.name if drift.column else None,
        signals=signals,
        columns=column_moves(drift.columns),
        note="; ".join(notes) or None,
    )


def _psi(drift: Drift) -> float | None:
    return None if drift.psi is None else round(drift.psi, 6)


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
        share_warning=thresholds.drift_share_warning,
        share_alert=thresholds.drift_share_alert,
        columns_alpha=thresholds.drift_columns_alpha,
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
        GovernanceTable.from_environment(),
    )
