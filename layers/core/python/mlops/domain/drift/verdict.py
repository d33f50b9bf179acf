"""Decide whether a version's predictions have drifted from the reference or from a baseline.

A difference counts only if it is large (the PSI reaches a threshold) and significant (its p-value is below `alpha`
divided by the number of comparisons: Bonferroni). With fewer than `minimum_samples` there is no verdict. Thresholds of
0.1 and 0.25 go back to E. Lewis, "An Introduction to Credit Scoring" (1994); 0.2 between them is common practice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mlops.domain.drift.column_drift import ColumnDrift, ColumnsDrift
from mlops.domain.drift.column_words import sentence_of_all
from mlops.domain.drift.counts import HISTOGRAMS, Summary
from mlops.domain.drift.divergence import Divergence, histogram_divergence, moments_divergence
from mlops.domain.drift.thresholds import DriftThresholds as DriftThresholds
from mlops.domain.drift.thresholds import Verdict as Verdict

Against = Literal["reference", "baseline"]
SIGNALS = ("predictions", *HISTOGRAMS, "block_means")
COMPARISONS = 2 * len(SIGNALS)


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
    """The overall verdict, with all comparisons. `columns` is None for models of images and vectors."""

    current: Summary
    comparisons: tuple[Comparison, ...]
    columns: ColumnsDrift | None = None

    @property
    def verdict(self) -> Verdict:
        parts = [comparison.verdict for comparison in self.comparisons]
        if self.columns is not None:
            parts.append(self.columns.verdict)
        return max(parts, key=lambda verdict: verdict.rank)

    @property
    def deciding(self) -> Comparison | None:
        """The comparison that decides the verdict; None without a verdict, and if the columns alone decide it."""
        if self.verdict is Verdict.INSUFFICIENT_DATA:
            return None
        ones = [comparison for comparison in self.comparisons if comparison.verdict is self.verdict]
        return max(ones, key=lambda comparison: comparison.worst.psi if comparison.worst else 0.0, default=None)

    @property
    def column(self) -> ColumnDrift | None:
        """The column that gives the verdict, alone or with a signal; of several, the one that moved most."""
        if self.columns is None or self.columns.verdict is not self.verdict:
            return None
        return next(iter(self.columns.columns), None)

    @property
    def psi(self) -> float | None:
        """The PSI that gives the verdict; None if there is none, as where values are missing or out of range."""
        if self.worst is not None:
            return self.worst.psi
        return self.column.psi if self.column is not None and not self.column.moved else None

    @property
    def against(self) -> Against | None:
        """What the current window differs from, or is stable against."""
        if self.deciding is not None:
            return self.deciding.against
        return "reference" if self.column is not None else None

    @property
    def worst(self) -> SignalDrift | None:
        return self.deciding.worst if self.deciding else None

    @property
    def message(self) -> str:
        """The verdict in sentences, and what was not compared."""
        signals = self._of_signals()
        if self.columns is None:
            return signals
        columns = sentence_of_all(self.columns)
        if not signals:
            return columns
        signals = f"{signals.removesuffix('.')}."
        # What gives the verdict comes first.
        return f"{columns} {signals}" if self.column is not None else f"{signals} {columns}"

    def _of_signals(self) -> str:
        missing = [comparison for comparison in self.comparisons if comparison.note]
        worst, deciding = self.worst, self.deciding
        if worst is None or deciding is None:
            # Of a current window that is too small, both comparisons say the same.
            return "; ".join(dict.fromkeys(str(comparison.note) for comparison in missing))
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


def detect(
    current: Summary,
    reference: Summary | None,
    baseline: Summary,
    thresholds: DriftThresholds,
    columns: ColumnsDrift | None = None,
) -> Drift:
    """Compare the current window with the version's reference, if it has one, and with its baseline window."""
    comparisons = (
        compare("reference", current, reference, thresholds),
        compare("baseline", current, baseline, thresholds),
    )
    return Drift(current, comparisons, columns)


def of_columns(current: Summary, columns: ColumnsDrift) -> Drift:
    """Return the verdict on a regression model, whose columns and answers are all there is."""
    return Drift(current, (), columns)


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
