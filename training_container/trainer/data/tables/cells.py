"""Read the cells of a table as text into a Parquet file. DuckDB reads them as they are written, and reports invalid
lines.

DuckDB's types are not used: its sniffer reads `yes` as a boolean, and 1e400 as infinity.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer import process
from trainer.data.tables.dialect import QUOTES_HINT, Dialect
from trainer.data.tables.text import Head
from trainer.errors import DataError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_LINE = 2 * 1024 * 1024
MAX_REJECTS = 10_000
CELLS_PER_GROUP = 1_000_000
"""A row group is in memory while it is written."""
MAX_ROWS_PER_GROUP = 122_880
MEMORY_SHARE = 4
LEAST_MEMORY, MOST_MEMORY = 256 * 1024**2, 1024**3
BLANKS = " \\t\\r\\n\u00a0"
PLACE = "file_row_number"
"""The number of a row, from 0. DuckDB adds this column to Parquet files."""


@contextmanager
def database(name: str, folder: Path) -> "Iterator[DuckDBPyConnection]":
    """Open an empty DuckDB database that may use only `folder`, and loads no extensions.

    Errors of DuckDB become DataErrors about the data set `name`.
    """
    import duckdb

    memory = max(LEAST_MEMORY, min(MOST_MEMORY, process.memory_limit() // MEMORY_SHARE))
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "memory_limit": f"{memory}B",
            "temp_directory": str(folder / "spill"),
            "threads": 1,
        }
    )
    try:
        connection.execute(f"SET allowed_directories = [{quoted(str(folder))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET enable_progress_bar = false")  # it would stand in the job's log
        yield connection
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{name}: the table cannot be read ({reason}); check that the file is a text table, and that the job has "
            "enough memory and disk"
        ) from error
    finally:
        connection.close()


def sniffed_delimiter(connection: "DuckDBPyConnection", rows: Path) -> str:
    """Return the delimiter that DuckDB finds in the file `rows`."""
    found = connection.execute(
        f"SELECT Delimiter FROM sniff_csv({quoted(str(rows))}, quote = '\"', escape = '\"', skip = 0, comment = '', "
        "header = false, all_varchar = true, ignore_errors = true)"
    ).fetchone()
    return str(found[0]) if found else ""


class Cells:
    """The rows of a table. Columns and rows are identified by their position, from 0."""

    def __init__(self, connection: "DuckDBPyConnection", name: str, rows: Path, head: Head, dialect: Dialect) -> None:
        """Read the file `rows`, whose header is `head`.

        Raises:
            DataError: A line does not have one cell per column. Names the first one.
        """
        self.name = name
        self.columns = dialect.columns
        self.header_line = head.header_line
        self._connection = connection
        self._file = rows
        self._dialect = dialect
        self._first_line = head.first_line
        self._parquet = rows.with_suffix(".parquet")
        if not head.quotes_balance:
            self._check_quotes()
        self._load()
        self._check_row_ends()
        ((self.count,),) = self.query("count(*)")

    @property
    def kept(self) -> str:
        """SQL: WHERE the row is one of the first `count`."""
        return f"WHERE {PLACE} < {self.count}"

    def query(self, selected: str, rest: str = "", source: str = "*") -> list[tuple[Any, ...]]:
        """Return the rows of SELECT `selected` FROM the cells `rest`; `source` is what the inner query selects."""
        return self._execute(selected, rest, source).fetchall()

    def arrays(self, selected: Sequence[str]) -> list[np.ndarray]:
        """Return a numpy array for each expression of `selected`, masked where it is NULL."""
        named = ", ".join(f"{expression} AS a{index}" for index, expression in enumerate(selected))
        fetched = self._execute(named, self.kept).fetchnumpy()
        return [fetched[f"a{index}"] for index in range(len(selected))]

    def text(self, column: int) -> str:
        """Return SQL for the text in `column`, trimmed; the empty text if there is none."""
        return f"trim(coalesce(c{column}, ''), E'{BLANKS}')"

    def codes(self, selected: str, texts: Sequence[str]) -> np.ndarray:
        """Return int64 `[n]`: the index in `texts` of each row's value of `selected`."""
        self._connection.execute(f"CREATE TYPE label AS ENUM ({', '.join(map(quoted, texts))})")
        (codes,) = self.arrays([f"enum_code({selected}::label)"])
        return codes.astype(np.int64)

    def drop_after(self, count: int) -> None:
        """Keep only the first `count` rows."""
        self.count = count

    def line(self, row: int) -> int:
        """Return the line of the file on which a row begins."""
        return next(itertools.islice(self._lines(), row, None))

    def place(self, row: int, column: int) -> str:
        """Return the beginning of an error about a cell: the name, the line and the column."""
        return f"{self.name}: line {self.line(row)}, column {self.columns[column]!r}"

    def _execute(self, selected: str, rest: str, source: str = "*") -> "DuckDBPyConnection":
        cells = f"(SELECT {PLACE}, {source} FROM read_parquet({quoted(str(self._parquet))}))"
        return self._connection.execute(f"SELECT {selected} FROM {cells} {rest}")

    def _lines(self) -> Iterator[int]:
        """Yield the line on which each row begins, from Python's csv reader: DuckDB knows it for rejected rows only."""
        for line, cells in self._records():
            if len(cells) > 1 or "".join(cells).strip():
                yield line

    def _records(self, *, strict: bool = False, skipinitialspace: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Yield each record as Python's csv reader reads it, with the line on which it begins.

        Raises:
            DataError: A record cannot be read. Names its line.
        """
        csv.field_size_limit(MAX_LINE)
        with self._file.open(encoding="utf-8", newline="") as file:
            delimiter = self._dialect.delimiter
            reader = csv.reader(file, delimiter=delimiter, strict=strict, skipinitialspace=skipinitialspace)
            line = self._first_line
            try:
                for cells in reader:
                    yield line, cells
                    line = self._first_line + reader.line_num
            except csv.Error as error:
                raise DataError(f"{self.name}: line {line}: {error}; {QUOTES_HINT}") from error

    def _load(self) -> None:
        columns = len(self.columns)
        types = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(columns))
        rows = min(MAX_ROWS_PER_GROUP, max(1, CELLS_PER_GROUP // columns))
        self._connection.execute(
            f"COPY (SELECT * FROM read_csv({quoted(str(self._file))}, auto_detect = false, header = false, "
            f"delim = {quoted(self._dialect.delimiter)}, quote = '\"', escape = '\"', columns = {{{types}}}, "
            f"new_line = '\\n', parallel = false, max_line_size = {MAX_LINE}, store_rejects = true, "
            f"rejects_limit = {MAX_REJECTS})) "
            f"TO {quoted(str(self._parquet))} (FORMAT parquet, ROW_GROUP_SIZE {rows})"
        )
        self._check_rejects()

    def _check_quotes(self) -> None:
        """Raise DataError if a quoted cell has no end: DuckDB silently skips its row and all following ones."""
        for _ in self._records(strict=True):
            pass

    def _check_row_ends(self) -> None:
        """Raises DataError if a row has empty cells too many at its end: DuckDB passes over them in silence.

        A row without any value stays: such rows at the end of a table are dropped, however long they are.
        """
        delimiter = self._dialect.delimiter
        empty_cell = (delimiter.encode(), f'{delimiter}""'.encode())
        with self._file.open("rb") as file:
            if not any(line.rstrip(b"\n").endswith(empty_cell) for line in file):
                return
        for line, cells in self._records(skipinitialspace=True):
            if len(cells) > len(self.columns) and not cells[-1] and any(cells):
                raise self._of_other_length(f"{self.name}: line {line}", len(cells))

    def _of_other_length(self, where: str, cells: int) -> DataError:
        return DataError(
            f"{where} has {cells} column{'s' if cells != 1 else ''}, the header has {len(self.columns)}; "
            f"add or remove cells, and quote cells that hold {self._dialect.delimiter!r}"
        )

    def _check_rejects(self) -> None:
        """Raise DataError for the first line that DuckDB rejects. Blank lines are ignored."""
        rejected = self._connection.execute(
            "SELECT error_type::VARCHAR, csv_line, line_byte_position FROM reject_errors "
            f"WHERE trim(coalesce(csv_line, ''), E'{BLANKS}') <> '' ORDER BY line_byte_position LIMIT 1"
        ).fetchone()
        if rejected is None:
            return
        kind, raw, position = rejected
        where = f"{self.name}: line {self._line_at(position) + len(raw) - len(raw.lstrip(chr(10)))}"
        if kind in ("MISSING COLUMNS", "TOO MANY COLUMNS"):
            cells = next(csv.reader([raw], delimiter=self._dialect.delimiter), [])
            raise self._of_other_length(where, len(cells))
        raise DataError(f"{where}: {_reason(kind)}; {QUOTES_HINT}")

    def _line_at(self, position: int) -> int:
        """Return the line of the byte at `position`, which counts from 1."""
        with self._file.open("rb") as file:
            return self._first_line + file.read(position - 1).count(b"\n")


def _reason(kind: str) -> str:
    if kind == "LINE SIZE OVER MAXIMUM":
        return f"longer than {MAX_LINE:,} bytes"
    return "a quoted cell continues after its closing quotation mark"


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
