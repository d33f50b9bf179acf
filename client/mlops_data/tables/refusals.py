"""What is wrong with a cell that does not fit its column, and what helps."""

import re
from typing import NoReturn

from mlops_contract import ColumnType
from mlops_data.errors import DataError
from mlops_data.tables.cells import PLACE, Cells
from mlops_data.tables.dates import ANY_DATE
from mlops_data.tables.numbers import is_missing

UNUSUAL_MISSING = frozenset(("#n/a", "nil", "?", ".", "missing", "unknown"))
SEPARATED = re.compile(r"[+-]?\d[\d.,'  ]*")
INFINITE = re.compile(r"[+-]?(inf(inity)?|[\d.,]+[eE][+-]?\d+|\d+)", re.IGNORECASE)
OTHERWISE = "or set the column to category or ignore (columns)"
KINDS = {
    ColumnType.DOUBLE: "a number",
    ColumnType.LONG: "a number",
    ColumnType.BOOLEAN: "a boolean",
    ColumnType.DATETIME: "a date",
}


def refuse_misfit(cells: Cells, position: int, kind: ColumnType, misfit: str) -> NoReturn:
    """Raise DataError for the first cell of a column that is there and meets the SQL condition `misfit`.

    `kind` is how the column is read.
    """
    column = f"c{position}"
    ((row, text),) = cells.query(
        f"{PLACE}, {column}", [position], f"WHERE NOT {is_missing(column)} AND ({misfit}) ORDER BY {PLACE} LIMIT 1"
    )
    raise DataError(f"{cells.place(row, position)}: {_problem(text, kind)}")


def shortened(text: str) -> str:
    """Return a cell's text as it is shown in an error."""
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _problem(text: str, kind: ColumnType) -> str:
    shown = shortened(text)
    if text.lower() in UNUSUAL_MISSING:
        return f"{shown} is not {KINDS[kind]}; leave the cell empty if the value is missing, {OTHERWISE}"
    if kind is ColumnType.DATETIME:
        return (
            f"{shown} is not a date that can be read in one way only; write dates as 2025-12-31 or "
            f"2025-12-31 23:59:00, {OTHERWISE}"
        )
    if kind is ColumnType.BOOLEAN:
        return f"{shown} is not a boolean; write true and false, {OTHERWISE}"
    if INFINITE.fullmatch(text):
        return f"{shown} is not a finite number (float32 ends at 3.4e38); correct it, remove the row, {OTHERWISE}"
    if ANY_DATE.fullmatch(text):
        return f"{shown} is a date, not a number; correct it, remove the row, {OTHERWISE}"
    if SEPARATED.fullmatch(text):
        return f"{shown} is not a number; write it with a decimal point and without thousands separators, {OTHERWISE}"
    return f"{shown} is not a number; correct it, remove the row, {OTHERWISE}"
