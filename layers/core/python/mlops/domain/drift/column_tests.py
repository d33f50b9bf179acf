"""Measure how a column's counts differ from the reference, and how probable that is by chance. Standard library only.

- Shape: the PSI. Bins that are too rare for the χ² distribution are merged before.
- Location of numbers: the rank-sum test (F. Wilcoxon, Biometrics Bulletin 1, 1945) on the bins in their order. The PSI
  does not know the order, so it needs several times as many rows to see all values move a little the same way.
- Shares of missing, unseen and out-of-range values: Fisher's exact test, one-sided (R. A. Fisher, "The Design of
  Experiments", 1935). A PSI hides them: it is small where a small share of the values is new.
- Many columns: Holm's step-down (S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
  Journal of Statistics 6, 1979) bounds the probability of one false finding among all tests together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlops.domain.drift.divergence import histogram_divergence

LEAST_EXPECTED = 5.0
"""Bins of which a sample is expected to have fewer are merged (W. G. Cochran, Biometrics 10, 1954)."""

Bins = Sequence[int]


@dataclass(frozen=True)
class Shape:
    """The distance of two histograms.

    Attributes:
        psi: The PSI, less what chance alone gives samples of these sizes on average; never below 0.
        raw_psi: The PSI of the bins as they are, without smoothing; None where a bin is empty in one sample only, which
            makes it infinite.
        p_value: The probability of such a distance if both samples come from one distribution.
    """

    psi: float
    raw_psi: float | None
    p_value: float


def shape_of(before: Bins, after: Bins, ordered: slice | None = None) -> Shape:
    """Compare two histograms of the same bins, neither of them empty.

    Args:
        before: The one histogram.
        after: The other one.
        ordered: Which of the bins are in the order of their values; of none, only the PSI is tested.
    """
    merged_before, merged_after = merged(before, after)
    measured = histogram_divergence(merged_before, merged_after)
    by_chance = (len(merged_before) - 1) * (1 / sum(before) + 1 / sum(after))
    p_value = measured.p_value
    if ordered is not None:  # two tests, of which each may have half of the level
        p_value = min(1.0, 2 * min(p_value, moved(before[ordered], after[ordered])))
    return Shape(max(0.0, measured.psi - by_chance), raw_psi(before, after), p_value)


def moved(before: Bins, after: Bins) -> float:
    """Return the probability of such a difference of the ranks if neither sample has larger values than the other.

    It is that of the normal distribution, two-sided, with the variance of samples with ties: all values of a bin are
    tied.

    Args:
        before: Histogram of bins in the order of their values.
        after: The other one.
    """
    n, m = sum(before), sum(after)
    below = ranks = ties = 0.0
    for a, b in zip(before, after, strict=True):
        tied = a + b
        ranks += b * (below + (tied + 1) / 2)
        ties += tied**3 - tied
        below += tied
    total = n + m
    if not n or not m:
        return 1.0
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:  # all in one bin
        return 1.0
    return math.erfc(abs(ranks - m * (total + 1) / 2) / math.sqrt(2 * variance))


def raw_psi(before: Bins, after: Bins) -> float | None:
    """Return Σ (p - q) ln(p / q) over the bins that are not empty in both samples; None if it is infinite."""
    n, m = sum(before), sum(after)
    shares = [(a / n, b / m) for a, b in zip(before, after, strict=True) if a or b]
    if any(p == 0 or q == 0 for p, q in shares):
        return None
    return math.fsum((p - q) * math.log(p / q) for p, q in shares)


def merged(before: Bins, after: Bins) -> tuple[list[int], list[int]]:
    """Merge the bins of which the smaller sample is expected to have fewer than LEAST_EXPECTED, if there is no drift.

    Returns:
        The histograms, of at least one bin. The merged bin is the last one; it takes in further bins, the rarest
        first, until it is frequent enough itself.
    """
    n, m = sum(before), sum(after)
    share = min(n, m) / (n + m)
    bins = sorted(((a, b) for a, b in zip(before, after, strict=True) if a or b), key=sum, reverse=True)
    rare_before = rare_after = 0
    while bins and (sum(bins[-1]) * share < LEAST_EXPECTED or 0 < (rare_before + rare_after) * share < LEAST_EXPECTED):
        a, b = bins.pop()
        rare_before, rare_after = rare_before + a, rare_after + b
    if rare_before or rare_after:
        bins.append((rare_before, rare_after))
    return [a for a, _ in bins], [b for _, b in bins]


def more_often(before: int, n: int, after: int, m: int) -> float:
    """Return the probability of at least `after` of m, if `before` of n are as probable (Fisher's exact test).

    It is 1 if the share has not grown: such a p-value is above one half, and no test needs it exactly.

    Args:
        before: How many of the first sample are of the kind.
        n: The size of the first sample.
        after: How many of the second sample are.
        m: The size of the second one.
    """
    if after * n <= before * m:
        return 1.0
    total = before + after
    # P(k) of the hypergeometric distribution for k = after, after + 1, …: each term from the one before.
    log_term = _log_choose(m, after) + _log_choose(n, before) - _log_choose(n + m, total)
    term = relative = 1.0
    for k in range(after, min(total, m)):
        term *= (m - k) * (total - k) / ((k + 1) * (n - total + k + 1))
        relative += term
        if term < 1e-17 * relative:
            break
    return min(1.0, math.exp(log_term + math.log(relative)))


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Return which tests are significant if the probability of any false one is to be at most alpha."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    significant = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > alpha / (len(p_values) - rank):
            break
        significant[place] = True
    return significant


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
