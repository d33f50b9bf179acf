"""The bins of confidences in which accuracy is measured on held-out rows, and in which live predictions are counted.

Nine tenths up to 0.9, and ten bins above, which become finer towards 1, where most answers of a good model are. They
are the same for all models, so that a count needs to know nothing of the model. Needs the standard library only.
"""

from bisect import bisect_right

EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999)
BINS = len(EDGES) + 1
TENTHS = 9
"""How many of the bins are tenths: the first ones."""


def bin_of(confidence: float) -> int:
    """Return the bin of a confidence. An edge belongs to the bin above it."""
    return bisect_right(EDGES, confidence)


def centre_of(place: int) -> float:
    """Return the middle of a bin."""
    bounds = (0.0, *EDGES, 1.0)
    return (bounds[place] + bounds[place + 1]) / 2
