"""Read the rows of a delimited text file (CSV) as they are written. DuckDB reports invalid lines.

DuckDB's types are not used: its sniffer reads `yes` as a boolean, and 1e400 as infinity.
"""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_contract.cells import BLANKS
from mlops_data.errors import DataError
from mlops_data.tables.cells import Cells, trimmed
from mlops_data.tables.database import quoted, write_parquet
from mlops_data.tables.dialect import QUOTES_HINT, Dialect
from mlops_data.tables.sample import Hint, hints_of, sample_rows
from mlops_data.tables.text import PIECE_BYTES, Head

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_LINE = 2 * 1024 * 1024
MAX_REJECTS = 10_000


def sniffed_delimiter(connection: "DuckDBPyConnection", rows: Path) -> str:
    """Return the delimiter that DuckDB finds in the file `rows`."""
    found = connection.execute(
        f"SELECT Delimiter FROM sniff_csv({quoted(str(rows))}, quote = '\"', escape = '\"', skip = 0, comment = '', "
        "header = false, all_varchar = true, ignore_errors = true)"
    ).fetchone()
    return str(found[0]) if found else ""


def read_cells(
    connection: "DuckDBPyConnection", name: str, rows: Path, head: Head, dialect: Dialect, texts: Iterable[str]
) -> Cells:
    """Read the file `rows`, whose header is `head`. The columns `texts` are text, even if they look like numbers.

    Raises:
        DataError: A line does not have one cell per column. Names the first one.
    """
    file = _Rows(name, rows, head, dialect)
    if not head.quotes_balance:
        file.check_quotes()
    parquet = rows.with_suffix(".parquet")
    hints = file.load(connection, parquet, texts)
    file.check_row_ends()
    return Cells(
        connection,
        name,
        parquet,
        dialect.columns,
        header=f"{name}: line {head.header_line}",
        locate=lambda row: f"line {file.line(row)}",
        typed={position: hint.typed(position) for position, hint in hints.items()},
    )


class _Rows:
    """The rows of the file, without its header."""

    def __init__(self, name: str, file: Path, head: Head, dialect: Dialect) -> None:
        self._name = name
        self._file = file
        self._dialect = dialect
        self._first_line = head.first_line
        self._blanks = head.blanks

    def line(self, row: int) -> int:
        """Return the line of the file on which a row begins, from Python's csv reader: DuckDB does not tell it."""
        lines = (line for line, cells in self._records() if len(cells) > 1 or "".join(cells).strip())
        return next(itertools.islice(lines, row, None))

    def load(self, connection: "DuckDBPyConnection", parquet: Path, texts: Iterable[str]) -> Mapping[int, Hint]:
        """Write the cells, typed or as trimmed text, to a Parquet file. Return the columns that are typed.

        Raises:
            DataError: DuckDB rejects a line. Names the first one.
        """
        import duckdb

        names = self._dialect.columns
        hints: dict[int, Hint] = {}
        with suppress(csv.Error, DataError, UnicodeDecodeError):
            records = itertools.islice(self._records(), sample_rows(len(names)))
            hints = hints_of([cells for _, cells in records], names, texts)
        try:
            self._write(connection, parquet, hints)
        except (duckdb.ConversionException, duckdb.InvalidInputException):
            if not hints:
                raise
            hints = {}  # a later row does not confirm one of them
            self._write(connection, parquet, hints)
        self._check_rejects(connection)
        return hints

    def _write(self, connection: "DuckDBPyConnection", parquet: Path, hints: Mapping[int, Hint]) -> None:
        columns = len(self._dialect.columns)
        types = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(columns))
        texts = {f"c{index}": hints.get(index) for index in range(columns)}
        cells = ", ".join(
            f"{hint.value(column) if hint else trimmed(column, self._blanks)} AS {column}"
            for column, hint in texts.items()
        )
        write_parquet(
            connection,
            f"SELECT {cells} "
            f"FROM read_csv({quoted(str(self._file))}, auto_detect = false, header = false, "
            f"delim = {quoted(self._dialect.delimiter)}, quote = '\"', escape = '\"', columns = {{{types}}}, "
            f"new_line = '\\n', parallel = false, max_line_size = {MAX_LINE}, store_rejects = true, "
            f"rejects_limit = {MAX_REJECTS})",
            columns,
            parquet,
        )

    def check_quotes(self) -> None:
        """Raise DataError if a quoted cell has no end: DuckDB silently skips its row and all following ones."""
        for _ in self._records(strict=True):
            pass

    def check_row_ends(self) -> None:
        """Raise DataError if a row has empty cells too many at its end: DuckDB passes over them in silence.

        A row without any value stays, however long it is: such a row is left out later.
        """
        if not self._has_empty_end():
            return
        for line, cells in self._records(skipinitialspace=True):
            if len(cells) > len(self._dialect.columns) and not cells[-1] and any(cells):
                raise self._of_other_length(f"{self._name}: line {line}", len(cells))

    def _has_empty_end(self) -> bool:
        """Return whether the last cell of a line may be empty. Searches pieces of the file, which have many lines."""
        delimiter = self._dialect.delimiter.encode()
        ends = (delimiter + b"\n", delimiter + b'""\n')
        overlap = b""
        with self._file.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                searched = overlap + piece
                if any(end in searched for end in ends):
                    return True
                overlap = searched[-len(ends[-1]) :]
        return (overlap + b"\n").endswith(ends)

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
                raise DataError(f"{self._name}: line {line}: {error}; {QUOTES_HINT}") from error

    def _of_other_length(self, where: str, cells: int) -> DataError:
        return DataError(
            f"{where} has {cells} column{'s' if cells != 1 else ''}, the header has {len(self._dialect.columns)}; "
            f"add or remove cells, and quote cells that hold {self._dialect.delimiter!r}"
        )

    def _check_rejects(self, connection: "DuckDBPyConnection") -> None:
        """Raise DataError for the first line that DuckDB rejects. Blank lines are ignored."""
        rejected = connection.execute(
            "SELECT error_type::VARCHAR, csv_line, line_byte_position FROM reject_errors "
            f"WHERE trim(coalesce(csv_line, ''), {quoted(BLANKS)}) <> '' ORDER BY line_byte_position LIMIT 1"
        ).fetchone()
        if rejected is None:
            return
        kind, raw, position = rejected
        line = raw.lstrip("\r\n")  # DuckDB counts blank lines before it as its beginning
        where = f"{self._name}: line {self._line_at(position) + raw[: len(raw) - len(line)].count(chr(10))}"
        if kind in ("MISSING COLUMNS", "TOO MANY COLUMNS"):
            cells = next(csv.reader([line], delimiter=self._dialect.delimiter), [])
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
