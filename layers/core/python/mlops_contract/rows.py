"""From JSON rows to the inputs of a table model, as its contract says. `RowEncoder` is made once for each model."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from mlops_contract.columns import Column, ColumnType
from mlops_contract.contract import CATEGORIES, NUMBERS, Contract
from mlops_contract.ordinary_rows import OrdinaryRows
from mlops_contract.values import ABSENT, ValueRefused, is_text, limits, listed, shown, take_of
from mlops_contract.whole_columns import encode_columns

__all__ = ["Encoded", "Feeds", "Refusal", "RowEncoder", "RowsRefused", "encode_columns"]

MAX_REFUSALS = 5
MAX_WARNINGS = 20
FEW_ROWS = 12
"""For fewer rows than this, a call for each value is faster than the fixed costs of an array for each column."""

Array = np.ndarray[Any, np.dtype[Any]]
Row = Mapping[str, Any]
Feeds = dict[str, Array]
"""The model's inputs by name, as onnxruntime takes them; an input that the model does not have is left out."""

_PLAIN: dict[ColumnType, frozenset[type]] = {
    ColumnType.DOUBLE: frozenset({float, int}),
    ColumnType.LONG: frozenset({float, int}),
    ColumnType.BOOLEAN: frozenset({bool}),
}
_NULL = frozenset({type(None)})


class Refusal(NamedTuple):
    """What is wrong with the value of a column in a row, which is counted from 0."""

    row: int
    column: str
    message: str


class RowsRefused(ValueError):
    """The model cannot be asked these rows. `refusals` are the first reasons, at most `MAX_REFUSALS`."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(f"row {row}, {column}: {message}" for row, column, message in refusals))
        self.refusals = tuple(refusals)


class Encoded(NamedTuple):
    """The model's inputs, and what callers should know about their rows."""

    feeds: Feeds
    warnings: list[str]


