"""What a run trains on: vectors with a label each, in two parts, and a digest that names exactly these rows."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainer.data.labels import Label, Labels
from trainer.errors import DataError

MAX_CLASSES = 1000
HELD_OUT_EVERY = 5
"""A data set without held-out rows of its own gives up every fifth row of each class: the same ones for every run."""

Image = tuple[int, int]


class Rows(NamedTuple):
    """Rows as they were read: `inputs` float32 `[n, features]` and their labels."""

    inputs: np.ndarray
    labels: Labels


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a data set: `inputs` float32 `[n, features]`, `targets` int64 `[n]`, indices into the labels."""

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Split":
        """The rows at the indices, or under the mask, `rows`."""
        return Split(np.ascontiguousarray(self.inputs[rows]), self.targets[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a run trains on, and what it is measured on.

    `labels[i]` is the class of target `i`. `image` is (rows, columns) of a flattened image, or None. `digest` is the
    SHA-256 of all rows, targets and labels, whichever file they came from. `notes` are sentences for people: what was
    left out, and how the file was read where it leaves a choice.
    """

    name: str
    train: Split
    held_out: Split
    labels: tuple[Label, ...]
    image: Image | None
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def features(self) -> int:
        return int(self.train.inputs.shape[1])

    @property
    def classes(self) -> int:
        return len(self.labels)


def split_by_class(name: str, rows: Rows, image: Image | None, notes: tuple[str, ...] = ()) -> Dataset:
    """Hold back every fifth row of each class.

    Raises:
        DataError: nothing can be learnt from the rows, or none can be held out.
    """
    _check_lengths(name, "", rows)
    _check_classes(name, rows.labels.classes)
    held = np.zeros(len(rows.inputs), bool)
    for code in range(len(rows.labels.classes)):
        held[np.flatnonzero(rows.labels.codes == code)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    if not held.any():
        raise DataError(
            f"{name}: no class has {HELD_OUT_EVERY} rows, so none can be held out to measure the model on; "
            "add rows, or give held-out rows of your own (x_test and y_test of an npz file)"
        )
    inputs, labels = rows
    train, held_out = (Rows(inputs[part], labels.take(part)) for part in (~held, held))
    return assemble(name, train, held_out, image, notes)


def assemble(name: str, train: Rows, held_out: Rows, image: Image | None, notes: tuple[str, ...] = ()) -> Dataset:
    """A data set of rows that are split already.

    Raises:
        DataError: the two parts do not belong together, or nothing can be learnt from them.
    """
    for part, rows in (("train", train), ("held-out", held_out)):
        _check_lengths(name, f"{part} ", rows)
    if train.inputs.shape[1] != held_out.inputs.shape[1]:
        raise DataError(f"{name}: {train.inputs.shape[1]} features to train on, {held_out.inputs.shape[1]} held out")
    _check_classes(name, train.labels.classes)
    unknown = sorted(set(held_out.labels.classes) - set(train.labels.classes), key=str)
    if unknown:
        raise DataError(f"{name}: the label {unknown[0]} is held out, but never trained on")
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
        raise DataError(f"{name}: all rows are of one class ({classes[0]}); at least two classes are needed")
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"{name}: {len(classes)} classes, at most {MAX_CLASSES} are allowed; are the labels numbers to regress?"
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
