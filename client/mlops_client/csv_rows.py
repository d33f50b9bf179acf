"""Rows of a CSV file as the API takes them, and the file again with the answers beside them.

What the cells of a column are, the model's contract says. Nothing is found out from the cells.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_client.errors import BadInput
from mlops_client.models import ModelContract
from mlops_client.rows import Row

DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, eq=False)
class CsvRows:
    """The rows of a file.

    Attributes:
        path: The file.
        delimiter: What is between its cells.
        header: The names of the columns. Those without a name are not sent.
        cells: The cells of each row, without blanks around them.
        lines: The line of the file on which each row begins.
        ignored: The columns that are not sent.
    """

    path: Path
    delimiter: str
    header: tuple[str, ...]
    cells: list[list[str]]
    lines: list[int]
    ignored: Collection[str] = ()

    def rows(self, contract: ModelContract) -> list[Row]:
        """Return the rows as JSON objects, with the cells read as the contract says.

        A cell that cannot be read so is sent as text, which the API refuses. Raises BadInput: the model takes no rows.
        """
        from mlops_contract import Column, ColumnType
        from mlops_contract.cells import reader_of

        if contract.columns is None:
            raise BadInput(f"{contract.model_name} has no named columns; send images, or --inputs with numbers")
        reads = {
            each.name: reader_of(Column(each.name, ColumnType(each.type), 0), each.form) for each in contract.columns
        }
        sent = [
            (name, place, reads.get(name, str))
            for place, name in enumerate(self.header)
            if name and name not in self.ignored
        ]
        return [{name: read(row[place]) for name, place, read in sent} for row in self.cells]

    def cell(self, index: int, name: str) -> str | None:
        """Return a cell of a row; None if the file does not have the column."""
        return self.cells[index][self.header.index(name)] if name in self.header else None

    def write(self, path: Path, answers: dict[str, Sequence[Any]]) -> None:
        """Write the rows to a new file with a column for each of the `answers`. Raises BadInput: it cannot be written.

        Args:
            path: The new file.
            answers: A value per row by the name of its column.
        """
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, delimiter=self.delimiter)
                writer.writerow([*self.header, *answers])
                for row, *more in zip(self.cells, *answers.values(), strict=True):
                    writer.writerow([*row, *more])
        except OSError as error:
            raise BadInput(f"{path} cannot be written: {error.strerror}") from None


def read_csv(path: Path, ignored: Collection[str] = ()) -> CsvRows:
    """Read a CSV file in UTF-8, whose first line has the names of the columns.

    Raises:
        BadInput: The file cannot be read, has no rows, or does not have the columns `ignored`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = max(DELIMITERS, key=first.count)
            file.seek(0)
            records = [(line, row) for line, row in _records(path, file, delimiter) if any(row)]
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text; save it as CSV (UTF-8)") from None
    if len(records) < 2:
        raise BadInput(f"{path} has no rows; it needs a line with the names of the columns, and lines with rows")
    header = tuple(records[0][1])
    for line, row in records[1:]:
        if len(row) != len(header):
            raise BadInput(
                f"{path}: line {line} has {len(row)} cells, and the header has {len(header)}; quote cells that hold "
                f"{delimiter!r}"
            )
    _check_names(path, header, ignored)
    lines, cells = zip(*records[1:], strict=True)
    return CsvRows(path, delimiter, header, list(cells), list(lines), frozenset(ignored))


def _records(path: Path, file: Any, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its cells."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}: line {line}: {error}; is a quotation mark missing, or one too many?") from None


def _check_names(path: Path, header: Sequence[str], ignored: Collection[str]) -> None:
    for name in header:
        if name and header.count(name) > 1:
            raise BadInput(f"{path}: the column {name!r} is twice in the header; rename or remove one of them")
    for name in ignored:
        if name not in header:
            raise BadInput(f"--ignore {name}: {path} has no such column; it has {', '.join(filter(None, header))}")
