"""The windows that are compared: whole hours, the baseline ending where the current one starts."""

import math
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
from mlops.domain.drift.counts import Counts, Summary, summary_of, summary_of_reference
from mlops.domain.drift.verdict import Drift, DriftThresholds, detect
from mlops.domain.manifest import Manifest


@dataclass(frozen=True)
class Windows:
    """Hours as `2026-01-31T23`. The current window has no end: what a fast clock dated ahead belongs to it."""

    baseline_start: str
    current_start: str
    end: str

    @classmethod
    def ending_now(cls, baseline_hours: int, current_hours: int) -> "Windows":
        """The current window is `current_hours` hours with the present one as its last."""
        end = end_of_this_hour()
        start = hours_before(end, current_hours)
        return cls(hours_before(start, baseline_hours), start, end)

    @property
    def baseline_last(self) -> str:
        return hours_before(self.current_start, 1)


def steps_ending_now(hours: int, step_hours: int) -> list[str]:
    """Bounds of consecutive windows of `step_hours` over at least so many hours, the last one the end of this hour."""
    end = end_of_this_hour()
    return [hours_before(end, step_hours * steps) for steps in range(math.ceil(hours / step_hours), -1, -1)]


def end_of_this_hour() -> str:
    return hours_before(hour_of(time.time()), -1)


@dataclass(frozen=True)
class Samples:
    current: Summary
    baseline: Summary
    reference: Summary | None


def samples_of(stats: PredictionStats, manifest: Manifest, windows: Windows) -> Samples:
    """What a served version predicted in both windows, and its reference. Other stages' traffic is not its own."""
    series = series_of(manifest)
    return Samples(
        summary_of(stats.window(series, windows.current_start)),
        summary_of(stats.window(series, windows.baseline_start, windows.baseline_last)),
        reference_of(manifest),
    )


def samples_of_steps(stats: PredictionStats, series: Series, bounds: list[str]) -> list[Summary]:
    """What was predicted in each window between two bounds; after the last bound belongs to the last window."""
    counts: list[Counts] = [Counter() for _ in bounds[1:]]
    for hour, found in stats.hours(series, bounds[0]):
        counts[min(bisect_right(bounds, hour), len(counts)) - 1].update(found)
    return [summary_of(each) for each in counts]


def series_of(manifest: Manifest) -> Series:
    return Series(manifest.model_name, manifest.model_version, manifest.stage)


def reference_of(manifest: Manifest) -> Summary | None:
    return summary_of_reference(manifest.reference, manifest.labels) if manifest.reference else None


def drift_of(samples: Samples, thresholds: DriftThresholds) -> Drift:
    return detect(samples.current, samples.reference, samples.baseline, thresholds)
