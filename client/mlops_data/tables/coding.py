"""Turn the columns of a table into the coded matrix that models are trained on, and into their contract.

The coded matrix has the numbers first, in the order of the columns, and then one code for each column of categories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlops_contract import DATE_PARTS, Column, ColumnType
from mlops_contract.dates import date_parts
from mlops_data.dataset import Feature
from mlops_data.errors import DataError
from mlops_data.memory import memory_limit
from mlops_data.splitting import PARTS
from mlops_data.tables.inference import Reading
from mlops_data.tables.values import Facts, Values

MEMORY_USES = 2
"""Training needs at least this many times the memory of the matrix."""
DATES_AT_ONCE = 100_000
LIMITED = (ColumnType.LONG, ColumnType.DOUBLE)
"""The types whose lowest and highest number stand in the contract."""


@dataclass(frozen=True, eq=False)
class Coded:
    """The coded matrix of each part, and what its positions hold.

    Attributes:
        inputs: float32 `[n, features]` by the name of the part; NaN is missing.
        features: What each position holds.
        columns: The columns of the contract, in the order of the table.
    """

    inputs: Mapping[str, np.ndarray]
    features: tuple[Feature, ...]
    columns: tuple[Column, ...]


def coded(name: str, values: Values, readings: Sequence[Reading], facts: Mapping[int, Facts]) -> Coded:
    """Code the columns that `readings` names. Levels and limits come from the training rows' `facts`.

    Raises:
        DataError: The matrix does not fit into the memory.
    """
    features, columns = _layout(readings, facts)
    masks = {part: values.parts == code for part, code in PARTS.items()}
    _check_memory(name, len(values.parts), len(features))
    inputs = {part: np.empty((int(mask.sum()), len(features)), np.float32) for part, mask in masks.items()}
    first = {reading.position: column.position for reading, column in zip(readings, columns, strict=True)}
    strings = [reading for reading in readings if reading.type is ColumnType.STRING]
    numbers = [reading for reading in readings if reading.type is not ColumnType.STRING]
    types = {reading.position: reading.type for reading in numbers}
    for block in values.blocks(list(types)):
        for position, column in zip(block, values.numbers(block), strict=True):
            for part, mask in masks.items():
                _write_number(inputs[part][:, first[position] :], column[mask], types[position])
    offset = len(features) - len(strings)
    for reading in strings:
        codes = values.codes(reading.position, [level for level, _ in facts[reading.position].levels or ()])
        for part, mask in masks.items():
            inputs[part][:, offset + first[reading.position]] = codes[mask]
    return Coded(inputs, features, columns)


def _write_number(matrix: np.ndarray, values: np.ndarray, kind: ColumnType) -> None:
    """Write a column at the left of `matrix`; a datetime takes several positions, and much memory while it is split."""
    if kind is not ColumnType.DATETIME:
        matrix[:, 0] = values
        return
    for start in range(0, len(values), DATES_AT_ONCE):
        rows = slice(start, start + DATES_AT_ONCE)
        matrix[rows, : len(DATE_PARTS)] = date_parts(values[rows])


def _layout(readings: Sequence[Reading], facts: Mapping[int, Facts]) -> tuple[tuple[Feature, ...], tuple[Column, ...]]:
    numbers: list[Feature] = []
    categories: list[Feature] = []
    columns = []
    for reading in readings:
        found = facts[reading.position]
        if reading.type is ColumnType.STRING:
            levels = tuple(level for level, _ in found.levels or ())
            columns.append(Column(reading.name, reading.type, len(categories), levels=levels))
            categories.append(Feature(reading.name, reading.name, levels))
            continue
        low, high = (found.low, found.high) if reading.type in LIMITED else (None, None)
        columns.append(Column(reading.name, reading.type, len(numbers), low=low, high=high))
        names = [reading.name]
        if reading.type is ColumnType.DATETIME:
            names = [f"{reading.name}.{part}" for part in DATE_PARTS]
        numbers += [Feature(name, reading.name, None) for name in names]
    return (*numbers, *categories), tuple(columns)


def _check_memory(name: str, rows: int, features: int) -> None:
    needed, limit = MEMORY_USES * rows * features * np.dtype(np.float32).itemsize, memory_limit()
    if needed > limit:
        raise DataError(
            f"{name}: {rows:,} rows of {features:,} features need about {needed / 1024**3:.1f} GiB of memory to train "
            f"on, and the job has {limit / 1024**3:.1f} GiB; give the job more memory, or use fewer rows or columns"
        )
