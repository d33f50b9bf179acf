"""What the name and the first bytes of a table's file say, before its rows are read: format, delimiter, columns."""

import csv
import json
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from mlops_contract.contract import Contract

HEAD_BYTES = 64 << 10
"""So many bytes of a file are enough for `check_head`."""
DELIMITERS = (",", ";", "\t", "|")
PARQUET_MAGIC = b"PAR1"
_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF8_MARK = b"\xef\xbb\xbf"


class FileRefused(ValueError):
    """A file cannot be scored. The message names it, and says what is wrong and what helps."""


class Layout(Enum):
    """How the rows of a file are laid out."""

    PARQUET = "Parquet"
    DELIMITED = "CSV"
    JSON_LINES = "JSON lines"


_LAYOUTS = {
    ".parquet": Layout.PARQUET,
    ".csv": Layout.DELIMITED,
    ".tsv": Layout.DELIMITED,
    ".jsonl": Layout.JSON_LINES,
    ".ndjson": Layout.JSON_LINES,
}
_PACKINGS = {".gz": "gzip", ".zst": "zstd"}
SUFFIXES = (*_LAYOUTS, *(f"{text}{packing}" for text in (".csv", ".jsonl") for packing in _PACKINGS))


@dataclass(frozen=True)
class FileFormat:
    """The layout of a file, and how it is packed (`gzip`, `zstd` or None)."""

    layout: Layout
    packing: str | None = None

    @property
    def splits(self) -> bool:
        """Whether parts of a file can be read on their own: Parquet has row groups."""
        return self.layout is Layout.PARQUET


def format_of(name: str) -> FileFormat:
    """Return the format that a file's name says. Raises FileRefused."""
    path = PurePosixPath(name.lower())
    packing = _PACKINGS.get(path.suffix)
    plain = path.with_suffix("") if packing else path
    layout = _LAYOUTS.get(plain.suffix)
    if layout is None or (packing and layout is Layout.PARQUET):
        raise FileRefused(
            f"{name}: its name does not say what it is; save it as .parquet, .csv, .tsv, .jsonl or .ndjson (the text "
            "formats also packed, as .gz or .zst)"
        )
    return FileFormat(layout, packing)


def is_hidden(name: str) -> bool:
    """Return whether a file is not of the table: Spark and others keep files of their own beside it, with names or
    folders that begin with `_` or `.`."""
    return any(step.startswith(("_", ".")) for step in PurePosixPath(name).parts)


@dataclass(frozen=True)
class Header:
    """The delimiter of a CSV file, and the names of its columns without blanks around them."""

    delimiter: str
    columns: tuple[str, ...]


def header_of(name: str, line: str, wanted: Collection[str]) -> Header:
    """Read the header of a CSV file.

    Args:
        name: The file's name, for errors.
        line: Its first line.
        wanted: The columns that are looked for. The delimiter is the one that finds most of them.

    Raises:
        FileRefused: The line cannot be read, or names a wanted column twice.
    """
    readings = []
    for delimiter in DELIMITERS:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        readings.append(Header(delimiter, tuple(cell.strip() for cell in cells)))
    if not readings or not line.strip():
        raise FileRefused(f"{name}: its first line must have the names of the columns, separated by commas")
    header = max(readings, key=lambda reading: len(set(wanted).intersection(reading.columns)))
    for column in wanted:
        if header.columns.count(column) > 1:
            raise FileRefused(f"{name}: the column {column!r} is twice in the header; rename or remove one of them")
    return header


def check_columns(name: str, columns: Collection[str], contract: Contract, keep: Sequence[str]) -> None:
    """Check that a file has the columns that the model and the request need. Raises FileRefused."""
    missing = [column.name for column in contract.columns if not column.absent_ok and column.name not in columns]
    if missing:
        more = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        raise FileRefused(f"{name}: has no column {missing[0]!r}{more}, which the model needs; add it to the file")
    for column in keep:
        if column not in columns:
            raise FileRefused(f"{name}: has no column {column!r}, which `keep` names; leave it out of `keep`")


def check_head(name: str, head: bytes, contract: Contract, keep: Sequence[str]) -> None:
    """Check what the first bytes of a file tell: whether it is what its name says, and a CSV file's columns.

    Args:
        name: The file's name.
        head: Its first `HEAD_BYTES` bytes, or all.
        contract: The model's.
        keep: The columns that are copied to the output.

    Raises:
        FileRefused: It is not what its name says, is empty, or lacks a column.
    """
    wanted = [*(column.name for column in contract.columns), *keep]
    if (columns := columns_in_head(name, head, wanted)) is not None:
        check_columns(name, columns, contract, keep)


def columns_in_head(name: str, head: bytes, wanted: Collection[str]) -> tuple[str, ...] | None:
    """Return the columns of a CSV file; None of other files, and where the first bytes do not tell.

    Args:
        name: The file's name.
        head: Its first `HEAD_BYTES` bytes, or all.
        wanted: The columns that are looked for.

    Raises:
        FileRefused: It is not what its name says, or is empty.
    """
    kind = format_of(name)
    if not head:
        raise FileRefused(f"{name}: is empty; remove it, or write its rows again")
    if kind.layout is Layout.PARQUET:
        if not head.startswith(PARQUET_MAGIC):
            raise not_what_it_says(name, Layout.PARQUET)
        return None
    text = _unpacked(name, head, kind)
    if text is None:
        return None
    line, whole, _ = text.removeprefix(_UTF8_MARK).partition(b"\n")
    if not whole and len(head) >= HEAD_BYTES:
        return None  # a line that is longer than the head: the job reads it
    if kind.layout is Layout.JSON_LINES:
        if not _is_object(line):
            raise not_what_it_says(name, kind.layout)
        return None
    try:
        header_line = line.decode()
    except UnicodeDecodeError:
        raise not_what_it_says(name, kind.layout) from None
    if "\0" in header_line or text.startswith(PARQUET_MAGIC):
        raise not_what_it_says(name, kind.layout)
    return header_of(name, header_line, wanted).columns


def not_what_it_says(name: str, layout: Layout) -> FileRefused:
    """Return the error for a file whose content is not of the layout that its name says."""
    encoding = "" if layout is Layout.PARQUET else " in UTF-8"
    return FileRefused(f"{name}: is no {layout.value} file{encoding}, as its name says; write it again, or rename it")


def _unpacked(name: str, head: bytes, kind: FileFormat) -> bytes | None:
    """Return the first bytes of the text; None if they cannot be unpacked here. Raises FileRefused."""
    if kind.packing is None:
        return head
    if not head.startswith(_GZIP_MAGIC if kind.packing == "gzip" else _ZSTD_MAGIC):
        raise FileRefused(f"{name}: is not packed with {kind.packing}, as its name says; pack it again, or rename it")
    if kind.packing == "zstd":
        return None
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        raise FileRefused(f"{name}: the packed file is damaged; pack it again") from None


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
