"""Which class a classifier answers with, of the probabilities of all.

It is the most probable one. A model of two classes may have a threshold: then it is the second class from this
probability on, else the first. Whoever compares or counts answers decides as here.
"""

from typing import Any

import numpy as np

SECOND = 1
"""The place of the class that a threshold is about, as in the area under the ROC curve."""


Array = np.ndarray[Any, np.dtype[Any]]


def places_of(probabilities: Array, threshold: float | None) -> Array:
    """Return the place of each row's answer among the classes, int64 `[n]`.

    Args:
        probabilities: float `[n, classes]`.
        threshold: That of a model of two classes; None for the most probable class, the first of equal ones.
    """
    # The threshold in float32, as the model answers: 0.3 is met by the float32 that is nearest to it.
    places: Array = (
        probabilities.argmax(axis=1)
        if threshold is None
        else (probabilities[:, SECOND] >= np.float32(threshold)).astype(np.int64)
    )
    return places


def confidences_of(probabilities: Array, places: Array) -> Array:
    """Return the probability of each row's answer, `[n]`. With a threshold it may be below one half."""
    confidences: Array = probabilities[np.arange(len(probabilities)), places]
    return confidences
