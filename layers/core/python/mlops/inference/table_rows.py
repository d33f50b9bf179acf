"""Rows as callers may send them to a table model, made from its contract."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from mlops_contract import Column, ColumnType, Contract
from mlops_contract.columns import LARGEST_WHOLE
from mlops_contract.values import limits

COUNT = 100
SEED = 20_231
_FIRST_DAY = datetime(2000, 1, 1)
_LARGEST = 3.4e38
"""Of the numbers that are sent; float32 has hardly larger ones."""
_UNSEEN = "a value that training has not seen"

Row = dict[str, Any]
Draw = Callable[[Column, Random], Any]


def plain_row(contract: Contract) -> Row:
    """Return a row that every model of the contract takes: zeros, and the most frequent strings."""
    return {column.name: _plain(column, Random(SEED)) for column in contract.columns}


def example_row(contract: Contract) -> Row:
    """Return a row for people to read: numbers from the middle of their range, and the most frequent strings."""
    return {column.name: _middle(column) for column in contract.columns}


def generated_table_rows(contract: Contract, seed: int = SEED) -> Iterator[tuple[str, list[Row]]]:
    """Yield rows that the contract allows, a hundred at a time, each hundred with a name."""
    random = Random(seed)
    draws: dict[str, Draw] = {
        "zeros": _plain,
        "typical values": _typical,
        "nulls": lambda column, _: None if column.null_ok else _typical(column, random),
        "some nulls": lambda column, _: None if column.null_ok and random.random() < 0.5 else _typical(column, random),
        "values that training has not seen": _unseen,
        "the smallest and largest values, and a little beyond": _extreme,
    }
    for name, draw in draws.items():
        yield name, [{column.name: draw(column, random) for column in contract.columns} for _ in range(COUNT)]
    required = [column for column in contract.columns if not column.absent_ok]
    if len(required) < len(contract.columns):
        yield (
            "rows with the required columns only",
            [{column.name: _typical(column, random) for column in required} for _ in range(COUNT)],
        )


def _plain(column: Column, _: Random) -> Any:
    match column.type:
        case ColumnType.STRING:
            return next((level for level in column.levels or () if level != column.null_token), "a")
        case ColumnType.DATETIME:
            return _FIRST_DAY.isoformat()
        case ColumnType.BOOLEAN:
            return False
        case _:
            low, high = limits(column)
            return _fitting(column, min(max(0, low), high))


def _middle(column: Column) -> Any:
    if column.low is None or column.high is None or column.type not in (ColumnType.DOUBLE, ColumnType.LONG):
        return _plain(column, Random(SEED))
    low, high = _range(column)
    middle = _fitting(column, (low + high) / 2)
    rounded = _fitting(column, float(f"{middle:.3g}"))
    return rounded if low <= rounded <= high else middle


def _typical(column: Column, random: Random) -> Any:
    match column.type:
        case ColumnType.STRING:
            levels = [level for level in column.levels or () if level != column.null_token]
            return random.choice(levels) if levels else random.choice("abcdefgh")
        case ColumnType.DATETIME:
            return (_FIRST_DAY + timedelta(minutes=random.randrange(30 * 365 * 24 * 60))).isoformat()
        case ColumnType.BOOLEAN:
            return random.random() < 0.5
        case _:
            low, high = _range(column)
            return _fitting(column, random.uniform(low, high))


def _unseen(column: Column, random: Random) -> Any:
    if column.type is ColumnType.STRING and not column.closed:
        return _UNSEEN
    return _typical(column, random)


def _extreme(column: Column, random: Random) -> Any:
    if column.type in (ColumnType.DOUBLE, ColumnType.LONG):
        low, high = _range(column)
        margin = 0 if column.closed else (high - low) / 10
        return _fitting(column, random.choice([low - margin, low, high, high + margin]))
    if column.type is ColumnType.DATETIME:
        return random.choice(["1970-01-01", "2100-12-31T23:59:59Z"])
    return _typical(column, random)


def _range(column: Column) -> tuple[float, float]:
    """Return the range that was seen in training; where it is not known, that of ordinary numbers."""
    low = -10.0 if column.low is None else max(column.low, -_LARGEST)
    return low, max(low, 10.0 if column.high is None else min(column.high, _LARGEST))


def _fitting(column: Column, number: float) -> float | int:
    """Return the nearest number that the column takes."""
    limit = LARGEST_WHOLE if column.type is ColumnType.LONG else _LARGEST
    number = max(-limit, min(limit, number))
    return round(number) if column.type is ColumnType.LONG else number
