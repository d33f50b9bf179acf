"""The row that most callers send, converted with few calls: all columns, open numbers, and levels of training."""

from collections.abc import Callable, Mapping, Sequence
from operator import contains, itemgetter
from typing import Any

import numpy as np

from mlops_contract.columns import Column, ColumnType
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.values import limits

_NUMBER_TYPES = frozenset({float, int})

Values = Callable[[Mapping[str, Any]], tuple[Any, ...]]


class OrdinaryRows:
    """Converts one row at a time, and leaves each row that needs a closer look to others."""

    def __init__(self, numbers: Sequence[Column], strings: Sequence[Column]) -> None:
        self._count = len(numbers) + len(strings)
        self._numbers, self._strings = _values_of(numbers), _values_of(strings)
        self._limits = max((limits(column) for column in numbers), default=(0.0, 0.0))
        self._levels = [frozenset(column.levels or ()) - {column.null_token} for column in strings]

    @classmethod
    def of(cls, numbers: Sequence[Column], strings: Sequence[Column]) -> "OrdinaryRows | None":
        """Return the converter of columns in the order of their positions; None if no row of theirs is ordinary."""
        opens = all(column.type is ColumnType.DOUBLE and not column.closed for column in numbers)
        return cls(numbers, strings) if opens and all(column.levels for column in strings) else None

    def feeds(self, row: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """Return the inputs of one row, float32 `[1, k]` and strings `[1, m]`; None if it needs a closer look."""
        if len(row) != self._count:
            return None
        try:
            numbers, strings = self._numbers(row), self._strings(row)
            if not all(map(contains, self._levels, strings)):
                return None
        except (KeyError, TypeError):  # another column; a list or an object, which no set takes
            return None
        feeds = {}
        if numbers:
            low, high = self._limits
            if not ({*map(type, numbers)} <= _NUMBER_TYPES and low <= min(numbers) and max(numbers) <= high):
                return None
            feeds[NUMBERS] = np.array([numbers], np.float32)
        if strings:
            feeds[CATEGORIES] = np.array([strings], object)
        return feeds


def _values_of(columns: Sequence[Column]) -> Values:
    """Return the function that takes the columns' values out of a row, in order. It raises KeyError."""
    names = [column.name for column in columns]
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)
