"""Read the features, which must be numbers. Any other cell is refused with its place."""

import re
from typing import NoReturn

import numpy as np

from trainer.data.tables.cells import PLACE, Cells
from trainer.data.tables.inference import Column, Inferred, number, within_float32
from trainer.errors import DataError

BYTES_PER_QUERY = 16 * 1024**2
MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "?", ".", "missing"))
WORDS = frozenset(("true", "false", "t", "f", "yes", "no", "y", "n"))
DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T].*)?|\d{4}/\d\d?/\d\d?([ T].*)?|\d\d?([./-])\d\d?\3\d{2,4}([ T].*)?")
SEPARATED = re.compile(r"[+-]?\d[\d.,'  ]*")
INFINITE = re.compile(r"[+-]?(inf(inity)?|[\d.,]+[eE][+-]?\d+|\d+)", re.IGNORECASE)


def read_features(cells: Cells, inferred: Inferred) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the columns into float32 `[n, features]`.

    Returns:
        The numbers, and a sentence for each column that is left out.

    Raises:
        DataError: A cell is not a number. Names the line and the column of the first one, and the remedy.
    """
    kept, notes = _chosen(cells, inferred)
    for column in kept:
        if column.numbers < cells.count:
            _refuse(cells, column, inferred.decimal_mark)
    matrix = np.empty((cells.count, len(kept)), np.float32)
    columns_per_query = max(1, BYTES_PER_QUERY // (8 * cells.count))
    for start in range(0, len(kept), columns_per_query):
        part = kept[start : start + columns_per_query]
        numbers = cells.arrays([number(cells, column.position, inferred.decimal_mark) for column in part])
        for index, values in enumerate(numbers, start):
            matrix[:, index] = values
    return matrix, tuple(notes)


def _chosen(cells: Cells, inferred: Inferred) -> tuple[list[Column], list[str]]:
    """Return the columns that are features, and a sentence for each other column."""
    kept, notes = [], []
    others = len(inferred.columns)
    for column in inferred.columns:
        reason = _reason_to_leave_out(cells, column)
        if reason and (others > 1 or not column.name):
            others -= 1
            shown = f"the column {column.name!r}" if column.name else f"column {column.position + 1}, without a name,"
            notes.append(f"{shown} is left out: {reason}")
        else:
            kept.append(column)
    if not kept:
        raise DataError(f"{cells.name}: there is only a label; add at least one column of numbers")
    return kept, notes


def _reason_to_leave_out(cells: Cells, column: Column) -> str | None:
    """Return why a column is not a feature. A row number shows a row's position in the file, which often depends on its
    class.

    Raises:
        DataError: The column has no name, and is neither empty nor an index.
    """
    if column.counts_rows:
        return "it counts the rows"
    if column.name:
        return None
    text = cells.text(column.position)
    ((filled, different),) = cells.query(f"count_if({text} <> ''), count(DISTINCT {text})", cells.kept)
    if not filled:
        return "it is empty"
    whole = f"count_if(regexp_full_match({text}, '[0-9]+'))"
    if different == cells.count == cells.query(whole, cells.kept)[0][0]:
        return "it is an index, a different whole number in each row"
    raise DataError(f"{cells.name}: line {cells.header_line}: column {column.position + 1} has no name; give it one")


def _refuse(cells: Cells, column: Column, decimal_mark: str) -> NoReturn:
    value = number(cells, column.position, decimal_mark)
    ((row, text),) = cells.query(
        f"{PLACE}, {cells.text(column.position)}",
        f"{cells.kept} AND ({within_float32(value)}) IS NOT TRUE ORDER BY {PLACE} LIMIT 1",
    )
    mostly_numbers = column.numbers > cells.count / 2
    raise DataError(f"{cells.place(row, column.position)}: {_problem(text, mostly_numbers)}")


def _problem(text: str, mostly_numbers: bool) -> str:
    """Return what is wrong with a cell that is not a number, and the remedy."""
    shown = repr(text if len(text) <= 60 else text[:59] + "…")
    if text.lower() in MISSING:
        missing = f"the value is missing ({shown})" if text else "the value is missing"
        return f"{missing}; fill it in, or remove the row or the column"
    if INFINITE.fullmatch(text):
        return f"{shown} is not a finite number (float32 ends at 3.4e38); correct it, or remove the row"
    if DATE.fullmatch(text):
        return f"{shown} is a date, not a number; write it as days since a fixed day, or remove the column"
    if SEPARATED.fullmatch(text):
        return f"{shown} is not a number; write it with a decimal point and without thousands separators"
    if text.lower() in WORDS:
        return f"{shown} is not a number; write 1 and 0, or remove the column"
    if mostly_numbers:
        return f"{shown} is not a number; correct it, or remove the row"
    return (
        f"{shown} is not a number, and text columns are not supported: replace each of their values by a column of 0 "
        "and 1, or remove the column"
    )
