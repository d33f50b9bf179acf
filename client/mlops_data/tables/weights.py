"""Read how much each row of a table counts."""

import numpy as np

from mlops_data.errors import DataError
from mlops_data.splitting import TRAIN
from mlops_data.tables.cells import Cells
from mlops_data.tables.inference import Inferred


def read_weights(cells: Cells, inferred: Inferred, column: str | None, parts: np.ndarray) -> np.ndarray | None:
    """Return the rows' weights, float32 `[n]`; None if there is no such column.

    Args:
        cells: The table.
        inferred: How its numbers are read.
        column: The column of the weights.
        parts: The rows' parts, int8 `[n]`; negative for rows that are left out, whose weights do not matter.

    Raises:
        DataError: A weight is missing, negative or no number, or the training rows have none above zero.
    """
    if column is None:
        return None
    position = cells.columns.index(column)
    weights = cells.array(inferred.reading(position, "number").value, position, np.nan).astype(np.float32)
    kept = parts >= 0
    wrong = np.flatnonzero(kept & ~(weights >= 0))
    if len(wrong):
        row = int(wrong[0])
        problem = "is missing" if np.isnan(weights[row]) else "is negative"
        raise DataError(f"{cells.place(row, position)}: the weight {problem}; correct it, or remove the row")
    if not weights[parts == TRAIN].any():
        raise DataError(f"{cells.name}: weight: the column {column!r} is 0 in all training rows; name another column")
    return weights
