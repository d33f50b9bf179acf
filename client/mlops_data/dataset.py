"""A data set: its rows in parts, and a digest of exactly these rows."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlops_contract import Contract, Task
from mlops_data.errors import DataError
from mlops_data.labels import Label, Labels
from mlops_data.profile import DataProfile

MAX_CLASSES = 1000
FEWER_CLASSES = "merge rare ones, or predict a quantity instead (regression), which needs a table with named columns"
HELD_OUT_EVERY = 5
"""If a data set has no held-out rows, every fifth row of each class is held out: the same rows in every run."""

Image = tuple[int, int]


class Rows(NamedTuple):
    """Rows of a file: `inputs` float32 `[n, features]`, and their labels."""

    inputs: np.ndarray
    labels: Labels


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a data set.

    Attributes:
        inputs: float32 `[n, features]`; of a table the coded matrix, where NaN is missing.
        targets: int64 `[n]`, indices into the labels; for regression float64 `[n]`, the quantities.
        weights: float32 `[n]`, how much each row counts; None if all count the same.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Split":
        """Return the rows at the indices, or in the mask, `rows`."""
        weights = self.weights[rows] if self.weights is not None else None
        return Split(np.ascontiguousarray(self.inputs[rows]), self.targets[rows], weights)


@dataclass(frozen=True)
class Feature:
    """What a position of a table's coded matrix holds.

    Attributes:
        name: The column's name, with the part of a datetime after a point, such as `day.month`.
        column: The name of the column that it comes from.
        levels: The categories, whose codes are 0, 1, …; the code after the last one is any other value. None for a
            number.
    """

    name: str
    column: str
    levels: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """The rows for training, and the held-out rows for measuring.

    Attributes:
        name: What it was asked for by, or the file's address.
        labels: The class of each target index; empty for regression.
        image: (rows, columns) of a flattened image, or None.
        digest: The SHA-256 of all rows, targets and labels, whatever the file's format is.
        notes: Sentences for users: what was left out, and how the file was read if there was a choice.
        validation: Rows of tables for early stopping and for choosing hyperparameters. Vectors and images have none.
        contract: The columns of a table; None for vectors and images.
        feature_columns: What the positions of a table's coded matrix hold.
        profile: What was found in a table; None for vectors and images.
    """

    name: str
    train: Split
    held_out: Split
    labels: tuple[Label, ...]
    image: Image | None
    digest: str
    notes: tuple[str, ...] = ()
    validation: Split | None = None
    task: Task = Task.CLASSIFICATION
    contract: Contract | None = None
    feature_columns: tuple[Feature, ...] = ()
    profile: DataProfile | None = None

    @property
    def features(self) -> int:
        return int(self.train.inputs.shape[1])

    @property
    def classes(self) -> int:
        return len(self.labels)


def split_by_class(name: str, rows: Rows, image: Image | None, notes: tuple[str, ...] = ()) -> Dataset:
    """Hold out every fifth row of each class.

    Raises:
        DataError: Nothing can be learned from the rows, or none can be held out.
    """
    _check_lengths(name, "", rows)
    check_classes(name, rows.labels.classes)
    held = np.zeros(len(rows.inputs), bool)
    for code in range(len(rows.labels.classes)):
        held[np.flatnonzero(rows.labels.codes == code)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    if not held.any():
        raise DataError(
            f"{name}: no class has {HELD_OUT_EVERY} rows, so none can be held out to measure the model; add rows, or "
            "provide held-out rows (x_test and y_test of an npz file)"
        )
    inputs, labels = rows
    train, held_out = (Rows(inputs[part], labels.take(part)) for part in (~held, held))
    return assemble(name, train, held_out, image, notes)


def assemble(name: str, train: Rows, held_out: Rows, image: Image | None, notes: tuple[str, ...] = ()) -> Dataset:
    """Return a data set from rows that are split already.

    Raises:
        DataError: The two parts do not fit each other, or nothing can be learned from them.
    """
    for part, rows in (("train", train), ("held-out", held_out)):
        _check_lengths(name, f"{part} ", rows)
    if train.inputs.shape[1] != held_out.inputs.shape[1]:
        raise DataError(f"{name}: {train.inputs.shape[1]} features to train on, {held_out.inputs.shape[1]} held out")
    check_classes(name, train.labels.classes)
    unknown = sorted(set(held_out.labels.classes) - set(train.labels.classes), key=str)
    if unknown:
        raise DataError(
            f"{name}: the label {unknown[0]} is in the held-out rows, but not in the training rows; add "
            "rows with it, or remove it"
        )
    classes = train.labels.classes
    splits = (Split(*_of_classes(train, classes)), Split(*_of_classes(held_out, classes)))
    return Dataset(name, *splits, classes, image, digest_of(splits, repr((classes, image))), notes)


def _of_classes(rows: Rows, classes: tuple[Label, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(rows.inputs, np.float32), rows.labels.indices_into(classes)


def _check_lengths(name: str, part: str, rows: Rows) -> None:
    if len(rows.inputs) != len(rows.labels):
        raise DataError(f"{name}: {len(rows.inputs)} {part}rows, but {len(rows.labels)} labels")
    if len(rows.inputs) == 0:
        raise DataError(f"{name}: no {part}rows; add some")


def check_classes(name: str, classes: tuple[Label, ...]) -> None:
    """Raise DataError if there is only one class, or too many."""
    if len(classes) < 2:
        raise DataError(f"{name}: all rows have the class {classes[0]}; add rows of another class")
    if len(classes) > MAX_CLASSES:
        raise DataError(f"{name}: {len(classes)} classes, and at most {MAX_CLASSES} are allowed; {FEWER_CLASSES}")


def digest_of(splits: Iterable[Split], description: str) -> str:
    """Return the SHA-256 of rows, and of a text that says what they are."""
    digest = hashlib.sha256(description.encode())
    for split in splits:
        for piece in _pieces(split):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(split: Split) -> Iterator[bytes | memoryview]:
    yield str(split.inputs.shape).encode()
    yield _little_endian(split.inputs)
    yield _little_endian(split.targets)
    if split.weights is not None:
        yield _little_endian(split.weights)


def _little_endian(values: np.ndarray) -> memoryview:
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