class RowEncoder:
    """Converts JSON rows to the model's inputs. What does not fit the contract is refused, never guessed."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._names = frozenset(column.name for column in contract.columns)
        in_order = sorted(contract.columns, key=lambda column: column.position)
        strings = [column for column in in_order if column.type is ColumnType.STRING]
        others = [column for column in in_order if column.type is not ColumnType.STRING]
        self._strings = [(column, column.name, take_of(column)) for column in strings]
        self._others = [(column, column.name, take_of(column)) for column in others]
        self._columns = [(column.name, take_of(column)) for column in contract.columns]
        self._dated = any(column.type is ColumnType.DATETIME for column in others)
        self._ordinary = OrdinaryRows.of(others, strings)
        self._seen = [
            (column.name, frozenset({*column.levels, column.null_token, None}))
            for column in contract.columns
            if column.levels is not None and not column.closed
        ]

    def encode(self, rows: Sequence[Row], *, batch: bool = False) -> Encoded:
        """Convert rows.

        Args:
            rows: JSON objects, at least one: the value of each column by its name.
            batch: Whether warnings name the row.

        Returns:
            The inputs (`numbers` float32 `[n, k]`, `categories` strings as objects `[n, m]`), and the warnings: a value
            that was not seen in training gets an answer, and a warning.

        Raises:
            RowsRefused: A row does not fit the contract.
        """
        if len(rows) == 1 and self._ordinary is not None and (ordinary := self._ordinary.feeds(rows[0])) is not None:
            return Encoded(ordinary, [])
        try:
            feeds = self._feeds(rows)
        except ValueRefused:
            raise RowsRefused(list(islice(self._refusals(rows), MAX_REFUSALS))) from None
        return Encoded(feeds, self._warnings(rows, batch))

    def _feeds(self, rows: Sequence[Row]) -> Feeds:
        for row in rows:
            if not row.keys() <= self._names:
                raise ValueRefused("unknown column")
        feeds = {}
        by_value = len(rows) < FEW_ROWS
        if self._others:
            feeds[NUMBERS] = self._numbers_by_value(rows) if by_value else self._numbers_by_column(rows)
        if self._strings:
            feeds[CATEGORIES] = self._categories_by_value(rows) if by_value else self._categories_by_column(rows)
        return feeds

    def _numbers_by_value(self, rows: Sequence[Row]) -> Array:
        matrix = [[take(row.get(name, ABSENT)) for _, name, take in self._others] for row in rows]
        if self._dated:
            matrix = [
                [part for value in values for part in (value if type(value) is tuple else (value,))]
                for values in matrix
            ]
        return np.array(matrix, np.float32)

    def _categories_by_value(self, rows: Sequence[Row]) -> Array:
        return np.array([[take(row.get(name, ABSENT)) for _, name, take in self._strings] for row in rows], object)

    def _numbers_by_column(self, rows: Sequence[Row]) -> Array:
        matrix = np.empty((len(rows), self.contract.numbers), np.float32)
        for column, name, take in self._others:
            values = [row.get(name, ABSENT) for row in rows]
            numbers = _numbers_at_once(column, values)
            if numbers is not None:
                matrix[:, column.position] = numbers
            else:
                block = np.array([take(value) for value in values], np.float64)
                matrix[:, column.position : column.positions.stop] = block.reshape(len(rows), -1)
        return matrix

    def _categories_by_column(self, rows: Sequence[Row]) -> Array:
        matrix = np.empty((len(rows), self.contract.categories), object)
        for column, name, take in self._strings:
            values = [row.get(name, ABSENT) for row in rows]
            strings = _strings_at_once(column, values)
            matrix[:, column.position] = strings if strings is not None else [take(value) for value in values]
        return matrix

    def _refusals(self, rows: Sequence[Row]) -> Iterator[Refusal]:
        for index, row in enumerate(rows):
            for name in row:
                if name not in self._names:
                    known = listed(tuple(column.name for column in self.contract.columns))
                    yield Refusal(index, name, f"is not a column of this model; its columns are {known}")
            for name, take in self._columns:
                try:
                    take(row.get(name, ABSENT))
                except ValueRefused as refused:
                    yield Refusal(index, name, str(refused))

    def _warnings(self, rows: Sequence[Row], batch: bool) -> list[str]:
        if not batch:
            unseen = [(0, name, row[name]) for row in rows for name, seen in self._seen if row.get(name) not in seen]
        else:
            unseen = []
            for name, seen in self._seen:
                values = [row.get(name) for row in rows]
                if not seen.issuperset(values):
                    unseen += [(index, name, value) for index, value in enumerate(values) if value not in seen]
            unseen.sort(key=lambda one: one[0])
        warnings = [
            f"{f'rows.{index}.' if batch else ''}{name}: {shown(value)} was not seen in training"
            for index, name, value in unseen[:MAX_WARNINGS]
        ]
        if len(unseen) > MAX_WARNINGS:
            warnings[-1] = f"{len(unseen) - MAX_WARNINGS + 1} further values were not seen in training"
        return warnings


def _numbers_at_once(column: Column, values: list[Any]) -> Array | None:
    """Return a column's numbers, float64 `[n]`, without a call for each; None if some value needs a closer look."""
    plain = _PLAIN.get(column.type)
    if plain is None or not {*map(type, values)} <= (plain | _NULL if column.null_ok else plain):
        return None
    try:
        numbers = np.array(values, np.float64)  # null becomes NaN
    except OverflowError:
        return None
    due = len(values) - values.count(None)
    if column.type is not ColumnType.BOOLEAN:
        low, high = limits(column)
        if np.count_nonzero((numbers >= low) & (numbers <= high)) != due:
            return None
    if column.type is ColumnType.LONG and np.count_nonzero(numbers == np.rint(numbers)) != due:
        return None
    return numbers


def _strings_at_once(column: Column, values: list[Any]) -> list[str] | None:
    """Return a column's strings, null as its token, without a call for each; None if some need a closer look."""
    if not {*map(type, values)} <= {str, type(None)}:
        return None
    distinct, nulls = set(values), {None, column.null_token}
    if not column.null_ok and not distinct.isdisjoint(nulls):
        return None
    unseen = distinct.difference(column.levels or (), nulls)
    if unseen and (column.closed or not all(map(is_text, unseen))):
        return None
    return [column.null_token if value is None else value for value in values] if None in distinct else values
