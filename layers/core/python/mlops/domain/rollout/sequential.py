"""Tests that may be looked at after every request: e-values, from counts alone. Standard library only.

The e-value of a hypothesis is the wealth of a fair game against it. If the hypothesis is true, the probability that the
e-value ever reaches 1/α is at most α, however often somebody looks (Ville's inequality). So a test stops there, and has
no schedule of looks. Sources: A. Ramdas, P. Grünwald, V. Vovk and G. Shafer, Game-theoretic statistics and safe
anytime-valid inference, Statistical Science 38(4), 2023; M. Lindon and A. Malek, Anytime-valid inference for
multinomial count data, arXiv 2011.03567; I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by
betting, JRSS B 86(1), 2024. All return logarithms, because e-values get larger than a float.
"""

import math
from collections.abc import Sequence

STAKES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of the wealth that the game about pairs bets, all of them side by side."""
_TINY = 1e-300
_PRECISION = 1e-12
_MOST_TERMS = 100_000


def excess(k: float, n: float, limit: float) -> float:
    """Return the log e-value against "the rate is at most `limit`", for k of n.

    It is the likelihood of the counts, averaged over all rates above the limit alike, divided by that at the limit:
    ``ln B(k+1, n-k+1) + ln[1 - I(limit; k+1, n-k+1)] - ln(1-limit) - k ln limit - (n-k) ln(1-limit)``, and -inf while
    k ≤ limit n. The likelihood ratio is convex in each observation. So an observation may also be a share between 0
    and 1, such as that of the rows of one request, and k is then their sum.

    Args:
        k: How many observations are of the kind, or the sum of their shares; 0 to n.
        n: The number of observations.
        limit: The largest rate that is fine, above 0 and below 1.
    """
    if not 0 < limit < 1 or not 0 <= k <= n:
        raise ValueError(f"not 0 < {limit} < 1, or not 0 <= {k} <= {n}")
    if k <= limit * n:
        return -math.inf
    a, b = k + 1, n - k + 1
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    above = _share_below(b, a, 1 - limit)  # 1 - I(limit; a, b)
    return log_beta + math.log(above) - math.log1p(-limit) - k * math.log(limit) - (n - k) * math.log1p(-limit)


def worse(lost: float, won: float, n: int, margin: float) -> float:
    """Return the log e-value against "the challenger is right in at most `margin` fewer of the rows".

    Both versions were asked the same rows. The game bets on the difference x of a row: -1 if only the champion was
    right, 1 if only the challenger was, 0 otherwise. With each stake λ its wealth is multiplied by 1 - λ (x + margin).
    An observation may also be a share between, such as that of the rows of one request: the logarithm of the wealth is
    concave in x, so counting the share has less wealth than the game.

    Args:
        lost: Rows that only the champion answered right, or the sum of their shares.
        won: Rows that only the challenger answered right, likewise.
        n: All rows whose label is known.
        margin: A share of the rows, 0 to 1.
    """
    if not 0 <= margin <= 1 or min(lost, won) < 0 or lost + won > n:
        raise ValueError(f"not 0 <= {margin} <= 1, or not {lost} + {won} <= {n}")
    return log_mean(
        [
            lost * math.log1p(stake * (1 - margin))
            + won * math.log1p(-stake * (1 + margin))
            + (n - lost - won) * math.log1p(-stake * margin)
            for stake in STAKES
        ]
    )


def log_mean(logarithms: Sequence[float]) -> float:
    """Return the logarithm of the mean of numbers that are given as logarithms. The mean of e-values is one, too."""
    largest = max(logarithms)
    if largest == -math.inf:
        return -math.inf
    return largest + math.log(math.fsum(math.exp(value - largest) for value in logarithms) / len(logarithms))


def _share_below(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I(x; a, b): the probability that a beta variable is below x.

    Lentz's method for the continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions.
    """
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, the other tail's does not
        return 1 - _share_below(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x) - math.log(a)
    )
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return front * fraction


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
