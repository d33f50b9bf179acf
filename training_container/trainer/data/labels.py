"""Labels as they are written in the file: 64-bit integers, or text.

A column of text is a column of integers only if every label in it is the one way to write its number. `007` beside `7`,
`²` or `--5` make it text, so that no two labels are merged and none is changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.errors import DataError

Label = int | str
INT64 = np.iinfo(np.int64)
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, eq=False)
class Labels:
    """A label for each of n rows: `classes` are the different ones in order, `codes` int64 `[n]` indices into them."""

    classes: tuple[Label, ...]
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> "Labels":
        """The labels of `rows` (indices or a mask), and the classes that are left among them."""
        present, codes = np.unique(self.codes[rows], return_inverse=True)
        return Labels(tuple(self.classes[code] for code in present), codes.astype(np.int64))

    def indices_into(self, classes: tuple[Label, ...]) -> np.ndarray:
        """int64 `[n]`: the place of each row's label in `classes`. Raises KeyError if one is not there."""
        places = {label: place for place, label in enumerate(classes)}
        indices: np.ndarray = np.array([places[label] for label in self.classes], np.int64)[self.codes]
        return indices


def from_text(name: str, texts: Sequence[str]) -> Labels:
    """The labels of a column of text.

    Args:
        name: The data set's name, for the error.
        texts: One label a row, none of them empty.

    Raises:
        DataError: a label cannot be written as JSON text.
    """
    distinct = set(texts)
    for text in distinct:
        _check_text(name, text)
    numbers = {text: int(text) for text in distinct if _CANONICAL_INTEGER.fullmatch(text)}
    if len(numbers) == len(distinct) and all(INT64.min <= number <= INT64.max for number in numbers.values()):
        ordered: list[str] = sorted(distinct, key=numbers.__getitem__)
        classes: tuple[Label, ...] = tuple(numbers[text] for text in ordered)
    else:
        ordered = sorted(distinct)
        classes = tuple(ordered)
    codes = {text: code for code, text in enumerate(ordered)}
    return Labels(classes, np.fromiter((codes[text] for text in texts), np.int64, len(texts)))


def from_array(name: str, array: str, values: np.ndarray) -> Labels:
    """The labels of the array `array` of an npz file: integers of up to 64 bits, text, or booleans (as text).

    Raises:
        DataError: the array is not one label a row, or a label does not fit.
    """
    if values.ndim != 1 or values.dtype.kind not in "iuUb":
        raise DataError(
            f"{name}: {array} is {values.dtype} of shape {values.shape}; wanted one int or text label a row, "
            f"for example {array}.astype(int).ravel()"
        )
    if values.dtype.kind == "u" and values.size and int(values.max()) > INT64.max:
        raise DataError(f"{name}: {array} holds {values.max()}, which is beyond 64 bits; store the labels as text")
    distinct, codes = np.unique(values, return_inverse=True)
    classes: list[Label] = [str(label) for label in distinct] if values.dtype.kind == "b" else distinct.tolist()
    for label in classes:
        if isinstance(label, str):
            _check_text(name, label)
    return Labels(tuple(classes), codes.astype(np.int64))


def _check_text(name: str, label: str) -> None:
    """A model's labels are JSON in its file and in each answer, and JSON is UTF-8."""
    try:
        label.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{name}: the label {label!r} holds half of a character (a lone surrogate)") from error
    if "\0" in label:
        raise DataError(f"{name}: the label {label!r} holds a NUL character; remove it from the file")
