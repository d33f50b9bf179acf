"""Rows of a CSV file as the API takes them, and the file again with the answers beside them.

The file does not say what its columns are, and neither does the API. So the types come from the text of all cells.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_client.errors import BadInput
from mlops_client.rows import Row

DELIMITERS = (",", ";", "\t", "|")
BOOLEANS = {"true": True, "false": False}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A number as JSON has it."""

Read = Callable[[str], Any]


def number_of(text: str) -> int | float | None:
    """Return the number that the text is in JSON; None if it is none, or not finite."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        return None
    number: int | float = json.loads(text)
    return number


def boolean_of(text: str) -> bool | None:
    """Return the boolean that the text is, in any case; None if it is none."""
    return BOOLEANS.get(text.lower())


_TYPES: dict[str, Read] = {"numbers": number_of, "booleans": boolean_of}
TEXT = "text"


@dataclass(frozen=True, eq=False)
class CsvRows:
    """The rows of a file.

    Attributes:
        path: The file.
        delimiter: What is between its cells.
        header: The names of the columns. Those without a name are not sent.
        cells: The cells of each row, without blanks around them.
        lines: The line of the file on which each row begins.
        text: The columns that are sent as text, whatever they look like.
        ignored: The columns that are not sent.
    """

    path: Path
    delimiter: str
    header: tuple[str, ...]
    cells: list[list[str]]
    lines: list[int]
    text: Collection[str] = ()
    ignored: Collection[str] = ()

    @cached_property
    def types(self) -> dict[str, str]:
        """How each column is sent: numbers, booleans or text."""
        return {
            name: TEXT if name in self.text else _type_of([row[place] for row in self.cells])
            for place, name in enumerate(self.header)
            if name and name not in self.ignored
        }

    def rows(self) -> list[Row]:
        """Return the rows as JSON objects. Empty cells are null."""
        reads = [(name, self.header.index(name), _TYPES.get(kind, str)) for name, kind in self.types.items()]
        return [{name: read(row[place]) if row[place] else None for name, place, read in reads} for row in self.cells]

    def no_number(self, name: str) -> tuple[int, str]:
        """Return line and text of the first cell of a column that is filled and no number."""
        place = self.header.index(name)
        return next(
            (line, row[place])
            for line, row in zip(self.lines, self.cells, strict=True)
            if row[place] and number_of(row[place]) is None
        )

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


def read_csv(path: Path, text: Collection[str] = (), ignored: Collection[str] = ()) -> CsvRows:
    """Read a CSV file in UTF-8, whose first line has the names of the columns.

    Raises:
        BadInput: The file cannot be read, has no rows, or does not have the columns `text` and `ignored`.
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
    _check_names(path, header, {"--text": text, "--ignore": ignored})
    lines, cells = zip(*records[1:], strict=True)
    return CsvRows(path, delimiter, header, list(cells), list(lines), frozenset(text), frozenset(ignored))


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


def _check_names(path: Path, header: Sequence[str], options: dict[str, Collection[str]]) -> None:
    for name in header:
        if name and header.count(name) > 1:
            raise BadInput(f"{path}: the column {name!r} is twice in the header; rename or remove one of them")
    for option, names in options.items():
        for name in names:
            if name not in header:
                raise BadInput(f"{option} {name}: {path} has no such column; it has {', '.join(filter(None, header))}")


def _type_of(cells: Sequence[str]) -> str:
    filled = [cell for cell in cells if cell]
    for kind, read in _TYPES.items():
        if filled and all(read(cell) is not None for cell in filled):
            return kind
    return TEXT
