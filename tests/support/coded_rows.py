"""Code a row of a table as the trainer does, so that a model can be asked."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from mlops_contract import ColumnType
from mlops_contract.dates import date_parts
from mlops_data.dataset import Dataset

Cell = float | str | None


def coded_row(dataset: Dataset, row: Sequence[Cell]) -> np.ndarray:
    """float32 `[features]` of one value for each column of the contract, in its order. Datetimes are ISO text."""
    contract = dataset.contract
    assert contract is not None
    coded = np.full(contract.numbers + contract.categories, np.nan, np.float32)
    for column, value in zip(contract.columns, row, strict=True):
        if value is None:
            continue
        if column.type is ColumnType.STRING:
            levels = column.levels or ()
            code = levels.index(str(value)) if value in levels else len(levels)
            coded[contract.numbers + column.position] = code
        elif column.type is ColumnType.DATETIME:
            seconds = datetime.fromisoformat(str(value)).replace(tzinfo=UTC).timestamp()
            coded[list(column.positions)] = date_parts(np.array([seconds]))[0]
        else:
            coded[column.position] = float(value)
    return coded
