"""Read the handwritten digits of scikit-learn (UCI), which need no download."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from mlops_data import labels
from mlops_data.dataset import Dataset, Rows, split_by_class
from mlops_data.errors import DataError

SIDE = 28
SMALL_SIDE = 8
BRIGHTEST = 16


def load() -> Dataset:
    """Return 1,797 digits, scaled from 8x8 to 28x28 by linear interpolation, with pixels from 0 to 1.

    Raises:
        DataError: Scikit-learn is not installed.
    """
    # The package is located, not imported: importing scikit-learn costs more than a second.
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("digits: the package scikit-learn, which contains this data set, is not installed")
    with gzip.open(Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    small = table[:, :-1].reshape(-1, SMALL_SIDE, SMALL_SIDE) / np.float64(BRIGHTEST)
    stretch = interpolation(SIDE, SMALL_SIDE)
    # Rounded, so that the digest does not depend on how a machine's library sums.
    images = np.round(np.clip(stretch @ small @ stretch.T, 0.0, 1.0), 4)
    inputs = images.reshape(len(images), SIDE * SIDE).astype(np.float32)
    return split_by_class(
        "digits", Rows(inputs, labels.from_array("digits", "y", table[:, -1].astype(np.int64))), (SIDE, SIDE)
    )


def interpolation(to: int, of: int) -> np.ndarray:
    """Return float64 `[to, of]`: the matrix that resamples `of` points linearly to `to`, with fixed pixel centres."""
    centres = np.clip((np.arange(to) + 0.5) * of / to - 0.5, 0, of - 1)
    left = np.minimum(np.floor(centres).astype(int), of - 2)
    share = centres - left
    matrix = np.zeros((to, of))
    matrix[np.arange(to), left] = 1 - share
    matrix[np.arange(to), left + 1] = share
    return matrix
