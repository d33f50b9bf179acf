"""How a table is written: its delimiter, and the names of its columns."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

from trainer.data.tables.text import Head
from trainer.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
QUOTED = re.compile(r'"(?:[^"]|"")*"')
QUOTES_HINT = (
    'is a quotation mark missing, or one too many? A quotation mark within a quoted cell is written twice ("")'
)


@dataclass(frozen=True)
class Dialect:
    """A delimiter, and the columns' names without the blanks around them. Quotation marks are RFC 4180's."""

    delimiter: str
    columns: tuple[str, ...]


def of_head(name: str, head: Head, sniff: Callable[[], str]) -> Dialect:
    """Read the header of a table.

    Args:
        name: The data set's name, for the error.
        head: What is above the rows.
        sniff: Finds the delimiter in the rows. It is asked only where the header leaves several.

    Raises:
        DataError: the header cannot be read, or its delimiter is not clear.
    """
    line = head.header_line
    outside_quotes = QUOTED.sub("", head.header)
    candidates = [delimiter for delimiter in DELIMITERS if delimiter in outside_quotes]
    delimiter = head.delimiter or (candidates[0] if candidates else ",")
    if head.delimiter is None and len(candidates) > 1:
        delimiter = sniff()
        if delimiter not in candidates:
            raise DataError(
                f"{name}: line {line}: the header holds {' and '.join(map(repr, candidates))}, and the rows do not "
                "tell which of them separates the columns; quote the names that hold one, or use one delimiter"
            )
    try:
        cells = next(csv.reader(head.header.splitlines(keepends=True), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise DataError(f"{name}: line {line}: {error}; {QUOTES_HINT}") from error
    return Dialect(delimiter, tuple(cell.strip() for cell in cells))
