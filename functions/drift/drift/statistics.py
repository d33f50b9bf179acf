"""Answers about what was predicted: GET /drift/stats and GET /drift/distribution."""

import math
from functools import cache
from typing import Any

from drift.settings import ReportSettings
from drift.windows import end_of_this_hour, reference_of
from mlops.api.schemas.drift import (
    Bucketed,
    ClassShare,
    ConfidenceStats,
    DriftDistribution,
    DriftStats,
    LatencyStats,
    VersionDistribution,
    VersionStats,
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
)
from mlops.domain.errors import NoModelInStage, NotFound
from mlops.domain.stages import ALIASES


class PredictionReport:
    def __init__(self, stats: PredictionStats, served: ServedModels, default_model: str) -> None:
        self._stats, self._served, self._default = stats, served, default_model

    @classmethod
    def from_environment(cls) -> "PredictionReport":
        return _report()

    def stats(self, model_name: str | None, hours: int) -> DriftStats:
        """Count predictions and requests, with confidence and latency. Raises NotFound."""
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
        """Count predictions by class. Raises NotFound, and DependencyUnavailable if the manifest cannot be read."""
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
        """Return the counts of each version that has predicted in the window, the newest first. Raises NotFound."""
        known = self._stats.totals(name)
        if not known and not any(self._served.holds(name, stage) for stage in ALIASES):
            raise NotFound(f"There is no model {name!r} with predictions; GET /models lists the models")
        first = hours_before(end_of_this_hour(), hours)
        windows = {series: self._stats.window(series, first) for series in sorted(known, reverse=True)}
        return {series: counts for series, counts in windows.items() if counts["n"]}


def _classes(counts: Counts) -> list[ClassShare]:
    return [
        ClassShare(label=label, count=count, share=round(count / counts["n"], 6))
        for label, count in class_counts(counts).items()
    ]


def _confidence(counts: Counts) -> ConfidenceStats:
    n = sum(histogram(counts, "c"))  # fewer than the predictions if some are quantities, which have no confidence
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
    """Return the value at `rank`, as if values were evenly spread within a bin; beyond the last edge, that edge."""
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
def _report() -> PredictionReport:
    return PredictionReport(
        PredictionStats.from_environment(),
        ServedModels.from_environment(),
        ReportSettings.from_environment().default_model_name,
    )
