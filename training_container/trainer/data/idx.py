"""Read IDX, the file format of MNIST: http://yann.lecun.com/exdb/mnist describes it."""

import struct
from collections.abc import Sequence

import numpy as np

from mlops_data.errors import DataError
from mlops_data.unpacking import unpacked

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049


def images(name: str, content: bytes) -> np.ndarray:
    """Read uint8 `[n, rows, columns]` from an IDX3 file, gzipped or not. Raises DataError."""
    data = unpacked(name, content)
    (magic,) = _header(name, data, ">I", 0)
    if magic != IMAGES_MAGIC:
        raise DataError(f"{name}: the magic number is {magic}, an IDX file of images has {IMAGES_MAGIC}")
    count, rows, columns = _header(name, data, ">III", 4)
    _check_size(name, len(data) - 16, count * rows * columns, f"{count} images of {rows}x{columns}")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, rows, columns)


def labels(name: str, content: bytes) -> np.ndarray:
    """Read uint8 `[n]` from an IDX1 file, gzipped or not. Raises DataError."""
    data = unpacked(name, content)
    (magic,) = _header(name, data, ">I", 0)
    if magic != LABELS_MAGIC:
        raise DataError(f"{name}: the magic number is {magic}, an IDX file of labels has {LABELS_MAGIC}")
    (count,) = _header(name, data, ">I", 4)
    _check_size(name, len(data) - 8, count, f"{count} labels")
    return np.frombuffer(data, np.uint8, offset=8)


def _header(name: str, data: bytes, layout: str, offset: int) -> Sequence[int]:
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error as error:
        raise DataError(f"{name}: only {len(data)} bytes, too short for an IDX header") from error


def _check_size(name: str, size: int, expected: int, what: str) -> None:
    if size != expected:
        raise DataError(f"{name}: the header says {what} ({expected} bytes), but the file has {size} bytes")
