"""Read npz files with the arrays `x` and `y`, or `x_train`, `y_train`, `x_test` and `y_test`.

Headers are checked before anything is unpacked: a small file can unpack to more than the memory.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from mlops_data import labels
from mlops_data.dataset import Dataset, Image, Rows, assemble, split_by_class
from mlops_data.errors import DataError
from mlops_data.unpacking import limit, too_large
from trainer.data import images

SUFFIX = ".npy"
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class _Array(NamedTuple):
    """An array, and the name it has in the file."""

    name: str
    values: np.ndarray


def read(name: str, content: bytes) -> Dataset:
    """Read a data set from an npz file. If it has no test rows, a fifth of each class is held out.

    Args:
        name: The data set's name, for errors.
        content: The file. Vectors are `[n, features]`. Images are `[n, rows, columns]`, as uint8 or from 0 to 1.

    Raises:
        DataError: An array is missing or wrong. Names it.
    """
    archive = _Archive(name, content)
    inputs = archive.first("x_train", "x", "inputs")
    targets = archive.first("y_train", "y", "labels")
    if inputs is None or targets is None:
        raise DataError(
            f"{name}: has {', '.join(archive.names) or 'no arrays'}; expected x and y, or x_train and y_train: rename "
            "the arrays"
        )
    held_inputs = archive.first("x_test", "inputs_test")
    held_targets = archive.first("y_test", "labels_test")
    if (held_inputs is None) != (held_targets is None):
        raise DataError(f"{name}: one of x_test and y_test is missing; save both, or neither")
    train, image = _rows(name, inputs, targets)
    if held_inputs is None or held_targets is None:
        return split_by_class(name, train, image)
    held_out, held_image = _rows(name, held_inputs, held_targets)
    if image != held_image and train.inputs.shape[1] == held_out.inputs.shape[1]:
        raise DataError(
            f"{name}: {inputs.name} has the shape {inputs.values.shape}, {held_inputs.name} "
            f"{held_inputs.values.shape}; both must be vectors, or images of the same size"
        )
    return assemble(name, train, held_out, image)


class _Archive:
    """An npz file. Arrays are unpacked when they are read, with one limit of bytes for all."""

    def __init__(self, name: str, content: bytes) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except UNREADABLE as error:
            hint = (
                "; it is a single .npy array; save it with numpy.savez" if content.startswith(npy.MAGIC_PREFIX) else ""
            )
            raise self._unreadable(error, hint) from error
        self.names = [item.filename.removesuffix(SUFFIX) for item in self._zip.infolist()]
        self._limit = limit(content)
        self._left = self._limit

    def first(self, *names: str) -> _Array | None:
        """Return the first array of `names` that the file has, or None."""
        for array in names:
            if array in self.names:
                return _Array(array, self._array(array))
        return None

    def _array(self, array: str) -> np.ndarray:
        try:
            item = self._zip.infolist()[self.names.index(array)]
            # zipfile never returns more bytes than the directory says.
            self._left -= item.file_size
            if self._left < 0:
                raise too_large(self._name, self._limit)
            with self._zip.open(item) as file:
                self._check_header(array, file, item.file_size)
            with self._zip.open(item) as file:
                values: np.ndarray = npy.read_array(file, allow_pickle=False)
        except UNREADABLE as error:
            raise self._unreadable(error) from error
        return values

    def _check_header(self, array: str, file: IO[bytes], size: int) -> None:
        """Raises DataError if the array's header promises other than what follows it, ValueError if it is none."""
        read_header = _HEADERS[npy.read_magic(file)]
        try:
            shape, _, dtype = read_header(file)
        except Exception as error:  # numpy has Python parse the header, which raises a dozen unrelated types
            raise ValueError(f"the header of {array}: {error}") from error
        if dtype.hasobject:
            # Pickled objects: reading them runs their code.
            raise DataError(
                f"{self._name}: {array} has Python objects, which are not supported; save {array}.astype(str) for "
                "text, or a numeric type"
            )
        promised = math.prod(shape) * dtype.itemsize
        if promised != size - file.tell():
            raise DataError(
                f"{self._name}: the header of {array} says {dtype} of shape {shape} ({promised:,} bytes), but "
                f"{size - file.tell():,} bytes follow it; write the file again"
            )

    def _unreadable(self, error: Exception, hint: str = "") -> DataError:
        return DataError(f"{self._name}: cannot be read as an npz file of plain arrays ({error}){hint}")


_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # as version 2, but in UTF-8, which only names of fields need
}


def _rows(name: str, inputs: _Array, targets: _Array) -> tuple[Rows, Image | None]:
    vectors, image = _vectors(name, *inputs)
    rows = Rows(vectors, labels.from_array(name, *targets))
    numbers = [str(label) for label in rows.labels.classes if isinstance(label, int)]
    if numbers:
        labels.refuse_quantity(f"{name}: {targets.name}", numbers, len(numbers), f"save {targets.name}.astype(str)")
    return rows, image


def _vectors(name: str, array: str, values: np.ndarray) -> tuple[np.ndarray, Image | None]:
    """Return float32 `[n, features]`, all finite, and the shape of the images, if they are images."""
    if values.dtype.kind not in "fiub":
        raise DataError(f"{name}: {array} has the type {values.dtype}, not numbers; save integers or floats")
    if values.ndim not in (2, 3):
        remedy = ""
        if values.ndim == 4 and 1 in values.shape[1:]:
            remedy = f"; save {array}.squeeze({-1 if values.shape[-1] == 1 else 1})"
        raise DataError(
            f"{name}: {array} has the shape {values.shape}; expected [n, features] or [n, rows, columns]{remedy}"
        )
    # A float64 beyond float32's range becomes infinite, which is reported below with its row.
    with np.errstate(over="ignore"):
        vectors = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float32)
    finite = np.isfinite(vectors)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{name}: {array}, row {row + 1}, column {column + 1}: "
            f"{values[row].flat[column]} is not a finite number (float32); correct it, or remove the row"
        )
    if values.ndim == 2:
        return vectors, None
    return images.to_unit_scale(name, array, values, vectors), (values.shape[1], values.shape[2])
