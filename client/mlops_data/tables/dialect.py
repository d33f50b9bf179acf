"""Find a table's delimiter and the names of its columns."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass

from mlops_data.errors import DataError
from mlops_data.tables.text import Head

DELIMITERS = (",", ";", "\t", "|")
QUOTED = re.compile(r'"(?:[^"]|"")*"')
QUOTES_HINT = (
    'is a quotation mark missing, or one too many? A quotation mark within a quoted cell is written twice ("")'
)


@dataclass(frozen=True)
class Dialect:
    """A delimiter, and the trimmed names of the columns. Quotation marks are used as in RFC 4180."""

    delimiter: str
    columns: tuple[str, ...]


def of_head(name: str, head: Head, sniff: Callable[[], str]) -> Dialect:
    """Read the header of a table.

    Args:
        name: The data set's name, for errors.
        head: The header, with what precedes it.
        sniff: Finds the delimiter in the rows. It is called only if the header has several candidates.

    Raises:
        DataError: The header cannot be read, or its delimiter is not clear.
    """
    line = head.header_line
    if not head.header.strip():
        raise DataError(f"{name}: line {line}: the file is empty; add a header with the columns' names, and rows")
    outside_quotes = QUOTED.sub("", head.header)
    candidates = [delimiter for delimiter in DELIMITERS if delimiter in outside_quotes]
    delimiter = head.delimiter or (candidates[0] if candidates else ",")
    if head.delimiter is None and len(candidates) > 1:
        delimiter = sniff()
        if delimiter not in candidates:
            raise DataError(
                f"{name}: line {line}: the header has {' and '.join(map(repr, candidates))}, and the rows do not show "
                "which of them is the delimiter; quote the names that contain one, or use one delimiter"
            )
    try:
        cells = next(csv.reader(head.header.splitlines(keepends=True), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise DataError(f"{name}: line {line}: {error}; {QUOTES_HINT}") from error
    return Dialect(delimiter, tuple(cell.strip() for cell in cells))
