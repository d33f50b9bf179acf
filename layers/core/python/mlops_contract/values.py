"""How one JSON value of a row becomes a number or a category of the model: strictly, or not at all."""

import math
from collections.abc import Callable
from typing import Any

from mlops_contract.columns import DATE_PARTS, LARGEST_WHOLE, Column, ColumnType
from mlops_contract.dates import parsed, parts_of

FLOAT32_MAX = 3.4028234663852886e38
MAX_SHOWN = 40
"""Characters of a value that a message repeats."""
MAX_LISTED = 10
"""Levels or names that a message lists."""
ABSENT = object()
"""Stands for the value of a column that a row lacks."""
_KINDS = {bool: "a boolean", str: "a string", dict: "an object", list: "a list", int: "a number", float: "a number"}

Take = Callable[[Any], Any]


class ValueRefused(ValueError):
    """A column does not take the value. The message says what it must be."""


def take_of(column: Column) -> Take:
    """Return the function that checks a value of the column and converts it.

    It takes a JSON value, or `ABSENT`. For a string column it returns a string, for a datetime its `DATE_PARTS`, for
    the other types a number within float32. It raises ValueRefused.
    """
    return _TAKES[column.type](column)


def limits(column: Column) -> tuple[float, float]:
    """Return the smallest and the largest number that a column of numbers takes."""
    if column.closed and column.low is not None and column.high is not None:
        return column.low, column.high
    most = LARGEST_WHOLE if column.type is ColumnType.LONG else FLOAT32_MAX
    return -most, most


def _beyond(column: Column, low: float, high: float) -> ValueRefused:
    """Return why a closed column does not take a number."""
    kind = "a whole number" if column.type is ColumnType.LONG else "a number"
    return ValueRefused(f"must be {kind} from {low:.9g} to {high:.9g}: the model takes no others")


def _double(column: Column) -> Take:
    other = _other(column, math.nan, "a number")
    low, high = limits(column)

    def take(value: Any) -> Any:
        kind = type(value)
        if kind is float or kind is int:
            if low <= value <= high:
                return value
            if column.closed:
                raise _beyond(column, low, high)
            raise ValueRefused(f"must be a finite number from {-FLOAT32_MAX:.5g} to {FLOAT32_MAX:.5g}, as float32 has")
        return other(value)

    return take


def _long(column: Column) -> Take:
    other = _other(column, math.nan, "a whole number")
    low, high = limits(column)

    def take(value: Any) -> Any:
        kind = type(value)
        if kind is int or (kind is float and value.is_integer()):
            if low <= value <= high:
                return value
            if column.closed:
                raise _beyond(column, low, high)
            raise ValueRefused(
                f"must be from {-LARGEST_WHOLE} to {LARGEST_WHOLE}: the model's numbers are float32, which merges "
                "neighbours of larger ones"
            )
        if kind is float:
            raise ValueRefused(f"must be a whole number, not {value!r}")
        return other(value)

    return take


def _boolean(column: Column) -> Take:
    other = _other(column, math.nan, "true or false")

    def take(value: Any) -> Any:
        if value is True:
            return 1.0
        return 0.0 if value is False else other(value)

    return take


def _datetime(column: Column) -> Take:
    example = "a date and time as RFC 3339 writes it, such as 2026-01-31T09:30:00Z"
    other = _other(column, (math.nan,) * len(DATE_PARTS), example)

    def take(value: Any) -> Any:
        if type(value) is not str:
            return other(value)
        try:
            return parts_of(parsed(value))
        except (ValueError, OverflowError):  # no such day, or not within the years 1 to 9999 in UTC
            raise ValueRefused(f"must be {example}, not {shown(value)}") from None

    return take


def _string(column: Column) -> Take:
    token, closed = column.null_token, column.closed
    known = frozenset(column.levels or ()) - {token}
    other = _other(column, token, "a string")

    def take(value: Any) -> Any:
        if type(value) is not str:
            return other(value)
        if value in known:
            return value
        if value == token:
            return other(None)
        if closed:
            raise ValueRefused(f"must be one of {listed(column.levels or ())}, not {shown(value)}")
        if not is_text(value):
            raise ValueRefused("must be text in Unicode, which has no half of a surrogate pair")
        return value

    return take


_TAKES: dict[ColumnType, Callable[[Column], Take]] = {
    ColumnType.DOUBLE: _double,
    ColumnType.LONG: _long,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.STRING: _string,
    ColumnType.DATETIME: _datetime,
}


def _other(column: Column, missing: Any, wanted: str) -> Take:
    """Return the function for what is no value of the column's type: null, ABSENT, or a value of another type."""

    def other(value: Any) -> Any:
        if value is None:
            if column.null_ok:
                return missing
            token = f"; {column.null_token!r} stands for null" if column.type is ColumnType.STRING else ""
            raise ValueRefused(f"must not be null{token}")
        if value is ABSENT:
            if column.absent_ok:
                return missing
            raise ValueRefused(f"is missing; send it{', or null if it is not known' if column.null_ok else ''}")
        raise ValueRefused(f"must be {wanted}, not {_KINDS.get(type(value), type(value).__name__)}")

    return other


def is_text(value: str) -> bool:
    """Return whether UTF-8 can encode the text: a str can contain half of a surrogate pair, and no tensor can."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: str) -> str:
    """Return the text as a message repeats it: quoted, escaped, and not too long."""
    return repr(value) if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]!r}…"


def listed(texts: tuple[str, ...]) -> str:
    """Return the texts as a message lists them."""
    more = f", … ({len(texts)} in all)" if len(texts) > MAX_LISTED else ""
    return ", ".join(map(shown, texts[:MAX_LISTED])) + more
