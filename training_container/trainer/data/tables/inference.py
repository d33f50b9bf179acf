"""Find out what the columns of a table contain, from all cells: numbers, their decimal mark, or row numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.data.tables.cells import PLACE, Cells

COLUMNS_PER_QUERY = 250
LARGEST = float(np.finfo(np.float32).max)
WITH_COMMA = r"[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?"
PERHAPS_THOUSANDS = r"[+-]?[1-9][0-9]{0,2},[0-9]{3}"
WITH_POINT = r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


@dataclass(frozen=True)
class Column:
    """The content of a column: how many cells are numbers, and whether they count the rows."""

    position: int
    name: str
    numbers: int
    counts_rows: bool


@dataclass(frozen=True)
class Inferred:
    """The columns, and the decimal mark of their numbers: `.` or `,`."""

    columns: tuple[Column, ...]
    decimal_mark: str


def infer(cells: Cells, positions: Sequence[int]) -> Inferred:
    """Return what the columns at `positions` contain."""
    columns = _columns(cells, positions, ".")
    others = [column.position for column in columns if column.numbers < cells.count]
    if others and _has_decimal_commas(cells, positions, others):
        return Inferred(_columns(cells, positions, ","), ",")
    return Inferred(columns, ".")


def number(cells: Cells, position: int, decimal_mark: str) -> str:
    """Return SQL for the number in a cell as DOUBLE; NULL if it is not a number.

    predict rounds numbers from double to float32, so training does the same.
    """
    text = cells.text(position)
    if decimal_mark == ",":
        return f"TRY_CAST(translate({text}, '_.,', '??.') AS DOUBLE)"
    # DuckDB reads 1_000 as a number. Trimming a cell takes longer than reading it, and few cells need it.
    number = f"coalesce(TRY_CAST(c{position} AS DOUBLE), TRY_CAST({text} AS DOUBLE))"
    return f"CASE WHEN contains(c{position}, '_') THEN NULL ELSE {number} END"


def within_float32(value: str) -> str:
    """Return SQL for whether a number is finite as float32."""
    return f"abs({value}) <= {LARGEST!r}"


def _columns(cells: Cells, positions: Sequence[int], decimal_mark: str) -> tuple[Column, ...]:
    columns = []
    for start in range(0, len(positions), COLUMNS_PER_QUERY):
        part = positions[start : start + COLUMNS_PER_QUERY]
        numbers_of = ", ".join(f"{number(cells, position, decimal_mark)} AS v{position}" for position in part)
        selected = []
        for value in (f"v{position}" for position in part):
            selected += [
                f"count(*) FILTER ({within_float32(value)})",
                f"min({value} - {PLACE})",
                f"max({value} - {PLACE})",
            ]
        results = cells.query(", ".join(selected), cells.kept, numbers_of)[0]
        for index, position in enumerate(part):
            numbers, least, most = results[3 * index : 3 * index + 3]
            counts_rows = numbers == cells.count > 1 and least == most and float(least).is_integer()
            columns.append(Column(position, cells.columns[position], numbers, counts_rows))
    return tuple(columns)


def _has_decimal_commas(cells: Cells, positions: Sequence[int], others: Sequence[int]) -> bool:
    """Return whether commas are decimal marks: not if they can be thousands separators, or if there are points too."""
    commas = _count(cells, others, f"regexp_full_match({{0}}, '{WITH_COMMA}')")
    if not commas or _count(cells, positions, f"regexp_full_match({{0}}, '{WITH_POINT}')"):
        return False
    return _count(cells, others, f"regexp_full_match({{0}}, '{PERHAPS_THOUSANDS}')") < commas


def _count(cells: Cells, positions: Sequence[int], condition: str) -> int:
    """Return how many cells of these columns meet the condition, which has {0} in place of the text."""
    total = 0
    for start in range(0, len(positions), COLUMNS_PER_QUERY):
        part = positions[start : start + COLUMNS_PER_QUERY]
        counts = [f"count_if({condition.replace('{0}', cells.text(position))})" for position in part]
        total += cells.query(" + ".join(counts), cells.kept)[0][0]
    return total
