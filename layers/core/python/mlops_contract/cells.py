"""The cells of a CSV file as the values of a row: read as the training's file was read, and never guessed.

Imports only the standard library, because the client reads files with it.
"""

import re
from collections.abc import Callable
from typing import Any

from mlops_contract.columns import Column, ColumnType

BLANKS = " \t\r\n\u00a0"
"""What is cut off around a cell."""
MISSING = ("na", "n/a", "null", "none", "nan", "-")
"""Words for a missing value, in lower case. In columns of text they are text: NA is Namibia too."""
DECIMAL_COMMA = "decimal comma"
DAY_FIRST, MONTH_FIRST, DOTTED = "day/month/year", "month/day/year", "day.month.year"
TRUE_OR_FALSE = "true/false"
"""The words of a column of booleans whose contract names no others."""
_WORDS = re.compile(r"[^/ ]+/[^/ ]+( [^/ ]+/[^/ ]+)*")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DATE = re.compile(r"([0-9]{1,2})([./])([0-9]{1,2})\2([0-9]{4})(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?")
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?"
    r"(?: ?(?:(Z|UTC)|([+-][0-9]{2})(?::?([0-9]{2}))?))?"
)

Read = Callable[[str], Any]


def is_form(kind: ColumnType, form: str) -> bool:
    """Return whether a column of this type can be written in this form. ISO dates and decimal points need none.

    A form is `decimal comma` for numbers; pairs of words such as `yes/no` for booleans, with a blank between pairs; or
    `day.month.year`, `day/month/year` or `month/day/year` for datetimes.
    """
    if kind in (ColumnType.DOUBLE, ColumnType.LONG):
        return form == DECIMAL_COMMA
    if kind is ColumnType.BOOLEAN:
        return _WORDS.fullmatch(form) is not None
    return kind is ColumnType.DATETIME and form in (DAY_FIRST, MONTH_FIRST, DOTTED)


def reader_of(column: Column, form: str | None) -> Read:
    """Return the function that turns a cell into a JSON value of the column.

    A cell that does not have the column's form stays text, which the contract then refuses with its row and column:
    no column but one of text takes it.

    Args:
        column: The column.
        form: How training's file wrote it, as `is_form` says; None is the usual one.
    """
    match column.type:
        case ColumnType.STRING:
            return lambda cell: cell.strip(BLANKS) or None
        case ColumnType.BOOLEAN:
            return _filled(_boolean(form or TRUE_OR_FALSE))
        case ColumnType.DATETIME:
            return _filled(_iso if form is None else _date(form))
        case _:
            return _filled(_number if form is None else _number_with_comma)


def _filled(read: Read) -> Read:
    def cell_of(cell: str) -> Any:
        text = cell.strip(BLANKS)
        return read(text) if text and text.lower() not in MISSING else None

    return cell_of


def _boolean(form: str) -> Read:
    words: dict[str, bool] = {}
    for pair in form.split():
        yes, _, no = pair.partition("/")
        words |= {yes: True, no: False}
    return lambda text: words.get(text.lower(), text)


def _number(text: str) -> Any:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _number_with_comma(text: str) -> Any:
    number = text if "." in text else _number(text.replace(",", ".", 1))
    return text if type(number) is str else number


def _iso(text: str) -> str:
    found = _ISO.fullmatch(text)
    if found is None:
        return text
    day, minutes, seconds, utc, hours, rest = found.groups()
    offset = "Z" if utc else f"{hours}:{rest or '00'}" if hours else ""
    return f"{day}T{minutes}{seconds or ':00'}{offset}"


def _date(form: str) -> Read:
    mark = "." if form == DOTTED else "/"

    def read(text: str) -> str:
        found = _DATE.fullmatch(text)
        if found is None or found[2] != mark:
            return text
        day, month = (found[3], found[1]) if form == MONTH_FIRST else (found[1], found[3])
        time = f"T{int(found[5]):02}:{found[6]}:{found[7] or '00'}" if found[5] else ""
        return f"{found[4]}-{int(month):02}-{int(day):02}{time}"

    return read
