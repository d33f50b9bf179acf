"""Data sets: where they come from, how they are split, and what they must be like.

Every data set is numeric vectors with a label each. Images are flattened row by row with pixels from 0 to 1.
"""

import gzip
import hashlib
import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from trainer import formats, sources
from trainer.errors import DataError

Label = int | str
MAX_CLASSES = 1000
HELD_OUT_EVERY = 5
"""Without held-out rows of its own, a data set gives up every fifth row of each class: the same ones for every run."""

MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "held_out": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a data set: `inputs` float32 `[n, features]`, `targets` int64 `[n]`, indices into the labels."""

    inputs: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> "Split":
        return Split(np.ascontiguousarray(self.inputs[rows]), self.targets[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a run trains on, and what it is measured on.

    `labels[i]` is the class of target `i`; `image` is (rows, columns) of a flattened image or None; `digest` is the
    SHA-256 of all rows, targets and labels, whichever file they came from.
    """

    name: str
    train: Split
    held_out: Split
    labels: tuple[Label, ...]
    image: tuple[int, int] | None
    digest: str

    @property
    def features(self) -> int:
        return int(self.train.inputs.shape[1])

    @property
    def classes(self) -> int:
        return len(self.labels)


def load(name: str) -> Dataset:
    """The data set `name`: digits, mnist, or the address of an npz or CSV file.

    Raises:
        DataError: it cannot be read, or nothing can be learnt from it; says where and why.
        Unreachable: the service that holds it does not answer.
    """
    readers: dict[str, Callable[[], Dataset]] = {"digits": digits, "mnist": mnist}
    if name in readers:
        return readers[name]()
    path = urlsplit(name).path
    reader = {".npz": _npz, ".csv": _csv}.get(Path(path.removesuffix(".gz")).suffix.lower())
    if reader is None:
        raise DataError(f"{name}: neither .npz nor .csv (or .csv.gz), so its format is not known")
    return reader(name, sources.read(name))


def digits() -> Dataset:
    """The 1,797 handwritten digits that scikit-learn carries (UCI), 8x8 scaled up to 28x28 by linear interpolation."""
    # The package is found, not imported: importing scikit-learn costs more than a second.
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("digits: the package scikit-learn, which carries this data set, is not installed")
    with gzip.open(Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    small = table[:, :-1].reshape(-1, 8, 8) / np.float64(16)
    stretch = _interpolation(28, 8)
    # Rounded, so that the digest does not hang on how a machine's library sums.
    images = np.round(np.clip(stretch @ small @ stretch.T, 0.0, 1.0), 4)
    return _split(
        "digits", images.reshape(len(images), 784).astype(np.float32), table[:, -1].astype(np.int64), image=(28, 28)
    )


def _interpolation(to: int, of: int) -> np.ndarray:
    """float64 `[to, of]`: the matrix that resamples `of` points linearly to `to`, pixel centres kept in place."""
    centres = np.clip((np.arange(to) + 0.5) * of / to - 0.5, 0, of - 1)
    left = np.minimum(np.floor(centres).astype(int), of - 2)
    share = centres - left
    matrix = np.zeros((to, of))
    matrix[np.arange(to), left] = 1 - share
    matrix[np.arange(to), left + 1] = share
    return matrix


def mnist() -> Dataset:
    """MNIST in its own IDX files, plain or gzip, below MNIST_DIR: a folder, an s3:// or an https:// prefix."""
    base = os.environ.get("MNIST_DIR")
    if not base:
        raise DataError(
            "mnist: the variable MNIST_DIR is not set; "
            "give it the folder, s3:// or https:// prefix of train-images-idx3-ubyte.gz and its three companions"
        )
    splits = {}
    for part, (images_name, labels_name) in MNIST_FILES.items():
        images = formats.idx_images(images_name, _plain_or_gzip(base, images_name))
        targets = formats.idx_labels(labels_name, _plain_or_gzip(base, labels_name))
        if len(images) != len(targets):
            raise DataError(f"mnist: {images_name} holds {len(images)} images, {labels_name} {len(targets)} labels")
        splits[part] = images, targets
    pixels = {part: images.reshape(len(images), -1) for part, (images, _) in splits.items()}
    rows, columns = splits["train"][0].shape[1:]
    return _assembled(
        "mnist",
        (pixels["train"].astype(np.float32) / 255, splits["train"][1]),
        (pixels["held_out"].astype(np.float32) / 255, splits["held_out"][1]),
        image=(rows, columns),
    )


def _plain_or_gzip(base: str, name: str) -> bytes:
    try:
        return sources.read(sources.join(base, name + ".gz"), trusted=True)
    except DataError as first:
        try:
            return sources.read(sources.join(base, name), trusted=True)
        except DataError:
            raise DataError(f"mnist: {first}") from first


def _npz(name: str, content: bytes) -> Dataset:
    """Arrays `x` and `y`, or `x_train`, `y_train`, `x_test`, `y_test`; images as uint8 or as floats from 0 to 1."""
    arrays = formats.npz(name, content)
    inputs = formats.pick(arrays, "x_train", "x", "inputs")
    targets = formats.pick(arrays, "y_train", "y", "labels")
    if inputs is None or targets is None:
        raise DataError(f"{name}: holds {', '.join(arrays) or 'nothing'}; wanted x and y, or x_train and y_train")
    vectors, image = _vectors(name, *inputs)
    held_inputs = formats.pick(arrays, "x_test", "inputs_test")
    held_targets = formats.pick(arrays, "y_test", "labels_test")
    if (held_inputs is None) != (held_targets is None):
        raise DataError(f"{name}: x_test and y_test belong together, one of them is missing")
    if held_inputs is None or held_targets is None:
        return _split(name, vectors, _flat(name, *targets), image)
    held_vectors, _ = _vectors(name, *held_inputs)
    held_out = (held_vectors, _flat(name, *held_targets))
    return _assembled(name, (vectors, _flat(name, *targets)), held_out, image)


def _vectors(name: str, array: str, values: np.ndarray) -> tuple[np.ndarray, tuple[int, int] | None]:
    """float32 `[n, features]`, all finite, and the shape of the images they were, if so."""
    if values.dtype.kind not in "fiub":
        raise DataError(f"{name}: {array} holds {values.dtype}, not numbers")
    if values.ndim not in (2, 3):
        raise DataError(f"{name}: {array} has the shape {values.shape}; wanted [n, features] or [n, rows, columns]")
    image = (values.shape[1], values.shape[2]) if values.ndim == 3 else None
    scale = 255 if image and values.dtype == np.uint8 else 1
    # A float64 beyond float32's range becomes infinite, which is reported with the row, not as a warning.
    with np.errstate(over="ignore"):
        vectors = values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float32)
    finite = np.isfinite(vectors)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{name}: {array}, row {row + 1}, column {column + 1}: "
            f"{values[row].flat[column]} is not a finite number (float32)"
        )
    return vectors / np.float32(scale) if scale != 1 else vectors, image


