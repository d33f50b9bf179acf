"""The answers of the drift routes."""

import math
import os
from functools import cache
from itertools import pairwise
from typing import Any

from drift.windows import (
    Windows,
    drift_of,
    end_of_this_hour,
    reference_of,
    samples_of,
    samples_of_steps,
    series_of,
    steps_ending_now,
)
from mlops.api.schemas.drift import (
    Bucketed,
    ClassShare,
    ComparisonResult,
    ConfidenceStats,
    DriftDistribution,
    DriftHistory,
    DriftPoint,
    DriftStats,
    DriftStatus,
    LatencyStats,
    SignalResult,
    Thresholds,
    VersionDistribution,
    VersionStats,
    Window,
)
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import PredictionStats, Series, combined, hours_before
from mlops.domain.drift.counts import (
    BINS,
    LATENCY_EDGES_MS,
    MILLION,
    Counts,
    class_counts,
    histogram,
    latency_histogram,
    summary_of,
)
from mlops.domain.drift.verdict import Against, Comparison, Drift, DriftThresholds, Verdict, compare
from mlops.domain.errors import NoModelInStage, NotFound

BASELINE_HOURS = 168
"""What a version without a reference is compared with over time: so many hours before."""


class DriftReport:
    def __init__(
        self, stats: PredictionStats, served: ServedModels, thresholds: DriftThresholds, default_model: str
    ) -> None:
        self._stats, self._served, self._thresholds, self._default = stats, served, thresholds, default_model

    @classmethod
    def from_environment(cls) -> "DriftReport":
        return _report()

    def status(self, model_name: str | None, baseline_hours: int, current_hours: int) -> DriftStatus:
        """Raises NoModelInStage."""
        manifest = self._served.manifest(model_name or self._default)
        windows = Windows.ending_now(baseline_hours, current_hours)
        samples = samples_of(self._stats, manifest, windows)
        found = drift_of(samples, self._thresholds)
        deciding, worst = found.deciding, found.worst
        return DriftStatus(
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            status=found.verdict.value,
            psi=round(worst.psi, 6) if worst else None,
            signal=worst.signal if worst else None,
            against=deciding.against if deciding else None,
            message=message_of(found),
            thresholds=_thresholds(self._thresholds),
            comparisons=[_comparison(each) for each in found.comparisons],
            current=_window(windows.current_start, windows.end, current_hours, samples.current.count),
            baseline=_window(windows.baseline_start, windows.current_start, baseline_hours, samples.baseline.count),
            reference_samples=samples.reference.count if samples.reference else 0,
            current_distribution=samples.current.shares(),
            baseline_distribution=samples.baseline.shares(),
            reference_distribution=samples.reference.shares() if samples.reference else None,
        )

    def history(self, model_name: str | None, hours: int, step_hours: int) -> DriftHistory:
        """Consecutive windows, each compared with the reference. Raises NoModelInStage."""
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
                _point(start, end, sample.count, compare(against, sample, other, self._thresholds))
                for (start, end), sample in zip(pairwise(bounds), samples, strict=True)
            ],
        )

    def stats(self, model_name: str | None, hours: int) -> DriftStats:
        """Raises NotFound."""
        name = model_name or self._default
        by_series = self._windows(name, hours)
        total = combined(by_series.values())
        return DriftStats(
            model_name=name,
            hours=hours,
            total_predictions=total["n"],
            total_requests=total["r"],
            cache_hits=total["h"],
            confidence=_confidence(total),
            latency=_latency(total),
            versions=[
                VersionStats(
                    model_version=series.version,
                    stage=series.stage,
                    predictions=counts["n"],
                    requests=counts["r"],
                    cache_hits=counts["h"],
                    confidence=_confidence(counts),
                    latency=_latency(counts),
                )
                for series, counts in by_series.items()
            ],
        )

    def distribution(self, model_name: str | None, hours: int) -> DriftDistribution:
        """Raises NotFound, and DependencyUnavailable if the manifest cannot be read."""
        name = model_name or self._default
        by_series = self._windows(name, hours)
        total = combined(by_series.values())
        try:
            reference = reference_of(self._served.manifest(name))
        except NoModelInStage:
            reference = None
        return DriftDistribution(
            model_name=name,
            hours=hours,
            samples=total["n"],
            distribution=_classes(total),
            versions=[
                VersionDistribution(
                    model_version=series.version, stage=series.stage, samples=counts["n"], classes=_classes(counts)
                )
                for series, counts in by_series.items()
            ],
            reference=reference.shares() if reference else None,
        )

    def _windows(self, name: str, hours: int) -> dict[Series, Counts]:
        """What each version predicted in the window, the newest version first; versions with nothing are left out."""
        known = self._stats.totals(name)
        if not known and not any(self._served.holds(name, stage) for stage in ("Production", "Staging")):
            raise NotFound(f"There is no model {name!r} that has predicted anything; GET /models lists the models")
        first = hours_before(end_of_this_hour(), hours)
        found = {series: self._stats.window(series, first) for series in sorted(known, reverse=True)}
        return {series: counts for series, counts in found.items() if counts["n"]}


