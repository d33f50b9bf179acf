"""CSV files of data sets: a header, one column of labels and else numbers; errors name the row and the column.

The file is read row by row into one block of float32, so that it takes about as much memory as its numbers.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NoReturn, cast

import numpy as np

from trainer.data import labels
from trainer.data.dataset import Dataset, Rows, split_by_class
from trainer.data.unpacking import UnpackedStream
from trainer.errors import DataError

LABEL_COLUMNS = ("label", "target", "class", "y")
OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read(name: str, content: bytes) -> Dataset:
    """Read a data set from a CSV file, gzip or not, and hold a fifth of each class back.

    Args:
        name: The data set's name, which errors begin with.
        content: The file. The label's column is called label, target, class or y; every other column is a number.

    Raises:
        DataError: names the row and the column that is wrong.
    """
    stream = UnpackedStream(name, content)
    try:
        inputs, texts = _table(name, io.TextIOWrapper(cast(IO[bytes], stream), "utf-8-sig", newline=""))
    except UnicodeDecodeError as error:
        _refuse_encoding(name, error, stream.position - len(error.object) + error.start)
    return split_by_class(name, Rows(inputs, labels.from_text(name, texts)), None)


def _table(name: str, lines: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """float32 `[n, features]`, and a label a row as text."""
    records = _records(name, lines)
    _, header = next(records, (1, []))
    columns = [column.strip() for column in header]
    at = _label_column(name, columns)
    label_name = columns.pop(at)
    numbers, texts = bytearray(), []
    distinct: dict[str, str] = {}
    blank_row = 0
    for row, record in records:
        if not any(cell.strip() for cell in record):
            # A line of blanks says nothing; one of empty cells is passed over at the end of the file only.
            blank_row = blank_row or (row if len(record) > 1 else 0)
            continue
        if blank_row:
            raise DataError(f"{name}: row {blank_row}, column {label_name!r}: the label is empty, as the whole row is")
        if len(record) != len(columns) + 1:
            raise DataError(f"{name}: row {row} has {len(record)} columns, the header has {len(columns) + 1}")
        label = record.pop(at).strip()
        if not label:
            raise DataError(f"{name}: row {row}, column {label_name!r}: the label is empty")
        texts.append(distinct.setdefault(label, label))
        numbers += _numbers(name, row, columns, record).tobytes()
    if not texts:
        raise DataError(f"{name}: no rows below the header")
    return np.frombuffer(numbers, np.float32).reshape(len(texts), len(columns)), texts


def _records(name: str, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of the line on which it begins; the header's is 1."""
    reader = csv.reader(lines, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{name}: row {row}: {error}; is a quotation mark missing, or one too many? "
                'A quotation mark within a quoted cell is written twice ("")'
            ) from error
        if record is None:
            return
        yield row, record


def _label_column(name: str, header: Sequence[str]) -> int:
    """The index of the column of labels. Raises DataError if there is none, or if a column stands there twice."""
    for column in header:
        if header.count(column) > 1:
            shown = f"the column {column!r} stands" if column else "a column without a name stands"
            raise DataError(f"{name}: {shown} twice in the header; rename or remove one of them")
    lowered = [column.lower() for column in header]
    for wanted in LABEL_COLUMNS:
        if wanted in lowered:
            if len(header) < 2:
                raise DataError(f"{name}: only a label, no column of numbers")
            return lowered.index(wanted)
    shown = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
    raise DataError(
        f"{name}: no column named {', '.join(LABEL_COLUMNS)} in the header ({shown}){_delimiter_hint(header)}"
    )


def _delimiter_hint(header: Sequence[str]) -> str:
    """What to do about a header that looks like one column because its file does not use commas."""
    if len(header) == 1:
        for delimiter, plural in OTHER_DELIMITERS.items():
            if delimiter in header[0]:
                return f"; the file seems to be separated by {plural}, save it with commas"
    if header and header[0].lower().startswith("sep="):
        return "; remove the first line, which is for spreadsheets only"
    return ""


def _numbers(name: str, row: int, columns: Sequence[str], cells: Sequence[str]) -> np.ndarray:
    """float32 `[features]`. Raises DataError with row, column and text of the first cell that is no finite number."""
    joined = ",".join(cells)
    try:
        # Python reads 1_000 as a number and numpy passes over a NUL at the end; in a file both are mistakes.
        if "_" in joined or "\0" in joined:
            raise ValueError
        # A number beyond float32's range becomes infinite, which is reported below, not as a warning.
        with np.errstate(over="ignore"):
            numbers = np.asarray(cells, dtype=np.float32)
    except ValueError:
        for column, cell in zip(columns, cells, strict=True):
            if not _is_number(cell):
                raise DataError(f"{name}: row {row}, column {column!r}: {cell!r} is not a number") from None
        raise
    finite = np.isfinite(numbers)
    if not finite.all():
        at = int(np.argmin(finite))
        raise DataError(f"{name}: row {row}, column {columns[at]!r}: {cells[at]!r} is not a finite number (float32)")
    return numbers


def _is_number(cell: str) -> bool:
    if "_" in cell or "\0" in cell:
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _refuse_encoding(name: str, error: UnicodeDecodeError, position: int) -> NoReturn:
    """Raise DataError that says which encoding it probably is."""
    utf16 = position == 0 and error.object[:2] in UTF16_MARKS
    probably = "UTF-16" if utf16 else "Latin-1 or Windows-1252"
    raise DataError(
        f"{name}: not UTF-8 text (byte {position} is 0x{error.object[error.start]:02x}): the file is probably "
        f"{probably}; save it as UTF-8"
    ) from error
