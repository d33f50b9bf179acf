"""The rows that a proof asks: held-out ones, and variants of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_contract import Column, ColumnType, Contract
from mlops_contract.values import limits
from mlops_conversion.proof.proof import Kind

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Array]
"""A value per row for each column: float64 with NaN for numbers and booleans, `datetime64` with NaT for datetimes,
str with None for strings."""

POINTS_PER_COLUMN = 2_000
POINTS_IN_ALL = 50_000
QUANTILES = 100
UNUSUAL_TEXT = ("a value never seen", "Straße naïve №", "it's o'clock", "two\nlines", " padded ", "UPPER lower", "0")
_NULLS = {"O": None, "M": np.datetime64("NaT"), "f": np.nan}


def rounded(contract: Contract, columns: Columns) -> dict[str, Array]:
    """Return the columns as both models see them: numbers rounded to float32, every missing value the type's own."""
    return {column.name: _typed(column, columns[column.name]) for column in contract.columns}


def _typed(column: Column, values: Any) -> Array:
    if column.type is ColumnType.DATETIME:
        return np.asarray(values, "M8[us]")
    if column.type is ColumnType.STRING:
        array = np.array(values, object)
        array[[not isinstance(value, str) for value in array]] = None
        return array
    return np.array(values, np.float64).astype(np.float32).astype(np.float64)


def spread(columns: Columns, most: int) -> dict[str, Array]:
    """Return at most so many rows, evenly spread."""
    return taken(columns, evenly(count(columns), most))


def evenly(number: int, most: int) -> Array:
    """Return at most so many positions, int64, evenly spread over a number of them."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).astype(np.int64))


def is_null(values: Array) -> Array:
    """Return which values are missing, bool `[n]`."""
    if values.dtype == object:
        return np.array([value is None for value in values], bool)
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


def allowed(contract: Contract, columns: Columns) -> Array:
    """Return which rows the contract allows, bool `[n]`."""
    result = np.ones(count(columns), bool)
    for column in contract.columns:
        values = columns[column.name]
        missing = is_null(values)
        if not column.null_ok:
            result &= ~missing
        if column.closed and column.type is ColumnType.STRING:
            result &= missing | _among(values, column.levels or ())
        elif column.closed:
            low, high = limits(column)
            result &= missing | ((values >= low) & (values <= high))
    return result


def _among(values: Array, levels: Sequence[str]) -> Array:
    known = set(levels)
    return np.array([value in known for value in values], bool)


def count(columns: Columns) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values())))


def taken(columns: Columns, rows: Array | slice) -> dict[str, Array]:
    """Return some of the rows."""
    return {name: values[rows] for name, values in columns.items()}


def complete(contract: Contract, columns: Columns, rows: int) -> dict[str, Array]:
    """Return rows spread over all, with nothing missing and nothing unseen.

    Such values are filled from other rows, so that a row's variants differ from it in the column that is changed only.
    """
    at = evenly(count(columns), rows)
    result = {}
    for column in contract.columns:
        values = columns[column.name]
        usual = ~is_null(values)
        if column.levels is not None:
            usual &= _among(values, column.levels)
        result[column.name] = values[at]
        if usual.any():
            result[column.name][~usual[at]] = np.resize(values[usual], int((~usual[at]).sum()))
    return result


@dataclass(frozen=True, eq=False)
class Question:
    """Rows in which one column has each of these values at least once, and the others what they have."""

    kind: Kind
    column: str
    values: Array

    def size(self, base: Columns) -> int:
        """Return the number of its rows."""
        return max(count(base), len(self.values))


def nulls(values: Array) -> Array:
    """Return a missing value for each of the values."""
    return np.full_like(values, _NULLS[values.dtype.kind])


def groups(base: Columns, questions: Sequence[Question], rows: int) -> Iterator[list[Question]]:
    """Return the questions in groups of at most so many rows; a larger question has a group of its own."""
    group: list[Question] = []
    size = 0
    for question in questions:
        if group and size + question.size(base) > rows:
            yield group
            group, size = [], 0
        group.append(question)
        size += question.size(base)
    if group:
        yield group


def asked(base: Columns, questions: Sequence[Question]) -> tuple[dict[str, Array], list[slice]]:
    """Return the rows of some questions, and which of them are whose."""
    sizes = [question.size(base) for question in questions]
    ends = np.cumsum(sizes)
    parts = [slice(int(end) - size, int(end)) for size, end in zip(sizes, ends, strict=True)]
    result = taken(base, np.concatenate([np.resize(np.arange(count(base)), size) for size in sizes]))
    for question, part, size in zip(questions, parts, sizes, strict=True):
        result[question.column][part] = np.resize(question.values, size)
    return result, parts


def unseen(column: Column, values: Array) -> list[str]:
    """Return text that the column does not have: unusual, and known values in capitals."""
    known = set(column.levels or ()) | set(values[~is_null(values)]) | {column.null_token}
    capitals = [text.upper() for text in sorted(known)[:5]]
    return [text for text in dict.fromkeys((*UNUSUAL_TEXT, *capitals)) if text not in known and text]


def extremes(column: Column, values: Array) -> Array:
    """Return the ends of a number's values, and zero if it is among them; for a boolean, both; for text, none.

    A datetime has no range in the contract, so a year beyond its ends is asked too.
    """
    if column.type is ColumnType.BOOLEAN:
        return np.array([0.0, 1.0])
    if column.type is ColumnType.DATETIME:
        known = values[~is_null(values)]
        if not len(known):
            return known
        low, high, year = known.min(), known.max(), np.timedelta64(366, "D")
        return np.array([low, high, np.datetime64("2000-01-01"), low - year, high + year], values.dtype)
    ends = _range(column, values)
    if ends is None:
        return values[:0]
    low, high = ends
    return _within(column, np.array([low, high, min(max(0.0, low), high)]))


def beyond(column: Column, values: Array) -> Array:
    """Return numbers beyond the range of a number's values, and zero if it is one of them; for others, none."""
    ends = _range(column, values)
    if ends is None:
        return values[:0]
    low, high = ends
    span = max(high - low, 1.0)
    asked = np.array([low - span, high + span, 0.0])
    return _within(column, asked[(asked < low) | (asked > high)])


