"""Measure the distance of two samples, and its probability by chance. Uses the standard library only.

The population stability index (PSI) is Jeffreys' divergence of two discrete distributions p and q,
`Σ (p - q) ln(p / q)`: H. Jeffreys, "An invariant form for the prior probability in estimation problems", Proc. R. Soc.
A 186 (1946). For samples of n and m from one distribution over k bins, `PSI / (1/n + 1/m)` is asymptotically χ² with
k - 1 degrees of freedom: B. Yurdakul, "Statistical Properties of Population Stability Index", dissertation, Western
Michigan University (2018), theorem 3.2, which gives the p-value. scipy gives the same, but has 110 MB unzipped; the
tests compare with it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SMOOTHING = 0.5
"""Added to every bin (Jeffreys' prior), so that a bin empty in one sample does not make the index infinite."""

BLOCK_DEVIATION_FLOOR = 0.02
"""A block's standard deviation counts as at least this (pixels 0..1): at an image's edge it may be zero."""

MAX_PER_COMPONENT = 10.0
"""The most that one component adds: beyond three standard deviations a larger number says nothing new."""

_ITERATIONS = 1000
_PRECISION = 1e-15


@dataclass(frozen=True)
class Divergence:
    """`psi` ≥ 0: the distance. `p_value` in 0..1: the probability of at least this distance without any difference."""

    psi: float
    p_value: float


@dataclass(frozen=True)
class Moments:
    """The sums and the sums of squares of each component of `count` vectors."""

    count: int
    sums: tuple[float, ...]
    squares: tuple[float, ...]


def histogram_divergence(before: Sequence[int], after: Sequence[int]) -> Divergence:
    """Return the smoothed PSI of two histograms over the same bins. Bins that are empty in both are left out.

    Raises:
        ValueError: The histograms differ in length, or one is empty.
    """
    if len(before) != len(after):
        raise ValueError(f"histograms of {len(before)} and {len(after)} bins cannot be compared")
    bins = [(a, b) for a, b in zip(before, after, strict=True) if a or b]
    n, m = sum(before), sum(after)
    if n == 0 or m == 0:
        raise ValueError("an empty histogram cannot be compared")
    extra = SMOOTHING * len(bins)
    psi = 0.0
    for a, b in bins:
        p, q = (a + SMOOTHING) / (n + extra), (b + SMOOTHING) / (m + extra)
        psi += (p - q) * math.log(p / q)
    if len(bins) == 1:
        return Divergence(psi, 1.0)
    return Divergence(psi, chi_squared_tail(psi / (1 / n + 1 / m), len(bins) - 1))


def moments_divergence(before: Moments, after: Moments) -> Divergence:
    """Return the mean over the components of Jeffreys' divergence of two normal distributions with one variance.

    That is `(μ₁ - μ₂)² / σ²` with the pooled variance (S. Kullback, "Information Theory and Statistics", 1959, ch. 9),
    so it has the PSI's own unit. The p-value is that of the component that differs most, two-sided, times the number of
    components (Bonferroni), because components of one image are not independent.

    Raises:
        ValueError: The moments differ in length, or one sample is empty.
    """
    if len(before.sums) != len(after.sums) or len(before.squares) != len(after.squares):
        raise ValueError("moments of different numbers of components cannot be compared")
    n, m = before.count, after.count
    if n == 0 or m == 0:
        raise ValueError("the moments of no values cannot be compared")
    total = largest = 0.0
    for s, q, t, r in zip(before.sums, before.squares, after.sums, after.squares, strict=True):
        difference = s / n - t / m
        pooled = (max(0.0, q - s * s / n) + max(0.0, r - t * t / m)) / max(1, n + m - 2)
        distance = difference**2 / max(pooled, BLOCK_DEVIATION_FLOOR**2)
        total += min(distance, MAX_PER_COMPONENT)
        largest = max(largest, distance)
    components = len(before.sums)
    p_value = chi_squared_tail(largest / (1 / n + 1 / m), 1)
    return Divergence(total / components, min(1.0, components * p_value))


def chi_squared_tail(value: float, degrees: int) -> float:
    """Return P(χ² ≥ value), the upper regularised incomplete gamma function Q(degrees / 2, value / 2).

    Its series (DLMF 8.11.4) below a + 1, its continued fraction (DLMF 8.9.2, by Lentz's method) above.
    """
    a, x = degrees / 2, value / 2
    if x <= 0:
        return 1.0
    # In the far tail exp() gives 0.0, the nearest float.
    front = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for step in range(1, _ITERATIONS):
            term *= x / (a + step)
            total += term
            if term < total * _PRECISION:
                break
        return max(0.0, 1.0 - front * total)
    b = x + 1 - a
    c, d = math.inf, 1 / b
    fraction = d
    for step in range(1, _ITERATIONS):
        factor = -step * (step - a)
        b += 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return min(1.0, front * fraction)
