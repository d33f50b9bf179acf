"""The values of a table's columns, without the rows that are left out, and what the training rows have in each
column."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlops_contract import ColumnType
from mlops_data.splitting import TRAIN
from mlops_data.tables.cells import Cells
from mlops_data.tables.database import quoted
from mlops_data.tables.inference import Reading

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS_PER_QUERY = 100
"""DuckDB takes minutes to plan a join of thousands of computed columns."""
BYTES_PER_PIECE = 2 * 1024**2
MOST_ROWS = 100_000
"""Of a piece of columns that are read together."""
MIN_LEVEL_ROWS = 5
"""A category is a level of its own if at least so many training rows have it."""
MAX_LEVELS = 10_000


@dataclass(frozen=True)
class Facts:
    """What the training rows have in a column.

    Attributes:
        filled: How many rows have a value.
        distinct: How many different values; an estimate, except for strings.
        constant: Whether all filled rows have the same value.
        low: The lowest number.
        high: The highest one.
        mean: Their mean. Strings have none of these three.
        levels: Of a string, the frequent values and their numbers of rows, the most frequent first.
    """

    filled: int
    distinct: int
    constant: bool
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    levels: tuple[tuple[str, int], ...] | None = None


class Values:
    """The rows of a table that have a part, in their order.

    Attributes:
        readings: The columns.
        parts: The part of each row, int8 `[n]`.
    """

    def __init__(self, cells: Cells, readings: Sequence[Reading], parts: np.ndarray) -> None:
        """Read the cells. `parts` are int8 `[rows of the table]`, negative for rows to leave out."""
        import pyarrow

        self.readings = {reading.position: reading for reading in readings}
        self.parts = parts[parts >= 0]
        self._cells = cells
        self._connection: DuckDBPyConnection = cells.connection
        self._connection.register("parts", pyarrow.table({"part": parts}))

    def facts(self) -> dict[int, Facts]:
        """Return what the training rows have in each column, by the column's position."""
        found = {}
        readings = self.readings.values()
        for part in query_parts([r.position for r in readings if r.type is not ColumnType.STRING]):
            selected = [f"count(v{p}), approx_count_distinct(v{p}), min(v{p}), max(v{p}), avg(v{p})" for p in part]
            (results,) = self._connection.execute(
                f"SELECT {', '.join(selected)} FROM {self._rows(part, f'part = {TRAIN}')}"
            ).fetchall()
            for index, position in enumerate(part):
                filled, distinct, low, high, mean = results[5 * index : 5 * index + 5]
                found[position] = Facts(filled, distinct, low == high, low, high, mean)
        strings = [reading.position for reading in readings if reading.type is ColumnType.STRING]
        return found | {position: self._string_facts(position) for position in strings}

    def numbers(self, positions: Sequence[int]) -> Iterator[tuple[Sequence[int], list[np.ndarray]]]:
        """Yield columns in pieces: their positions, and float64 `[rows]` for each; NaN is missing.

        The pieces of a column come one after the other. All of its rows at once would take much memory.
        """
        for part in query_parts(positions):
            for piece in self._pieces(", ".join(f"v{position}" for position in part), part):
                yield part, piece

    def codes(self, position: int, levels: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield a column of text in pieces, float32 `[rows]`: indices in `levels`, or their number; NaN is missing."""
        value = f"v{position}"
        self._connection.execute(f"CREATE OR REPLACE TYPE level AS ENUM ({', '.join(map(quoted, levels))})")
        code = f"coalesce(enum_code(TRY_CAST({value} AS level)), {len(levels)})"
        for (piece,) in self._pieces(f"(CASE WHEN {value} IS NOT NULL THEN {code} END)::FLOAT AS code", [position]):
            yield piece

    def _pieces(self, selected: str, positions: Sequence[int]) -> Iterator[list[np.ndarray]]:
        """Yield what is selected from the columns."""
        rows = min(MOST_ROWS, max(1, BYTES_PER_PIECE // (8 * len(positions))))
        relation = self._connection.sql(f"SELECT {selected} FROM {self._rows(positions)}")
        for batch in relation.to_arrow_reader(rows):
            yield [column.to_numpy(zero_copy_only=False) for column in batch.columns]

    def _string_facts(self, position: int) -> Facts:
        value = f"v{position}"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE counts AS SELECT {value} AS value, count(*) AS rows "
            f"FROM {self._rows([position], f'part = {TRAIN}')} WHERE {value} IS NOT NULL GROUP BY {value}"
        )
        ((filled, distinct),) = self._connection.execute(
            "SELECT coalesce(sum(rows), 0)::BIGINT, count(*) FROM counts"
        ).fetchall()
        levels = self._connection.execute(
            f"SELECT value, rows FROM counts WHERE rows >= {MIN_LEVEL_ROWS} ORDER BY rows DESC, value "
            f"LIMIT {MAX_LEVELS}"
        ).fetchall()
        self._connection.execute("DROP TABLE counts")
        return Facts(filled, distinct, distinct <= 1, levels=tuple(levels))

    def _rows(self, positions: Sequence[int], condition: str = "part >= 0") -> str:
        """Return SQL for the values of columns, as `v3`, in the rows whose part meets the condition."""
        values = ", ".join(f"{self.readings[position].value} AS v{position}" for position in positions)
        return f"(SELECT {values} FROM {self._cells.rows_of(positions)} POSITIONAL JOIN parts WHERE {condition})"


def query_parts(positions: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield as many columns as are computed in one query."""
    for start in range(0, len(positions), COLUMNS_PER_QUERY):
        yield positions[start : start + COLUMNS_PER_QUERY]
