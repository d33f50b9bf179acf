"""The windows that are compared, in whole hours. The baseline ends where the current window begins."""

import math
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
from mlops.domain.drift.counts import Counts, Summary, summary_of, summary_of_reference
from mlops.domain.drift.verdict import Drift, DriftThresholds, detect, not_watched
from mlops.domain.manifest import Manifest


@dataclass(frozen=True)
class Windows:
    """Bounds of the windows, as hours like `2026-01-31T23`. The current one has no end, because clocks may be fast."""

    baseline_start: str
    current_start: str
    end: str

    @classmethod
    def ending_now(cls, baseline_hours: int, current_hours: int) -> "Windows":
        """Return the windows whose current one has `current_hours` and ends with this hour."""
        end = end_of_this_hour()
        start = hours_before(end, current_hours)
        return cls(hours_before(start, baseline_hours), start, end)

    @property
    def baseline_last(self) -> str:
        return hours_before(self.current_start, 1)


def steps_ending_now(hours: int, step_hours: int) -> list[str]:
    """Return the bounds of consecutive windows of `step_hours` that cover `hours` and end with this hour."""
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
    """Return the predictions of a served version in both windows, and its reference. Other stages are not included."""
    series = series_of(manifest)
    return Samples(
        summary_of(stats.window(series, windows.current_start)),
        summary_of(stats.window(series, windows.baseline_start, windows.baseline_last)),
        reference_of(manifest),
    )


def samples_of_steps(stats: PredictionStats, series: Series, bounds: list[str]) -> list[Summary]:
    """Return the predictions in each window between two bounds. The last window has no end."""
    windows: list[Counts] = [Counter() for _ in bounds[1:]]
    for hour, counts in stats.hours(series, bounds[0]):
        windows[min(bisect_right(bounds, hour), len(windows)) - 1].update(counts)
    return [summary_of(window) for window in windows]


def series_of(manifest: Manifest) -> Series:
    return Series(manifest.model_name, manifest.model_version, manifest.stage)


def reference_of(manifest: Manifest) -> Summary | None:
    return summary_of_reference(manifest.reference, manifest.labels) if manifest.reference else None


def drift_of(manifest: Manifest, samples: Samples, thresholds: DriftThresholds) -> Drift:
    """Return the verdict on a served version; of a regression model it says that nothing is compared."""
    if manifest.predicts_quantity:
        return not_watched(samples.current)
    return detect(samples.current, samples.reference, samples.baseline, thresholds)
