"""Types for the columns of a delimited file, from its first rows: a hint, which all rows must confirm.

A typed column takes a third of the time of one that stays text. So only cells are typed whose text says no more than
their value: codes such as 007, words for missing values and unusual forms of dates stay text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlops_contract import ColumnType
from mlops_data.tables.cells import Typed
from mlops_data.tables.numbers import LARGEST

ROWS = 1000
MOST_CELLS = 100_000
LEAST_ROWS = 20
WITH_FRACTION = re.compile(r"-?[0-9]{1,9}\.[0-9]{0,2}[1-9][0-9]*")
"""A number whose text has a point, however it is written again."""


@dataclass(frozen=True)
class Hint:
    """What the cells of a column look like.

    Attributes:
        pattern: Matches such a cell.
        stored: DuckDB's type for it.
        kind: The column's type.
        misfit: SQL for whether the cell {0} is one that must stay text, although it has the value {1}.
    """

    pattern: re.Pattern[str]
    stored: str
    kind: ColumnType
    misfit: str

    def typed(self, position: int) -> Typed:
        """Return how such a column is read."""
        value = f"epoch(c{position})" if self.kind is ColumnType.DATETIME else f"c{position}"
        return Typed(self.kind, f"{value}::DOUBLE")

    def value(self, column: str) -> str:
        """Return SQL for the value of a cell, which fails if the cell must stay text."""
        value = f"CAST(nullif({column}, '') AS {self.stored})"
        return f"CASE WHEN {self.misfit.format(column, value)} THEN error('text') ELSE {value} END"


WRITTEN_OTHERWISE = "{1}::VARCHAR <> {0}"
HINTS = (
    Hint(re.compile(r"-?[1-9][0-9]{0,17}|0"), "BIGINT", ColumnType.LONG, WRITTEN_OTHERWISE),
    # DuckDB reads 1_000 as a number, and NaN is greater than all others.
    Hint(
        re.compile(r"-?[0-9]{1,9}(\.[0-9]+)?"),
        "DOUBLE",
        ColumnType.DOUBLE,
        f"contains({{0}}, '_') OR abs({{1}}) > {LARGEST!r}",
    ),
    *(
        Hint(re.compile(pattern), stored, ColumnType.DATETIME, f"strlen({{0}}) <> {length} OR {WRITTEN_OTHERWISE}")
        for pattern, stored, length in (
            (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "DATE", len("2026-01-31")),
            (r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", "TIMESTAMP", len("2026-01-31 23:59:00")),
        )
    ),
)


def sample_rows(columns: int) -> int:
    """Return how many rows are looked at in a table of so many columns."""
    return min(ROWS, max(LEAST_ROWS, MOST_CELLS // columns))


def hints_of(rows: Sequence[Sequence[str]], names: Sequence[str], texts: Iterable[str]) -> dict[int, Hint]:
    """Return the hints for the columns that have one.

    Args:
        rows: The cells of the first rows.
        names: The columns' names.
        texts: The names of columns whose text is needed. So is that of columns without a name.
    """
    if any(len(row) != len(names) for row in rows):
        return {}
    kept = {"", *texts}
    found = {}
    for position, (name, cells) in enumerate(zip(names, zip(*rows, strict=True), strict=False)):
        filled = [cell for cell in cells if cell]
        if name in kept or not filled:
            continue
        hint = next((hint for hint in HINTS if all(map(hint.pattern.fullmatch, filled))), None)
        # Without a fraction, the text tells whether they are whole numbers: 7 is one, and 7.0 is not.
        if hint and (hint.kind is not ColumnType.DOUBLE or any(map(WITH_FRACTION.fullmatch, filled))):
            found[position] = hint
    return found
