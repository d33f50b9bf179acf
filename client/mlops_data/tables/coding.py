"""Turn the columns of a table into the coded matrix that models are trained on, and into their contract.

The coded matrix has the numbers first, in the order of the columns, and then one code for each column of categories.
"""

import functools
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
    counts = {part: int((values.parts == code).sum()) for part, code in PARTS.items()}
    _check_memory(name, len(values.parts), len(features))
    inputs = {part: np.empty((count, len(features)), np.float32) for part, count in counts.items()}
    first = {reading.position: column.position for reading, column in zip(readings, columns, strict=True)}
    strings = [reading for reading in readings if reading.type is ColumnType.STRING]
    dates = {reading.position for reading in readings if reading.type is ColumnType.DATETIME}
    written = _Writer(inputs, values.parts)
    for positions, pieces in values.numbers([r.position for r in readings if r.type is not ColumnType.STRING]):
        for position, piece in zip(positions, pieces, strict=True):
            written.add(first[position], date_parts(piece) if position in dates else piece[:, None])
    offset = len(features) - len(strings)
    for reading in strings:
        for piece in values.codes(reading.position, [level for level, _ in facts[reading.position].levels or ()]):
            written.add(offset + first[reading.position], piece[:, None])
    return Coded(inputs, features, columns)


class _Writer:
    """Writes the rows of columns, piece by piece, into the matrix of their part."""

    def __init__(self, inputs: Mapping[str, np.ndarray], parts: np.ndarray) -> None:
        self._inputs, self._parts = inputs, parts
        self._done: dict[int, tuple[int, dict[str, int]]] = {}
        self._rows_of = functools.lru_cache(maxsize=1)(self._rows)

    def add(self, place: int, piece: np.ndarray) -> None:
        """Write the next rows, float `[rows, k]`, of the features at `place` and after it."""
        start, ends = self._done.get(place, (0, dict.fromkeys(self._inputs, 0)))
        for part, chosen in self._rows_of(start, start + len(piece)).items():
            rows = piece[chosen]
            self._inputs[part][ends[part] : ends[part] + len(rows), place : place + piece.shape[1]] = rows
            ends[part] += len(rows)
        self._done[place] = start + len(piece), ends

    def _rows(self, start: int, end: int) -> dict[str, np.ndarray]:
        """Return the places of each part's rows in a piece, int64 `[n]`. The columns of a piece have the same."""
        parts = self._parts[start:end]
        return {part: np.flatnonzero(parts == code) for part, code in PARTS.items()}


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
