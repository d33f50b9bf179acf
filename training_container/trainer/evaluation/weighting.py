"""The weights of rows."""

import numpy as np

from mlops_data.errors import DataError


def row_weights(weights: np.ndarray | None, count: int) -> np.ndarray:
    """Return how much each row counts, float64 `[n]`: 1 without weights. Raises DataError if nothing counts."""
    if weights is None:
        return np.ones(count)
    if not weights.sum() > 0:
        raise DataError("all rows to measure the model on have the weight 0; give some of them a positive weight")
    return weights.astype(np.float64)
