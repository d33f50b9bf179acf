"""From whole columns, as training and proof have them, to the inputs of a table model."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from mlops_contract.columns import Column, ColumnType
from mlops_contract.contract import CATEGORIES, NUMBERS, Contract
from mlops_contract.dates import Doubles, aware, date_parts, parsed

Array = np.ndarray[Any, np.dtype[Any]]


class ColumnsRefused(ValueError):
    """The columns are not those of the contract, or have another type. The message names the column."""


def encode_columns(contract: Contract, columns: Mapping[str, Sequence[Any] | Array]) -> dict[str, Array]:
    """Convert columns to the model's inputs, with no checks beyond types: ranges and levels are the caller's affair.

    Args:
        contract: The model's.
        columns: The values of each column by its name, all of one length: lists or arrays. None and NaN are missing,
            and so is a column that the mapping lacks, where the contract allows that. A datetime is a `datetime`, a
            text of RFC 3339 or numpy's datetime64; without an offset it is UTC.

    Returns:
        As `RowEncoder.encode`: `numbers` float32 `[n, k]`, `categories` strings as objects `[n, m]`.

    Raises:
        ColumnsRefused: A column is missing or unknown, or has values of another type or number.
    """
    unknown = columns.keys() - {column.name for column in contract.columns}
    if unknown:
        raise ColumnsRefused(f"{min(unknown)} is not a column of the model")
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise ColumnsRefused("the columns must have one length, and there must be at least one of them")
    (count,) = lengths
    numbers = np.empty((count, contract.numbers), np.float32)
    categories = np.empty((count, contract.categories), object)
    for column in contract.columns:
        if column.name not in columns and not column.absent_ok:
            raise ColumnsRefused(f"{column.name} is missing")
        values = columns.get(column.name, [None] * count)
        if column.type is ColumnType.STRING:
            categories[:, column.position] = _strings(column, values)
        elif column.type is ColumnType.DATETIME:
            numbers[:, column.position : column.positions.stop] = date_parts(_seconds(column, values))
        else:
            numbers[:, column.position] = _numbers(column, values)
    feeds: dict[str, Array] = {NUMBERS: numbers, CATEGORIES: categories}
    return {name: feed for name, feed in feeds.items() if feed.shape[1]}


def _numbers(column: Column, values: Sequence[Any] | Array) -> Doubles:
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    for value in values:
        if value is not None and not isinstance(value, (bool, int, float, np.number, np.bool_)):
            raise _wrong_type(column, "numbers or booleans", value)
    return np.array(values, np.float64)  # None becomes NaN


def _strings(column: Column, values: Sequence[Any] | Array) -> list[str]:
    # A proof asks for a million of them. Nearly all are plain text, which needs no second look.
    return [value if type(value) is str else _string(column, value) for value in values]


def _string(column: Column, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if _is_missing(value):
        return column.null_token
    raise _wrong_type(column, "strings", value)


def _seconds(column: Column, values: Sequence[Any] | Array) -> Doubles:
    """Return seconds since 1970-01-01 in UTC."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        microseconds = values.astype("M8[us]")
        return np.where(np.isnat(microseconds), np.nan, microseconds.astype(np.int64) / 1e6)
    seconds = []
    for value in values:
        if _is_missing(value):
            seconds.append(math.nan)
            continue
        try:
            moment = parsed(value) if isinstance(value, str) else value
        except ValueError:
            raise _wrong_type(column, "times of RFC 3339", value) from None
        if not isinstance(moment, datetime):
            raise _wrong_type(column, "datetimes", value)
        seconds.append(aware(moment).timestamp())
    return np.array(seconds, np.float64)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _wrong_type(column: Column, wanted: str, value: Any) -> ColumnsRefused:
    return ColumnsRefused(f"{column.name} must have {wanted}, and has {str(value)[:40]!r} ({type(value).__name__})")
