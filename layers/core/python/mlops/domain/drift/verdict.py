"""Whether a version's predictions have drifted: the current window against the reference, and against a baseline.

A difference counts only if it is large (the PSI reaches a threshold) and not chance (its p-value is below `alpha`,
divided by the number of comparisons: Bonferroni). Below `minimum_samples` there is no verdict at all. Thresholds of 0.1
and 0.25 go back to E. Lewis, "An Introduction to Credit Scoring" (1994); 0.2 between them is common practice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from mlops.domain.drift.counts import HISTOGRAMS, Summary
from mlops.domain.drift.divergence import Divergence, histogram_divergence, moments_divergence
from mlops.settings import Settings

Against = Literal["reference", "baseline"]
SIGNALS = ("predictions", *HISTOGRAMS, "block_means")
COMPARISONS = 2 * len(SIGNALS)


class Verdict(StrEnum):
    """Ordered: of several verdicts the last one here is the overall one."""

    INSUFFICIENT_DATA = "insufficient_data"
    STABLE = "stable"
    WARNING = "warning"
    ALERT = "alert"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


@dataclass(frozen=True)
class DriftThresholds(Settings):
    """The PSI from which on it is a warning, an alert, and cause for a retrain; `drift_alpha` is the chance of a false
    verdict that is allowed in one check."""

    drift_warning: float = 0.1
    drift_alert: float = 0.2
    drift_retrain: float = 0.25
    drift_alpha: float = 0.01
    drift_minimum_samples: int = 200


@dataclass(frozen=True)
class SignalDrift:
    """How one signal differs. `significant`: by more than chance explains."""

    signal: str
    psi: float
    p_value: float
    significant: bool
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """The current window against one other sample. Without enough of either there are no signals."""

    against: Against
    count: int
    verdict: Verdict
    signals: tuple[SignalDrift, ...]
    note: str | None = None

    @property
    def worst(self) -> SignalDrift | None:
        """The signal the verdict is of: of those that gave it, the one of the largest PSI."""
        deciding = [signal for signal in self.signals if signal.verdict is self.verdict]
        return max(deciding, key=lambda signal: signal.psi, default=None)


@dataclass(frozen=True)
class Drift:
    """The overall verdict, and the comparison and the signal that gave it."""

    verdict: Verdict
    current: Summary
    comparisons: tuple[Comparison, ...]

    @property
    def deciding(self) -> Comparison | None:
        """The comparison that gave the verdict; None without one."""
        if self.verdict is Verdict.INSUFFICIENT_DATA:
            return None
        ones = [each for each in self.comparisons if each.verdict is self.verdict]
        return max(ones, key=lambda each: each.worst.psi if each.worst else 0.0)

    @property
    def worst(self) -> SignalDrift | None:
        return self.deciding.worst if self.deciding else None


def detect(current: Summary, reference: Summary | None, baseline: Summary, thresholds: DriftThresholds) -> Drift:
    """Compare the current window with the version's reference, if it has one, and with its baseline window."""
    comparisons = (
        compare("reference", current, reference, thresholds),
        compare("baseline", current, baseline, thresholds),
    )
    verdict = max((each.verdict for each in comparisons), key=lambda verdict: verdict.rank)
    return Drift(verdict, current, comparisons)


def compare(against: Against, current: Summary, other: Summary | None, thresholds: DriftThresholds) -> Comparison:
    """Compare a window with one other sample; None stands for the reference that a version does not have."""
    if other is None:
        note = "The version was registered without a reference distribution; only the baseline window can be compared"
        return Comparison(against, 0, Verdict.INSUFFICIENT_DATA, (), note)
    least = thresholds.drift_minimum_samples
    for sample, what in ((current, "current window"), (other, against)):
        if sample.count < least:
            note = f"The {what} has {sample.count} predictions of the {least} that a verdict takes"
            return Comparison(against, other.count, Verdict.INSUFFICIENT_DATA, (), note)
    signals = tuple(_signal(name, found, thresholds) for name, found in _divergences(other, current, least))
    verdict = max((signal.verdict for signal in signals), key=lambda verdict: verdict.rank)
    return Comparison(against, other.count, verdict, signals)


def _divergences(before: Summary, after: Summary, least: int) -> Iterator[tuple[str, Divergence]]:
    """Each signal that both samples have enough of: not every image is measured."""
    labels = {**before.classes, **after.classes}
    counts = [[sample.classes.get(label, 0) for label in labels] for sample in (before, after)]
    yield "predictions", histogram_divergence(*counts)
    for name in HISTOGRAMS:
        histograms = [sample.histograms.get(name, ()) for sample in (before, after)]
        if min(map(sum, histograms)) >= least:
            yield name, histogram_divergence(*histograms)
    if before.blocks and after.blocks and min(before.blocks.count, after.blocks.count) >= least:
        yield "block_means", moments_divergence(before.blocks, after.blocks)


def _signal(name: str, found: Divergence, thresholds: DriftThresholds) -> SignalDrift:
    significant = found.p_value < thresholds.drift_alpha / COMPARISONS
    verdict = Verdict.STABLE
    if significant and found.psi >= thresholds.drift_alert:
        verdict = Verdict.ALERT
    elif significant and found.psi >= thresholds.drift_warning:
        verdict = Verdict.WARNING
    return SignalDrift(name, found.psi, found.p_value, significant, verdict)
