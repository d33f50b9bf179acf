"""Read MNIST from its IDX files, plain or gzipped, below MNIST_DIR: a folder, an s3:// or an https:// prefix."""

import os

import numpy as np

from mlops_data import labels
from mlops_data.dataset import Dataset, Rows, assemble
from mlops_data.errors import DataError
from trainer.data import idx, sources

TRAIN_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
HELD_OUT_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def load() -> Dataset:
    """Return MNIST's digits of 28x28 pixels from 0 to 1, and its held-out digits.

    Raises:
        DataError: MNIST_DIR is not set, or a file is missing or damaged.
        Unreachable: The service that stores the files does not answer.
    """
    base = os.environ.get("MNIST_DIR")
    if not base:
        raise DataError(
            "mnist: the variable MNIST_DIR is not set; set it to the folder, or the s3:// or https:// prefix, of "
            "train-images-idx3-ubyte.gz and the three other files of MNIST"
        )
    train, image = _part(base, *TRAIN_FILES)
    held_out, _ = _part(base, *HELD_OUT_FILES)
    return assemble("mnist", train, held_out, image)


def _part(base: str, images_name: str, labels_name: str) -> tuple[Rows, tuple[int, int]]:
    images = idx.images(images_name, _plain_or_gzip(base, images_name))
    targets = idx.labels(labels_name, _plain_or_gzip(base, labels_name))
    if len(images) != len(targets):
        raise DataError(f"mnist: {images_name} has {len(images)} images, but {labels_name} has {len(targets)} labels")
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    return Rows(pixels, labels.from_array("mnist", labels_name, targets)), images.shape[1:]


def _plain_or_gzip(base: str, name: str) -> bytes:
    try:
        return sources.read(sources.join(base, name + ".gz"), trusted=True)
    except DataError as first:
        try:
            return sources.read(sources.join(base, name), trusted=True)
        except DataError:
            raise DataError(f"mnist: {first}") from first
