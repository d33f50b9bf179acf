"""Read labels as they are written in the file: 64-bit integers or text.

A column is read as integers only if every label is the normal form of its number. `007`, `²` or `--5` make it text, so
that no labels are merged or changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_data.errors import DataError

Label = int | str
INT64 = np.iinfo(np.int64)
MOST_NUMBERED_CLASSES = 20
MOST_WHOLE_NUMBERS = 100
TABLES_ONLY = "To predict a quantity (regression), save a table: CSV, Parquet or JSON lines"
_NUMBER = re.compile(r"(?=[+-]?[.,]?[0-9])[+-]?(0|[1-9][0-9]*)?([.,][0-9]*)?([eE][+-]?[0-9]{1,3})?")
"""A number that is not a code: codes such as 007 begin with a zero."""
_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of n rows: `classes` are the different labels in order, `codes` int64 `[n]` their indices."""

    classes: tuple[Label, ...]
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> "Labels":
        """Return the labels of `rows` (indices or a mask), with only the classes that these rows have."""
        present, codes = np.unique(self.codes[rows], return_inverse=True)
        return Labels(tuple(self.classes[code] for code in present), codes.astype(np.int64))

    def indices_into(self, classes: tuple[Label, ...]) -> np.ndarray:
        """Return int64 `[n]`: the index of each row's label in `classes`. Raises KeyError if one is not there."""
        places = {label: place for place, label in enumerate(classes)}
        indices: np.ndarray = np.array([places[label] for label in self.classes], np.int64)[self.codes]
        return indices


def from_text(texts: Sequence[str], codes: np.ndarray) -> Labels:
    """Make labels from a column of text: its different `texts`, and each row's index, int64 `[n]`."""
    classes: list[Label] = list(texts)
    if all(_CANONICAL_INTEGER.fullmatch(text) and INT64.min <= int(text) <= INT64.max for text in texts):
        classes = [int(text) for text in texts]
    order = sorted(range(len(classes)), key=classes.__getitem__)
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return Labels(tuple(classes[code] for code in order), places[codes])


def refuse_quantity(where: str, texts: Sequence[str], count: int, remedy: str) -> None:
    """Raise DataError if the labels are a quantity, not classes.

    Args:
        where: The file and the column or array, for the error.
        texts: The different labels as they are written; if there are very many, the first ones.
        count: How many different labels there are.
        remedy: How to write numbers that are classes.
    """
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return
    whole = all(float(text.replace(",", ".")).is_integer() for text in texts)
    if whole and count <= MOST_NUMBERED_CLASSES:
        return
    if whole and count <= MOST_WHOLE_NUMBERS:
        raise DataError(
            f"{where}: {count} different whole numbers can be classes or a quantity; if they are classes, {remedy}. "
            + TABLES_ONLY
        )
    raise DataError(f"{where}: {count} different numbers are a quantity; if they are classes, {remedy}. {TABLES_ONLY}")


def from_array(name: str, array: str, values: np.ndarray) -> Labels:
    """Read the labels of an npz file's array: integers of up to 64 bits, text, or booleans (as text).

    Raises:
        DataError: The array does not have one label per row, or a label is not valid.
    """
    if values.ndim == 1 and values.dtype.kind == "f":
        _refuse_fractions(name, array, values)
    if values.ndim != 1 or values.dtype.kind not in "iuUb":
        raise DataError(
            f"{name}: {array} is {values.dtype} of shape {values.shape}; expected one int or text label per row, for "
            f"example {array}.astype(int).ravel()"
        )
    if values.dtype.kind == "u" and values.size and int(values.max()) > INT64.max:
        raise DataError(f"{name}: {array} has {values.max()}, which exceeds 64 bits; store the labels as text")
    distinct, codes = np.unique(values, return_inverse=True)
    classes: list[Label] = [str(label) for label in distinct] if values.dtype.kind == "b" else distinct.tolist()
    for label in classes:
        if isinstance(label, str):
            check_text(name, label)
    return Labels(tuple(classes), codes.astype(np.int64))


def _refuse_fractions(name: str, array: str, values: np.ndarray) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(f"{name}: {array}, row {row + 1}: {values[row]} is not a label; remove the row")
    distinct = np.unique(values).tolist()
    refuse_quantity(f"{name}: {array}", [repr(value) for value in distinct], len(distinct), f"save {array}.astype(str)")


def check_text(name: str, label: str) -> None:
    """Raise DataError if a label cannot be written as JSON, which a model's file and each answer need."""
    try:
        label.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{name}: the label {label!r} contains half of a character (a lone surrogate); save the file as valid UTF-8"
        ) from error
    if "\0" in label:
        raise DataError(f"{name}: the label {label!r} contains a NUL character; remove it from the file")
