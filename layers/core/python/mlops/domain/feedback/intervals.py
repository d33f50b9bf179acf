"""95 % intervals: Wilson's for shares, the bootstrap over blocks of hours for everything else."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
RESAMPLES = 200
MOST_BLOCKS, LEAST_BLOCKS = 30, 5
MOST_NAMES = 500
"""Of totals. With more, such as the pairs of a hundred classes, a bootstrap would take too long."""
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_SEED = 20

Sums = dict[str, int]


class Estimate(NamedTuple):
    """A figure with its 95 % interval, whose ends are None if there is too little to say."""

    value: float
    low: float | None = None
    high: float | None = None


def total(hours: Iterable[Mapping[str, int]]) -> Sums:
    """Return the sum of the totals of hours."""
    totals: Counter[str] = Counter()
    for hour in hours:
        totals.update(hour)
    return dict(totals)


def wilson(hits: int, count: int) -> Estimate:
    """Return a share with Wilson's score interval (JASA 22, 1927)."""
    share, square = hits / count, _Z * _Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _Z / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(
    hours: Sequence[Mapping[str, int]], figures: Callable[[Sums], dict[str, float | None]]
) -> dict[str, tuple[float, float]]:
    """Return the percentile intervals of figures of totals (Efron 1979).

    Hours are drawn as a whole, because the predictions of an hour resemble each other. There are at most 30 blocks of
    consecutive hours. The same hours always give the same intervals.

    Args:
        hours: The totals of each hour with labels, in order.
        figures: Computes figures from sums of totals. A figure that is None once has no interval.
    """
    if len(hours) < LEAST_BLOCKS:
        return {}
    names = sorted({name for hour in hours for name in hour})
    if len(names) > MOST_NAMES:
        return {}
    count = min(MOST_BLOCKS, len(hours))
    blocks = [[0] * len(names) for _ in range(count)]
    for place, hour in enumerate(hours):
        block = blocks[place * count // len(hours)]
        for index, name in enumerate(names):
            block[index] += hour.get(name, 0)
    drawn, source = [], random.Random(_SEED)
    for _ in range(RESAMPLES):
        columns = zip(*source.choices(blocks, k=count), strict=True)
        drawn.append(figures(dict(zip(names, map(sum, columns), strict=True))))
    intervals = {}
    for name in drawn[0]:
        values = [value for each in drawn if (value := each[name]) is not None]
        if len(values) == RESAMPLES:
            values.sort()
            tail = round((1 - CONFIDENCE) / 2 * RESAMPLES)
            intervals[name] = values[tail], values[-1 - tail]
    return intervals
