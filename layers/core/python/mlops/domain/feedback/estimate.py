"""Estimate the accuracy of predictions without labels, from their confidences (the idea of CBPE, confidence-based
performance estimation, by NannyML; C. Guo et al., ICML 2017, on why confidences themselves are no probabilities).

On the held-out rows the accuracy in each bin of confidence was measured. The estimate is the mean of these accuracies,
weighted by the live predictions in each bin. It holds if an answer with a given confidence is right as often as it was
then, and if the held-out rows have all kinds of rows that come now. It cannot see that the same inputs now have other
labels (concept drift): the confidences stay as they were.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.domain.drift.counts import TOP_BINS, top_bin_name
from mlops_contract.confidence_bins import BINS, TENTHS, centre_of

FIELD = "accuracy_by_confidence"
"""Of a manifest's reference."""
LEAST_PREDICTIONS = 100
_PRIOR_ROWS = 2
"""A bin with few held-out rows is taken to be as right as its confidence says: as if it had so many rows more."""


@dataclass(frozen=True)
class EstimatedAccuracy:
    """The estimate. `error` is its standard error, as the held-out rows and the predictions are samples."""

    accuracy: float
    error: float
    predictions: int


def estimated_accuracy(
    reference: Mapping[str, Any] | None, hours: Iterable[Mapping[str, int]]
) -> EstimatedAccuracy | None:
    """Return the estimate; None if the reference has no accuracies, or with fewer than 100 predictions.

    Args:
        reference: That of the manifest.
        hours: The counts of predictions of each hour. Those that were counted by a version of the platform without the
            finer bins are left out.
    """
    measured = (reference or {}).get(FIELD)
    if not isinstance(measured, Mapping):
        return None
    counts, right = measured.get("counts", ()), measured.get("right", ())
    if len(counts) != BINS or len(right) != BINS:  # of a later version
        return None
    live = _live(hours)
    total = sum(live)
    if total < LEAST_PREDICTIONS:
        return None
    accuracy = variance = 0.0
    for place, number in enumerate(live):
        rows = counts[place] + _PRIOR_ROWS
        share = (right[place] + _PRIOR_ROWS * centre_of(place)) / rows
        weight = number / total
        accuracy += weight * share
        variance += share * (1 - share) * (weight * weight / rows + weight / total)
    return EstimatedAccuracy(accuracy, math.sqrt(variance), total)


def _live(hours: Iterable[Mapping[str, int]]) -> Sequence[int]:
    live = [0] * BINS
    for hour in hours:
        top = [hour.get(top_bin_name(place), 0) for place in range(TOP_BINS)]
        if sum(top) != hour.get("c9", 0):
            continue
        for place, number in enumerate([*(hour.get(f"c{place}", 0) for place in range(TENTHS)), *top]):
            live[place] += number
    return live
