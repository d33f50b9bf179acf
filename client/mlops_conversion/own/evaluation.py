"""How good the original is on the given rows, by the names that runs of the platform log."""

import math

import numpy as np

from mlops_contract import Task
from mlops_contract.decision import places_of
from mlops_conversion.own.original import Array


def measured(answers: Array, target: Array, task: Task, decision_threshold: float | None = None) -> dict[str, float]:
    """Return the metrics.

    Args:
        answers: The original's: probabilities `[n, classes]`, or quantities `[n, 1]`.
        target: The classes by their place, int64 `[n]`, or quantities, float64 `[n]`.
        task: What they are.
        decision_threshold: As `mlops_contract.decision` has it.
    """
    found = (
        _classes(answers, target, decision_threshold)
        if task is Task.CLASSIFICATION
        else _quantity(answers.reshape(-1), target)
    )
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _classes(probabilities: Array, target: Array, decision_threshold: float | None) -> dict[str, float]:
    predicted, classes = places_of(probabilities, decision_threshold), probabilities.shape[1]
    confusion = np.zeros((classes, classes))
    np.add.at(confusion, (target, predicted), 1)
    right = np.diag(confusion)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1)
    of_target = np.clip(probabilities[np.arange(len(target)), target], 1e-12, 1)
    metrics = {
        "accuracy": float(right.sum() / len(target)),
        "loss": float(-np.log(of_target).mean()),
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "macro_f1": float(f1.mean()),
    }
    places = (1,) if classes == 2 else range(classes)
    areas = [_area(probabilities[:, place], target == place) for place in places]
    known = [area for area in areas if area is not None]
    return metrics | {"roc_auc": float(np.mean(known))} if known else metrics


def _area(scores: Array, positive: Array) -> float | None:
    """Return the area under the ROC curve, by ranks; ties count half."""
    count = int(positive.sum())
    if not 0 < count < len(positive):
        return None
    _, places, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[places]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def _quantity(predictions: Array, target: Array) -> dict[str, float]:
    errors = target - predictions
    variance = float(((target - target.mean()) ** 2).mean())
    squared = float((errors**2).mean())
    metrics = {"rmse": math.sqrt(squared), "mae": float(np.abs(errors).mean())}
    return metrics | {"r2": 1 - squared / variance} if variance > 0 else metrics
