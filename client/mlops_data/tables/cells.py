"""The cells of a table in a Parquet file: as trimmed text, where missing ones are the empty text, or as typed values.

Each format writes this file in its own way. From here on, all formats are read alike: a column that the format stores
as numbers or times has them as its values, and its text is that of these values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_contract import ColumnType
from mlops_contract.cells import BLANKS
from mlops_contract.contract import MAX_COLUMNS
from mlops_data.errors import DataError
from mlops_data.tables.database import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PLACE = "file_row_number"
"""The number of a row, from 0. DuckDB adds this column to Parquet files."""


@dataclass(frozen=True)
class Typed:
    """How the Parquet file stores a column that is not text.

    Attributes:
        kind: LONG, DOUBLE or DATETIME.
        value: SQL for a cell's number, or its seconds since 1970 in UTC, as DOUBLE: the same that its text would have.
    """

    kind: ColumnType
    value: str


class Cells:
    """The rows of a table. Columns and rows are identified by their position, from 0; column 3 is `c3` in SQL.

    Attributes:
        name: The data set's name, for errors.
        columns: The columns' names.
        texts: The columns whose format says that they are text, even if it looks like numbers.
        header: The beginning of an error about the columns' names.
        typed: The columns that the file has as numbers or times. All others are text.
        count: The number of rows.
    """

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        name: str,
        path: Path,
        columns: Sequence[str],
        *,
        header: str,
        locate: Callable[[int], str],
        texts: frozenset[int] = frozenset(),
        typed: Mapping[int, Typed] | None = None,
    ) -> None:
        """Take a Parquet file with the columns `c0`, `c1`, …; `locate` says where a row is, as in `line 7`.

        Raises:
            DataError: Two columns have the same name, or there are too many.
        """
        self.connection = connection
        self.name = name
        self._source = f"read_parquet({quoted(str(path))})"
        self.columns = tuple(columns)
        self.header = header
        self.texts = texts
        self.typed = typed or {}
        self._locate = locate
        self._check_columns()
        ((self.count,),) = connection.execute(f"SELECT count(*) FROM {self._source}").fetchall()

    def rows_of(self, positions: Iterable[int]) -> str:
        """Return SQL for the rows of columns: the text of each as `c3`, and its value as `n3` if the column is typed.

        Only these columns are named, because DuckDB takes long to plan a query of thousands.
        """
        selected = [PLACE]
        for position in positions:
            column = f"c{position}"
            if typed := self.typed.get(position):
                selected += [f"{filled(f'{column}::VARCHAR')} AS {column}", f"{typed.value} AS n{position}"]
            else:
                selected.append(column)
        return f"(SELECT {', '.join(selected)} FROM {self._source})"

    def query(
        self, selected: str, positions: Iterable[int], rest: str = "", derived: str = ""
    ) -> list[tuple[Any, ...]]:
        """Return the rows of SELECT `selected` FROM the columns `rest`; `derived` is SQL for more columns of theirs."""
        rows = self.rows_of(positions)
        if derived:
            rows = f"(SELECT *, {derived} FROM {rows})"
        return self.connection.execute(f"SELECT {selected} FROM {rows} {rest}").fetchall()

    def query_texts(self, selected: str, position: int, derived: str, *, grouped: bool) -> tuple[Any, ...]:
        """Return the row of SELECT `selected` FROM the texts of a column, each with the number of its `rows`.

        `derived` is SQL for one more column, which is made of the text.
        Grouped, equal texts are one, and all different ones are in memory. Otherwise each row has its own, with 1.
        """
        column = f"c{position}"
        count, group = ("count(*)", f"GROUP BY {column}") if grouped else ("1", "")
        texts = f"(SELECT {column}, {count} AS rows FROM {self.rows_of([position])} {group})"
        (found,) = self.connection.execute(f"SELECT {selected} FROM (SELECT *, {derived} FROM {texts})").fetchall()
        return found

    def array(self, selected: str, position: int, missing: float) -> np.ndarray:
        """Return `[n]`: the value of an SQL expression of a column in each row, and `missing` where it is NULL."""
        (values,) = self.connection.execute(f"SELECT {selected} FROM {self.rows_of([position])}").fetchnumpy().values()
        return np.ma.filled(values.astype(np.result_type(values.dtype, np.min_scalar_type(missing))), missing)

    def codes(self, position: int, texts: Sequence[str]) -> np.ndarray:
        """Return int64 `[n]`: the index in `texts` of each row's text in a column; -1 if it is not there."""
        self.connection.execute(f"CREATE OR REPLACE TYPE label AS ENUM ({', '.join(map(quoted, texts))})")
        return self.array(f"enum_code(TRY_CAST(c{position} AS label))::BIGINT", position, -1)

    def first_rows(self, position: int) -> np.ndarray:
        """Return int64 `[n]`: for each row the first row with the same text in a column."""
        column, rows = f"c{position}", self.rows_of([position])
        firsts = f"(SELECT {column}, min({PLACE}) AS first_row FROM {rows} GROUP BY {column})"
        found = self.connection.execute(
            f"SELECT first_row FROM (SELECT {PLACE}, {column} FROM {rows}) JOIN {firsts} USING ({column}) "
            f"ORDER BY {PLACE}"
        )
        return np.asarray(found.fetchnumpy()["first_row"], np.int64)

    def place(self, row: int, column: int) -> str:
        """Return the beginning of an error about a cell: the name, the line and the column."""
        return f"{self.name}: {self._locate(row)}, column {self.columns[column]!r}"

    def shown(self, position: int) -> str:
        """Return what a column is called in a sentence."""
        name = self.columns[position]
        return f"the column {name!r}" if name else f"column {position + 1}, without a name,"

    def _check_columns(self) -> None:
        if len(self.columns) > MAX_COLUMNS:
            raise DataError(f"{self.header}: {len(self.columns)} columns, and at most {MAX_COLUMNS} are allowed")
        seen = set()
        for column in self.columns:
            if column in seen:
                shown = f"the column {column!r} is" if column else "a column without a name is"
                raise DataError(f"{self.header}: {shown} twice in the header; rename or remove one of them")
            seen.add(column)


def trimmed(text: str, blanks: str = BLANKS) -> str:
    """Return SQL for a text without blanks around it; the empty text for NULL. `blanks` are those that it may have."""
    # DuckDB's trim takes more time than all the rest of writing a cell, and few cells need it.
    ends = [f"ends_with({text}, {quoted(blank)})" for blank in blanks]
    starts = [f"{text} < '!'", *(f"starts_with({text}, {quoted(blank)})" for blank in blanks if blank >= "!")]
    return f"CASE WHEN {' OR '.join([*starts, *ends])} THEN trim({text}, {quoted(BLANKS)}) ELSE {filled(text)} END"


def filled(text: str) -> str:
    """Return SQL for a text as it is; the empty text for NULL."""
    return f"coalesce({text}, '')"
