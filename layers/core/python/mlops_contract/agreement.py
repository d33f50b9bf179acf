"""When the answers of two models agree: the rule of the proof in training, and of promotion's gate."""

from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-4
"""By how much answers may differ: probabilities, or parts of the target's interquartile range."""
ULPS = 4
"""Whatever the range, float32 answers may differ by this many times their precision."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Agreement:
    """How the answers to `n` rows differ.

    Attributes:
        differences: float64 `[n, k]`; infinite where an answer is not a number.
        limits: By how much they may differ, float64 `[n, k]`.
    """

    differences: Array
    limits: Array

    @property
    def off(self) -> Array:
        """Which rows disagree, bool `[n]`."""
        off: Array = np.any(self.differences > self.limits, axis=1)
        return off


def agreement(expected: Array, answers: Array, scale: float | Array) -> Agreement:
    """Compare answers.

    Args:
        expected: Those of the original, float64 `[n, k]`.
        answers: Those of the converted model, float64 `[n, k]`.
        scale: 1 for probabilities; for a quantity the target's interquartile range, or more where answers are larger.
    """
    with np.errstate(invalid="ignore"):
        differences: Array = np.where(expected == answers, 0.0, np.abs(expected - answers))
    differences[np.isnan(differences)] = np.inf
    sizes = np.where(np.isfinite(expected), np.abs(expected), 0.0)
    limits = np.maximum(TOLERANCE * scale, ULPS * np.finfo(np.float32).eps * sizes)
    return Agreement(differences, limits)
