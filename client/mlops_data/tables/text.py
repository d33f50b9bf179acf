"""Decode a text file, and separate the header of a delimited file from its rows.

DuckDB reads the rows from a UTF-8 file without the header: DuckDB would rename columns without a name or with the same
name, and would skip lines at the top that it does not understand.
"""

import codecs
import io
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlops_contract.cells import BLANKS
from mlops_data.errors import DataError
from mlops_data.unpacking import UnpackedStream

PIECE_BYTES = 1024 * 1024
MAX_HEADER = 16 * 1024 * 1024
UTF8, WINDOWS_1252 = "UTF-8", "Windows-1252"
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: UTF8, codecs.BOM_UTF16_LE: "UTF-16LE", codecs.BOM_UTF16_BE: "UTF-16BE"}
OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; save the sheet as CSV (UTF-8)",
    b"PAR1": "a Parquet file; let its name end in .parquet",
}
DECLARATION = re.compile(r'"?sep=(.)"?[ ,;\t]*', re.IGNORECASE)
"""A first line that declares the delimiter for spreadsheets."""
NOT_WESTERN = re.compile(rb"[\xc0-\xff]{3}|[\xc2-\xdf][\x80-\xbf]")
"""Three accented letters in a row do not occur in Western words, and the other pattern is typical of UTF-8."""
Written = TypeVar("Written")


@dataclass(frozen=True)
class Head:
    """The header of a file, with what precedes it.

    `header` is unchanged. `delimiter` is from a line `sep=`, or None. `first_line` is the line on which
    the rows begin. `quotes_balance` says whether the number of quotation marks in the rows is even. `blanks` are those
    of BLANKS that a cell may begin or end with.
    """

    header: str
    delimiter: str | None
    first_line: int
    encoding: str
    quotes_balance: bool
    blanks: str

    @property
    def header_line(self) -> int:
        """The line on which the header ends."""
        return max(1, self.first_line - 1)


class _UndecodableError(Exception):
    """A byte is not valid in the encoding that was tried."""

    def __init__(self, line: int, position: int, byte: int) -> None:
        super().__init__(line, position, byte)
        self.line = line
        self.position = position
        self.byte = f"0x{byte:02x}"


def write_rows(name: str, content: bytes, path: Path) -> Head:
    """Write the rows of a delimited file to `path` as UTF-8, and return the header.

    Args:
        name: The data set's name, for errors.
        content: The file, plain, gzip or zstd. Without a byte order mark it is UTF-8 or Windows-1252.
        path: The new file.

    Raises:
        DataError: The file has another encoding or format, or is damaged or too large.
    """
    return _in_its_encoding(name, content, lambda pieces, encoding: _write_rows(name, pieces, path, encoding))


def write_lines(name: str, content: bytes, path: Path) -> str:
    """Write all lines of a text file to `path` as UTF-8, and return its encoding. Raises as `write_rows`."""
    return _in_its_encoding(name, content, lambda pieces, encoding: _write_lines(pieces, path, encoding))


def _in_its_encoding(name: str, content: bytes, write: Callable[[Iterator[str], str], Written]) -> Written:
    """Return what `write` makes of the file's text and its encoding. It is called again if the first one is wrong."""
    start = UnpackedStream(name, content).read(4) or b""
    if description := OTHER_FORMATS.get(start):
        raise DataError(f"{name}: this is {description}")
    mark = next((mark for mark in BYTE_ORDER_MARKS if start.startswith(mark)), b"")
    encoding = BYTE_ORDER_MARKS.get(mark, UTF8)
    try:
        return write(_decoded(name, content, encoding, mark), encoding)
    except _UndecodableError as error:
        reason = (
            f"{name}: line {error.line}: not {encoding} text (byte {error.position} is {error.byte}); save it as UTF-8"
        )
        if mark:
            raise DataError(reason) from error
    try:
        return write(_decoded(name, content, WINDOWS_1252, mark), WINDOWS_1252)
    except _UndecodableError as error:
        raise DataError(f"{reason}. It is not clearly Windows-1252 either") from error


def _decoded(name: str, content: bytes, encoding: str, mark: bytes) -> Iterator[str]:
    """Yield the text in pieces, without the byte order mark, with lines that end in \\n. Raises _UndecodableError."""
    stream = UnpackedStream(name, content)
    # DuckDB stops at a line whose ending differs from that of the first line.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    stream.read(len(mark))
    line = 1
    try:
        while piece := stream.read(PIECE_BYTES):
            if encoding == WINDOWS_1252 and NOT_WESTERN.search(piece):
                raise _UndecodableError(line, stream.position, piece[0])
            text = decoder.decode(piece)
            yield text
            line += text.count("\n")
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        line += _lines(error.object[: error.start].decode(encoding, "ignore"))
        position = stream.position - len(error.object) + error.start
        raise _UndecodableError(line, position, error.object[error.start]) from error


def _lines(text: str) -> int:
    """Return the number of line ends of any kind."""
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


def _write_lines(pieces: Iterator[str], path: Path, encoding: str) -> str:
    with path.open("wb") as lines:
        for piece in pieces:
            lines.write(piece.encode())
    return encoding


def _write_rows(name: str, pieces: Iterator[str], path: Path, encoding: str) -> Head:
    above, end = "", 0
    quotes, blanks = 0, ""
    with path.open("wb") as rows:
        for piece in pieces:
            above += piece
            if end := _header_end(above):
                break
            if len(above) > MAX_HEADER:
                raise DataError(f"{name}: line 1: the header does not end; is a quotation mark missing?")
        end = end or len(above)
        for piece in itertools.chain([above[end:]], pieces):
            quotes += piece.count('"')
            blanks += "".join(blank for blank in BLANKS if blank not in blanks and blank in piece)
            rows.write(piece.encode())
    header = above[:end].strip("\n")
    first, _, rest = header.partition("\n")
    declaration = DECLARATION.fullmatch(first)
    return Head(
        header=rest if declaration else header,
        delimiter=declaration.group(1) if declaration else None,
        first_line=above.count("\n", 0, end) + 1,
        encoding=encoding,
        quotes_balance=quotes % 2 == 0,
        blanks=blanks if quotes else blanks.replace("\n", ""),
    )


def _header_end(text: str) -> int:
    """Return where the header ends, which can be several lines with a quoted cell; 0 if `text` ends before."""
    quotes = start = 0
    while end := text.find("\n", start) + 1:
        quotes += text.count('"', start, end)
        above = text[:end].strip("\n")
        if quotes % 2 == 0 and above.strip() and not DECLARATION.fullmatch(above):
            return end
        start = end
    return 0
