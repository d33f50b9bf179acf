"""The share that each feature of a table has in a model's answers."""

import numpy as np


def shares(measure: np.ndarray, sources: np.ndarray, names: tuple[str, ...]) -> dict[str, float] | None:
    """Return the importance of each feature; together they are 1.

    Args:
        measure: Of each input of the estimator, `[width]`, at least 0.
        sources: The feature that each of them is made of, int64 `[width]`.
        names: The features' names; without names the result is None.
    """
    if not names:
        return None
    sums = np.bincount(sources, measure, minlength=len(names))
    total = sums.sum() or 1.0
    return {name: float(value / total) for name, value in zip(names, sums, strict=True)}