def _range(column: Column, values: Array) -> tuple[float, float] | None:
    """Return the lowest and the highest number of a column; None for other types, and if there is none."""
    if column.type not in (ColumnType.DOUBLE, ColumnType.LONG):
        return None
    known = values[~is_null(values)]
    if not len(known):
        return None
    low = known.min() if column.low is None else min(known.min(), column.low)
    high = known.max() if column.high is None else max(known.max(), column.high)
    return float(low), float(high)


def points(contract: Contract, columns: Columns, thresholds: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Return for each column of numbers the values at its thresholds and the next ones to either side.

    A column without thresholds has quantiles instead: an encoder may stand between it and the model.
    """
    kinds = (ColumnType.DOUBLE, ColumnType.LONG)
    numbers = [column for column in contract.columns if column.type in kinds]
    most = min(POINTS_PER_COLUMN, POINTS_IN_ALL // max(len(numbers), 1))
    for column in numbers:
        known = columns[column.name][~is_null(columns[column.name])]
        quantiles = np.quantile(known, np.linspace(0, 1, QUANTILES), method="lower") if len(known) else known
        given = np.unique(np.asarray(thresholds.get(column.name, quantiles), np.float32))
        given = given[np.unique(np.linspace(0, len(given) - 1, min(max(most // 3, 1), len(given))).astype(np.int64))]
        values = _within(column, _beside(column, given))
        if len(values):
            yield column.name, values


def _beside(column: Column, values: Array) -> Array:
    """Return the values and those next to them that the column can have."""
    if column.type is ColumnType.LONG:
        doubles = values.astype(np.float64)
        return np.concatenate([np.ceil(doubles) - 1, np.floor(doubles), np.floor(doubles) + 1])
    ends = [np.nextafter(values, np.float32(end)) for end in (-np.inf, np.inf)]
    return np.concatenate([ends[0], values, ends[1]])


def _within(column: Column, values: Array) -> Array:
    """Return the values that the column can have, as float32 has them."""
    lowest, highest = limits(column)
    doubles = np.unique(np.asarray(values, np.float64))
    if column.type is ColumnType.LONG:
        doubles = np.unique(np.round(doubles))
    return doubles[(doubles >= lowest) & (doubles <= highest)].astype(np.float32).astype(np.float64)


def json_rows(contract: Contract, columns: Columns) -> list[dict[str, Any]]:
    """Return whole columns as rows, as callers send them."""
    return [
        {column.name: _json_value(column.type, columns[column.name][row]) for column in contract.columns}
        for row in range(count(columns))
    ]


def _json_value(kind: ColumnType, value: Any) -> Any:
    if kind is ColumnType.STRING:
        return value
    if kind is ColumnType.DATETIME:
        return None if np.isnat(value) else f"{np.datetime_as_string(value, unit='s')}Z"
    if np.isnan(value):
        return None
    types = {ColumnType.LONG: int, ColumnType.BOOLEAN: bool}
    return types.get(kind, float)(value)
