"""The windows that are compared, in whole hours. The baseline ends where the current window begins."""

import math
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
from mlops.domain.drift.column_counts import ByLayout, together
from mlops.domain.drift.column_drift import ColumnsDrift, compare_columns
from mlops.domain.drift.counts import Counts, Summary, summary_of, summary_of_reference
from mlops.domain.drift.thresholds import DriftThresholds
from mlops.domain.drift.verdict import Drift, detect, of_columns
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
        windows[_window_of(bounds, hour)].update(counts)
    return [summary_of(window) for window in windows]


def _window_of(bounds: list[str], hour: str) -> int:
    return min(bisect_right(bounds, hour), len(bounds) - 1) - 1


def series_of(manifest: Manifest) -> Series:
    return Series(manifest.model_name, manifest.model_version, manifest.stage)


def reference_of(manifest: Manifest) -> Summary | None:
    return summary_of_reference(manifest.reference, manifest.labels) if manifest.reference else None


def drift_of(manifest: Manifest, samples: Samples, columns: ColumnsDrift | None, thresholds: DriftThresholds) -> Drift:
    """Return the verdict on a served version. Of a regression model there are the columns only."""
    if manifest.predicts_quantity and columns is not None:
        return of_columns(samples.current, columns)
    return detect(samples.current, samples.reference, samples.baseline, thresholds, columns)


def columns_of(
    stats: PredictionStats, manifest: Manifest, start: str, thresholds: DriftThresholds
) -> ColumnsDrift | None:
    """Compare the columns of a table model from the hour `start` on; None for models of images and vectors."""
    if manifest.contract is None:
        return None
    reference = manifest.table_reference()
    counts = stats.columns.window(series_of(manifest), start) if reference is not None else {}
    return compare_columns(reference, counts.get(reference.layout) if reference is not None else None, thresholds)


def columns_of_steps(
    stats: PredictionStats, manifest: Manifest, bounds: list[str], thresholds: DriftThresholds
) -> list[ColumnsDrift | None]:
    """Compare the columns in each window between two bounds. The last window has no end."""
    reference = manifest.table_reference()
    if reference is None:
        without = compare_columns(None, None, thresholds) if manifest.contract is not None else None
        return [without for _ in bounds[1:]]
    windows: list[list[ByLayout]] = [[] for _ in bounds[1:]]
    for hour, counts in stats.columns.hours(series_of(manifest), bounds[0]):
        windows[_window_of(bounds, hour)].append(counts)
    return [compare_columns(reference, together(window).get(reference.layout), thresholds) for window in windows]