def _flat(name: str, array: str, values: np.ndarray) -> np.ndarray:
    if values.ndim != 1 or values.dtype.kind not in "iuUb":
        raise DataError(
            f"{name}: {array} is {values.dtype} of shape {values.shape}; wanted one int or text label a row"
        )
    return values


def _csv(name: str, content: bytes) -> Dataset:
    vectors, labels = formats.csv_table(name, content)
    whole = all(label.lstrip("-").isdigit() for label in labels)
    return _split(name, vectors, np.asarray([int(label) for label in labels] if whole else labels), None)


def _split(name: str, inputs: np.ndarray, labels: np.ndarray, image: tuple[int, int] | None) -> Dataset:
    """Hold back every fifth row of each class."""
    if len(inputs) != len(labels):
        raise DataError(f"{name}: {len(inputs)} rows, but {len(labels)} labels")
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held[np.flatnonzero(labels == label)[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    if not held.any():
        raise DataError(f"{name}: no class has {HELD_OUT_EVERY} rows, so none can be held out to measure the model on")
    return _assembled(name, (inputs[~held], labels[~held]), (inputs[held], labels[held]), image)


def _assembled(
    name: str,
    train: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
    image: tuple[int, int] | None,
) -> Dataset:
    for part, (inputs, labels) in (("train", train), ("held-out", held_out)):
        _check(name, part, inputs, labels)
    if train[0].shape[1] != held_out[0].shape[1]:
        raise DataError(f"{name}: {train[0].shape[1]} features to train on, {held_out[0].shape[1]} held out")
    found = np.unique(train[1])
    if len(found) < 2:
        raise DataError(f"{name}: all rows are of one class ({found[0]}); two are needed to tell anything apart")
    if len(found) > MAX_CLASSES:
        raise DataError(
            f"{name}: {len(found)} classes, at most {MAX_CLASSES} are allowed; are the labels numbers to regress?"
        )
    strangers = np.setdiff1d(held_out[1], found)
    if len(strangers):
        raise DataError(f"{name}: the label {strangers[0]} is held out, but never trained on")
    splits = [
        Split(np.ascontiguousarray(inputs, np.float32), np.searchsorted(found, labels).astype(np.int64))
        for inputs, labels in (train, held_out)
    ]
    classes = tuple(found.tolist())
    return Dataset(name, splits[0], splits[1], classes, image, _digest(splits, classes, image))


def _check(name: str, part: str, inputs: np.ndarray, labels: np.ndarray) -> None:
    if len(inputs) != len(labels):
        raise DataError(f"{name}: {len(inputs)} {part} rows, but {len(labels)} labels")
    if len(inputs) == 0:
        raise DataError(f"{name}: no {part} rows")


def _digest(splits: list[Split], labels: tuple[Label, ...], image: Any) -> str:
    digest = hashlib.sha256(repr((labels, image)).encode())
    for piece in _pieces(splits):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(splits: list[Split]) -> Iterator[bytes]:
    for split in splits:
        yield str(split.inputs.shape).encode()
        yield np.ascontiguousarray(split.inputs, "<f4").tobytes()
        yield np.ascontiguousarray(split.targets, "<i8").tobytes()
