"""Decide whether a version's predictions have drifted from the reference or from a baseline.

A difference counts only if it is large (the PSI reaches a threshold) and significant (its p-value is below `alpha`
divided by the number of comparisons: Bonferroni). With fewer than `minimum_samples` there is no verdict. Thresholds of
0.1 and 0.25 go back to E. Lewis, "An Introduction to Credit Scoring" (1994); 0.2 between them is common practice.
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


NOT_WATCHED = (
    "This model predicts a quantity, and predictions of quantities are not watched for drift yet: requests and "
    "latency are counted, and nothing is compared"
)


class Verdict(StrEnum):
    """The verdict of a check. The most serious one of several is the overall verdict."""

    INSUFFICIENT_DATA = "insufficient_data"
    STABLE = "stable"
    WARNING = "warning"
    ALERT = "alert"

    @property
    def rank(self) -> int:
        return list(Verdict).index(self)


@dataclass(frozen=True)
class DriftThresholds(Settings):
    """The PSI of a warning, an alert and a retrain. `drift_alpha` is the allowed probability of a false verdict per
    check."""

    drift_warning: float = 0.1
    drift_alert: float = 0.2
    drift_retrain: float = 0.25
    drift_alpha: float = 0.01
    drift_minimum_samples: int = 200


@dataclass(frozen=True)
class SignalDrift:
    """The difference of one signal. `significant` says whether it is larger than chance explains."""

    signal: str
    psi: float
    p_value: float
    significant: bool
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """A comparison of the current window with another sample. If one of them is too small, there are no signals."""

    against: Against
    count: int
    verdict: Verdict
    signals: tuple[SignalDrift, ...]
    note: str | None = None

    @property
    def worst(self) -> SignalDrift | None:
        """The signal that decides the verdict; of several, the one with the largest PSI."""
        deciding = [signal for signal in self.signals if signal.verdict is self.verdict]
        return max(deciding, key=lambda signal: signal.psi, default=None)


@dataclass(frozen=True)
class Drift:
    """The overall verdict, with all comparisons."""

    verdict: Verdict
    current: Summary
    comparisons: tuple[Comparison, ...]

    @property
    def deciding(self) -> Comparison | None:
        """The comparison that decides the verdict; None without a verdict."""
        if self.verdict is Verdict.INSUFFICIENT_DATA:
            return None
        ones = [comparison for comparison in self.comparisons if comparison.verdict is self.verdict]
        return max(ones, key=lambda comparison: comparison.worst.psi if comparison.worst else 0.0)

    @property
    def worst(self) -> SignalDrift | None:
        return self.deciding.worst if self.deciding else None

    @property
    def message(self) -> str:
        """The verdict as a sentence, and what was not compared."""
        missing = [comparison for comparison in self.comparisons if comparison.note]
        worst, deciding = self.worst, self.deciding
        if worst is None or deciding is None:
            return "; ".join(str(comparison.note) for comparison in missing)
        if self.verdict is Verdict.STABLE:
            verdict = (
                f"No signal has drifted; the largest PSI is {worst.psi:.3f} "
                f"({worst.signal}, against the {deciding.against})."
            )
        else:
            verdict = (
                f"{worst.signal} differs from the {deciding.against}: PSI {worst.psi:.3f}, p {worst.p_value:.2g}, "
                f"over {self.current.count} predictions."
            )
        return " ".join([verdict, *(f"Not compared with the {left.against}: {left.note}." for left in missing)])


def detect(current: Summary, reference: Summary | None, baseline: Summary, thresholds: DriftThresholds) -> Drift:
    """Compare the current window with the version's reference, if it has one, and with its baseline window."""
    comparisons = (
        compare("reference", current, reference, thresholds),
        compare("baseline", current, baseline, thresholds),
    )
    verdict = max((comparison.verdict for comparison in comparisons), key=lambda verdict: verdict.rank)
    return Drift(verdict, current, comparisons)


def not_watched(current: Summary) -> Drift:
    """Return the verdict on a regression model."""
    return Drift(Verdict.INSUFFICIENT_DATA, current, (not_compared("reference"),))


def not_compared(against: Against) -> Comparison:
    """Return the comparison of a regression model's predictions, of which only the number is known."""
    return Comparison(against, 0, Verdict.INSUFFICIENT_DATA, (), NOT_WATCHED)


def compare(against: Against, current: Summary, other: Summary | None, thresholds: DriftThresholds) -> Comparison:
    """Compare a window with another sample; None stands for a missing reference."""
    if other is None:
        note = "The version was registered without a reference distribution; only the baseline window can be compared"
        return Comparison(against, 0, Verdict.INSUFFICIENT_DATA, (), note)
    least = thresholds.drift_minimum_samples
    for sample, what in ((current, "current window"), (other, against)):
        if sample.count < least:
            note = f"The {what} has {sample.count} predictions of the {least} that a verdict needs"
            return Comparison(against, other.count, Verdict.INSUFFICIENT_DATA, (), note)
    signals = tuple(_signal(name, divergence, thresholds) for name, divergence in _divergences(other, current, least))
    verdict = max((signal.verdict for signal in signals), key=lambda verdict: verdict.rank)
    return Comparison(against, other.count, verdict, signals)


def _divergences(before: Summary, after: Summary, least: int) -> Iterator[tuple[str, Divergence]]:
    """Yield the divergence of each signal that is frequent enough in both samples: not every image is measured."""
    labels = {**before.classes, **after.classes}
    counts = [[sample.classes.get(label, 0) for label in labels] for sample in (before, after)]
    yield "predictions", histogram_divergence(*counts)
    for name in HISTOGRAMS:
        histograms = [sample.histograms.get(name, ()) for sample in (before, after)]
        if min(map(sum, histograms)) >= least:
            yield name, histogram_divergence(*histograms)
    if before.blocks and after.blocks and min(before.blocks.count, after.blocks.count) >= least:
        yield "block_means", moments_divergence(before.blocks, after.blocks)


def _signal(name: str, divergence: Divergence, thresholds: DriftThresholds) -> SignalDrift:
    significant = divergence.p_value < thresholds.drift_alpha / COMPARISONS
    verdict = Verdict.STABLE
    if significant and divergence.psi >= thresholds.drift_alert:
        verdict = Verdict.ALERT
    elif significant and divergence.psi >= thresholds.drift_warning:
        verdict = Verdict.WARNING
    return SignalDrift(name, divergence.psi, divergence.p_value, significant, verdict)
