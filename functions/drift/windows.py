"""The windows that are compared: whole hours, the baseline ending where the current one starts."""

import time
from dataclasses import dataclass

from mlops.drift import Drift, DriftThresholds, detect
from mlops.manifest import Manifest
from mlops.prediction_counts import Summary, summary_of, summary_of_reference
from mlops.prediction_stats import PredictionStats, Series, hour_of, hours_before


@dataclass(frozen=True)
class Windows:
    """Hours as `2026-01-31T23`. The current window has no end: what a fast clock dated ahead belongs to it."""

    baseline_hours: int
    current_hours: int
    baseline_start: str
    current_start: str
    end: str

    @classmethod
    def ending_now(cls, baseline_hours: int, current_hours: int) -> "Windows":
        """The current window is `current_hours` hours with the present one as its last."""
        end = hours_before(hour_of(time.time()), -1)
        start = hours_before(end, current_hours)
        return cls(baseline_hours, current_hours, hours_before(start, baseline_hours), start, end)

    @property
    def baseline_last(self) -> str:
        return hours_before(self.current_start, 1)


@dataclass(frozen=True)
class Samples:
    current: Summary
    baseline: Summary
    reference: Summary | None


def samples_of(stats: PredictionStats, manifest: Manifest, windows: Windows) -> Samples:
    """What a served version predicted in both windows, and its reference. Other stages' traffic is not its own."""
    series = Series(manifest.model_name, manifest.model_version, manifest.stage)
    reference = summary_of_reference(manifest.reference, manifest.labels) if manifest.reference else None
    return Samples(
        summary_of(stats.window(series, windows.current_start)),
        summary_of(stats.window(series, windows.baseline_start, windows.baseline_last)),
        reference,
    )


def drift_of(samples: Samples, thresholds: DriftThresholds) -> Drift:
    return detect(samples.current, samples.reference, samples.baseline, thresholds)
