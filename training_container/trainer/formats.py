"""File formats of data sets: IDX (MNIST's own), npz and CSV, each read strictly, with errors that name the place."""

import csv
import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.errors import DataError

IDX_IMAGES = 2051
IDX_LABELS = 2049
LABEL_COLUMNS = ("label", "target", "class", "y")


def unzipped(name: str, content: bytes) -> bytes:
    """`content`, decompressed if it is gzip. Raises DataError if that breaks off."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: the gzip file is truncated or damaged ({error}); fetch it again") from error


def idx_images(name: str, content: bytes) -> np.ndarray:
    """uint8 `[n, rows, columns]` from an IDX3 file, gzip or not."""
    data = unzipped(name, content)
    (magic,) = _header(name, data, ">I", 0)
    if magic != IDX_IMAGES:
        raise DataError(f"{name}: the magic number is {magic}, an IDX file of images has {IDX_IMAGES}")
    count, rows, columns = _header(name, data, ">III", 4)
    _exactly(name, len(data) - 16, count * rows * columns, f"{count} images of {rows}x{columns}")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, rows, columns)


def idx_labels(name: str, content: bytes) -> np.ndarray:
    """uint8 `[n]` from an IDX1 file, gzip or not."""
    data = unzipped(name, content)
    (magic,) = _header(name, data, ">I", 0)
    if magic != IDX_LABELS:
        raise DataError(f"{name}: the magic number is {magic}, an IDX file of labels has {IDX_LABELS}")
    (count,) = _header(name, data, ">I", 4)
    _exactly(name, len(data) - 8, count, f"{count} labels")
    return np.frombuffer(data, np.uint8, offset=8)


def _header(name: str, data: bytes, layout: str, offset: int) -> Sequence[int]:
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error as error:
        raise DataError(f"{name}: only {len(data)} bytes, too short for an IDX header") from error


def _exactly(name: str, have: int, want: int, what: str) -> None:
    if have != want:
        raise DataError(f"{name}: the header promises {what} ({want} bytes), the file holds {have} bytes")


def npz(name: str, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an npz file by name. Pickled objects are refused: reading one runs its code."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{name}: not a readable npz file of plain arrays ({error})") from error


def csv_table(name: str, content: bytes) -> tuple[np.ndarray, list[str]]:
    """float32 `[n, features]` and the labels as text, from a CSV file with a header.

    The label's column is called label, target, class or y; every other column is a number.
    """
    try:
        text = unzipped(name, content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: not UTF-8 text (byte {error.start})") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [column.strip() for column in next(reader, [])]
    at = _label_column(name, header)
    rows: list[np.ndarray] = []
    labels: list[str] = []
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(f"{name}: row {reader.line_num} has {len(row)} columns, the header has {len(header)}")
        label = row.pop(at).strip()
        if not label:
            raise DataError(f"{name}: row {reader.line_num}, column {header[at]!r}: the label is empty")
        labels.append(label)
        rows.append(_numbers(name, row, header[:at] + header[at + 1 :], reader.line_num))
    if not rows:
        raise DataError(f"{name}: no rows below the header")
    return np.stack(rows), labels


def _label_column(name: str, header: list[str]) -> int:
    lowered = [column.lower() for column in header]
    for wanted in LABEL_COLUMNS:
        if wanted in lowered:
            if len(header) < 2:
                raise DataError(f"{name}: only a label, no column of numbers")
            return lowered.index(wanted)
    shown = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
    raise DataError(f"{name}: no column named {', '.join(LABEL_COLUMNS)} in the header ({shown})")


def _numbers(name: str, row: list[str], columns: list[str], line: int) -> np.ndarray:
    """float32 `[features]`. Raises DataError with line, column and text of the first that is no finite number."""
    try:
        # A number beyond float32's range becomes infinite, which is reported below, not as a warning.
        with np.errstate(over="ignore"):
            numbers = np.asarray(row, dtype=np.float32)
    except ValueError:
        for column, value in zip(columns, row, strict=True):
            try:
                float(value)
            except ValueError:
                raise DataError(f"{name}: row {line}, column {column!r}: {value!r} is not a number") from None
        raise
    finite = np.isfinite(numbers)
    if not finite.all():
        at = int(np.argmin(finite))
        raise DataError(f"{name}: row {line}, column {columns[at]!r}: {row[at]!r} is not a finite number (float32)")
    return numbers


def pick(arrays: dict[str, Any], *names: str) -> tuple[str, np.ndarray] | None:
    """The first array of `arrays` that goes by one of `names`, with that name."""
    for wanted in names:
        if wanted in arrays:
            return wanted, np.asarray(arrays[wanted])
    return None