def message_of(found: Drift) -> str:
    """The verdict in a sentence."""
    if found.verdict is Verdict.INSUFFICIENT_DATA:
        return "; ".join(each.note for each in found.comparisons if each.note)
    worst, deciding = found.worst, found.deciding
    assert worst is not None
    assert deciding is not None
    alone = " ".join(f"Not compared with the {each.against}: {each.note}." for each in found.comparisons if each.note)
    if found.verdict is Verdict.STABLE:
        where = f"{worst.signal}, against the {deciding.against}"
        said = f"No signal has drifted; the largest PSI is {worst.psi:.3f} ({where})."
    else:
        said = (
            f"{worst.signal} differs from the {deciding.against}: PSI {worst.psi:.3f}, p {worst.p_value:.2g}, "
            f"over {found.current.count} predictions."
        )
    return f"{said} {alone}".strip()


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


def _classes(counts: Counts) -> list[ClassShare]:
    return [
        ClassShare(label=label, count=count, share=round(count / counts["n"], 6))
        for label, count in class_counts(counts).items()
    ]


def _confidence(counts: Counts) -> ConfidenceStats:
    n = counts["n"]
    mean = counts["cs"] / n / MILLION if n else None
    deviation = math.sqrt(max(0.0, counts["cq"] / n / MILLION - mean**2)) if mean is not None else None
    edges = [round((index + 1) / BINS, 1) for index in range(BINS)]
    return ConfidenceStats(
        mean=_rounded(mean),
        standard_deviation=_rounded(deviation),
        histogram=Bucketed(edges=edges, counts=list(histogram(counts, "c"))),
    )


def _latency(counts: Counts) -> LatencyStats:
    bins = latency_histogram(counts)
    requests = sum(bins)
    quantiles: dict[str, Any] = {
        f"p{percent}_ms": _rounded(_quantile(bins, requests * percent / 100)) for percent in (50, 95, 99)
    }
    return LatencyStats(
        mean_ms=_rounded(counts["ls"] / requests / 1000) if requests else None,
        histogram=Bucketed(edges=list(LATENCY_EDGES_MS), counts=list(bins)),
        **quantiles,
    )


def _quantile(bins: tuple[int, ...], rank: float) -> float | None:
    """The value at `rank`, evenly spread within its bin; beyond the last edge, that edge."""
    below = 0
    for index, (edge, count) in enumerate(zip(LATENCY_EDGES_MS, bins, strict=False)):
        if count and below + count >= rank:
            lower = LATENCY_EDGES_MS[index - 1] if index else 0.0
            return lower + (edge - lower) * (rank - below) / count
        below += count
    return float(LATENCY_EDGES_MS[-1]) if sum(bins) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


@cache
def _report() -> DriftReport:
    return DriftReport(
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        DriftThresholds.from_environment(),
        os.environ["DEFAULT_MODEL_NAME"],
    )
