"""The distributions of the rows that the model was measured on; drift is later measured against them.

All are of the held-out rows: like production's inputs, the model was not fitted to them.
"""

from typing import TypedDict

import numpy as np

from mlops_contract import Task
from mlops_contract.confidence_bins import BINS, EDGES
from mlops_contract.decision import confidences_of, places_of

TENTHS = [round(edge / 10, 1) for edge in range(11)]
INK = 0.5
"""A pixel above this is ink. predict measures the same signals of each image (`predict.signals`)."""
BLOCKS = 7


class Histogram(TypedDict):
    """Counts in ten equal bins from 0 to 1, the last one closed."""

    edges: list[float]
    counts: list[int]


class Counts(TypedDict):
    """How often each class was predicted."""

    counts: list[int]


class BlockMeans(TypedDict):
    """Sums and sums of squares, over the images, of the mean of each block of pixels."""

    rows: int
    cols: int
    sums: list[float]
    squares: list[float]


class AccuracyByConfidence(TypedDict):
    """Rows by bin of confidence (`mlops_contract.confidence_bins`): all of them, and those that were right."""

    counts: list[int]
    right: list[int]


class Reference(TypedDict):
    """The reference as it stands in the model's file. The image signals are None for other vectors."""

    count: int
    predictions: Counts
    confidence: Histogram
    accuracy_by_confidence: AccuracyByConfidence | None
    mean_intensity: Histogram | None
    ink_share: Histogram | None
    block_means: BlockMeans | None


def reference(
    inputs: np.ndarray,
    probabilities: np.ndarray,
    image: tuple[int, int] | None,
    task: Task = Task.CLASSIFICATION,
    targets: np.ndarray | None = None,
    decision_threshold: float | None = None,
) -> Reference | None:
    """The reference of a model; None if it predicts a quantity: the reference of its columns has that too.

    Args:
        inputs: float32 `[n, features]`.
        probabilities: The model's answers, float32 `[n, classes]`.
        image: (rows, columns) if the inputs are flattened images.
        task: What the model predicts.
        targets: The place of each row's label, int `[n]`; None if the labels are not known.
        decision_threshold: As `mlops_contract.decision` has it.
    """
    if task is Task.REGRESSION:
        return None
    places = places_of(probabilities, decision_threshold)
    confidences = confidences_of(probabilities, places)
    return {
        "count": len(inputs),
        "predictions": {"counts": np.bincount(places, minlength=probabilities.shape[1]).tolist()},
        "confidence": _histogram(confidences),
        "accuracy_by_confidence": None if targets is None else _accuracies(confidences, places == targets),
        "mean_intensity": _histogram(inputs.mean(axis=1)) if image else None,
        "ink_share": _histogram((inputs > INK).mean(axis=1)) if image else None,
        "block_means": _block_means(inputs, image) if image else None,
    }


def _accuracies(confidences: np.ndarray, right: np.ndarray) -> AccuracyByConfidence:
    bins = np.digitize(confidences.astype(np.float64), EDGES)
    counts, hits = (np.bincount(found, minlength=BINS).tolist() for found in (bins, bins[right]))
    return {"counts": counts, "right": hits}


def _histogram(values: np.ndarray) -> Histogram:
    # In whole thousandths first, as predict logs them: a value at an edge falls on the same side here and there.
    bins = np.clip(np.rint(values.astype(np.float64) * 1000).astype(int) // 100, 0, 9)
    return {"edges": TENTHS, "counts": np.bincount(bins, minlength=10).tolist()}


def _block_means(inputs: np.ndarray, image: tuple[int, int]) -> BlockMeans | None:
    """The signals of 7x7 blocks; None for smaller images."""
    rows, columns = image
    if min(rows, columns) < BLOCKS:
        return None
    # Blocks as even as possible, as predict cuts them.
    row, column = np.arange(rows) * BLOCKS // rows, np.arange(columns) * BLOCKS // columns
    block = (row[:, None] * BLOCKS + column[None, :]).reshape(-1)
    share = np.zeros((len(block), BLOCKS * BLOCKS))
    share[np.arange(len(block)), block] = 1 / np.bincount(block)[block]
    means = inputs.astype(np.float64) @ share
    return {
        "rows": BLOCKS,
        "cols": BLOCKS,
        "sums": _rounded(means.sum(axis=0)),
        "squares": _rounded((means**2).sum(axis=0)),
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
