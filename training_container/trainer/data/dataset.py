"""A data set: vectors with labels, in two parts, and a digest of exactly these rows."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from mlops_contract import Contract, Task
from trainer.data.labels import Label, Labels
from trainer.errors import DataError

MAX_CLASSES = 1000
HELD_OUT_EVERY = 5
"""If a data set has no held-out rows, every fifth row of each class is held out: the same rows in every run."""

Image = tuple[int, int]


class Rows(NamedTuple):
    """Rows of a file: `inputs` float32 `[n, features]`, and their labels."""

    inputs: np.ndarray
    labels: Labels


class DataProfile(Protocol):
    """What was found in the columns of a table."""

    def to_document(self) -> dict[str, Any]:
        """Return it as a JSON object."""


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a data set.

    Attributes:
        inputs: float32 `[n, features]`. Of a table it is the coded matrix, where NaN is a missing value.
        targets: int64 `[n]`, indices into the labels; float64 `[n]` for a regression.
        weights: How much each row counts, float32 `[n]`; None if all count alike.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Split":
        """Return the rows at the indices, or in the mask, `rows`."""
        weights = None if self.weights is None else self.weights[rows]
        return Split(np.ascontiguousarray(self.inputs[rows]), self.targets[rows], weights)


@dataclass(frozen=True)
class Feature:
    """One position of a coded matrix: its name, its column, and the column's levels; None for a number.

    A category's code is the index into its levels. The number of levels stands for all other values.
    """

    name: str
    column: str
    levels: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """The rows for training and the held-out rows for measuring.

    `labels[i]` is the class of target `i`. `image` is (rows, columns) of a flattened image, or None. `digest` is the
    SHA-256 of all rows, targets and labels, whatever the file's format is. `notes` are sentences for users: what was
    left out, and how the file was read if there was a choice.

    A table with named columns has a `contract`, a `feature_columns` for each position of its coded matrix, and rows for
    `validation`. Vectors and images have none of them. A regression has no labels.
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
    _check_classes(name, rows.labels.classes)
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
    _check_classes(name, train.labels.classes)
    unknown = sorted(set(held_out.labels.classes) - set(train.labels.classes), key=str)
    if unknown:
        raise DataError(
            f"{name}: the label {unknown[0]} is in the held-out rows, but not in the training rows; add "
            "rows with it, or remove it"
        )
    classes = train.labels.classes
    splits = (Split(*_of_classes(train, classes)), Split(*_of_classes(held_out, classes)))
    return Dataset(name, *splits, classes, image, _digest(splits, classes, image), notes)


def _of_classes(rows: Rows, classes: tuple[Label, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(rows.inputs, np.float32), rows.labels.indices_into(classes)


def _check_lengths(name: str, part: str, rows: Rows) -> None:
    if len(rows.inputs) != len(rows.labels):
        raise DataError(f"{name}: {len(rows.inputs)} {part}rows, but {len(rows.labels)} labels")
    if len(rows.inputs) == 0:
        raise DataError(f"{name}: no {part}rows; add some")


def _check_classes(name: str, classes: tuple[Label, ...]) -> None:
    if len(classes) < 2:
        raise DataError(f"{name}: all rows have the class {classes[0]}; add rows of another class")
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{name}: {len(classes)} classes, and at most {MAX_CLASSES} are allowed; models that predict a quantity "
            "(regression) are not supported"
        )


def _digest(splits: tuple[Split, Split], labels: tuple[Label, ...], image: Image | None) -> str:
    digest = hashlib.sha256(repr((labels, image)).encode())
    for piece in _pieces(splits):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(splits: tuple[Split, Split]) -> Iterator[bytes | memoryview]:
    for split in splits:
        yield str(split.inputs.shape).encode()
        yield np.ascontiguousarray(split.inputs, "<f4").reshape(-1).view(np.uint8).data
        yield np.ascontiguousarray(split.targets, "<i8").view(np.uint8).data
