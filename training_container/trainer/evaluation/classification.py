"""How good a classifier is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlops_contract.decision import confidences_of, places_of
from trainer.data import Label
from trainer.evaluation import classification_pictures as pictures
from trainer.evaluation.curves import Curve, curve
from trainer.evaluation.protocol import Picture
from trainer.evaluation.weighting import row_weights

CALIBRATION_BINS = 10
CURVES_DRAWN = 20
"""Of more classes, the curves could not be told apart."""


@dataclass(frozen=True, eq=False)
class Classification:
    """How good a classifier is.

    `confusion[i, j]` counts rows of class i that were predicted as class j. `precision`, `recall` and `rows` have one
    entry for each class, the calibration arrays one for each bin of confidence. If rows have weights, all figures but
    `count` and `rows` are sums and means of them.
    """

    labels: tuple[Label, ...]
    probabilities: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    count: int
    rows: np.ndarray
    accuracy: float
    loss: float
    precision: np.ndarray
    recall: np.ndarray
    confusion: np.ndarray
    calibration_error: float
    bin_counts: np.ndarray
    bin_confidence: np.ndarray
    bin_accuracy: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall of each class; 0 where both are 0."""
        return _ratio(2 * self.precision * self.recall, self.precision + self.recall)

    @cached_property
    def curves(self) -> Mapping[int, Curve]:
        """The curve of each class against the others, by its position. Of two classes, only that of the second.

        A class that no row has, or all rows have, is left out.
        """
        classes = (1,) if len(self.labels) == 2 else range(len(self.labels))
        found = {index: curve(self.probabilities[:, index], self.targets == index, self.weights) for index in classes}
        return {index: drawn for index, drawn in found.items() if drawn is not None}

    def metrics(self) -> dict[str, float]:
        """The figures that are logged, compared and ranked by.

        `roc_auc` and `average_precision` are those of the second of two classes; of more, the mean over the classes.
        """
        metrics = {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "macro_precision": float(self.precision.mean()),
            "macro_recall": float(self.recall.mean()),
            "macro_f1": float(self.f1.mean()),
            "calibration_error": self.calibration_error,
        }
        if self.curves:
            metrics["roc_auc"] = float(np.mean([each.area() for each in self.curves.values()]))
            metrics["average_precision"] = float(np.mean([each.average_precision() for each in self.curves.values()]))
        return metrics

    def class_metrics(self) -> dict[str, float]:
        """Precision and recall of each class, by its position in `labels`.

        Not by the label itself, which may hold what the name of a metric may not.
        """
        metrics = {}
        for index in range(len(self.labels)):
            metrics[f"class/{index}/precision"] = float(self.precision[index])
            metrics[f"class/{index}/recall"] = float(self.recall[index])
        return metrics

    def to_document(self) -> dict[str, Any]:
        """All figures as a JSON object."""
        return {
            "labels": list(self.labels),
            "count": self.count,
            **self.metrics(),
            "precision": self.precision.tolist(),
            "recall": self.recall.tolist(),
            "f1": self.f1.tolist(),
            "confusion": self.confusion.tolist(),
            "calibration": {
                "counts": self.bin_counts.tolist(),
                "confidence": self.bin_confidence.tolist(),
                "accuracy": self.bin_accuracy.tolist(),
            },
        }

    def pictures(self) -> dict[str, Picture]:
        """What draws each picture; the curves only for few classes."""
        filled = self.bin_counts > 0
        right = f"accuracy {self.accuracy:.2%} of {self.count}"
        error = f"expected calibration error {self.calibration_error:.4f}"
        drawn: dict[str, Picture] = {
            "confusion.png": lambda: pictures.confusion(self.labels, self.confusion, right),
            "calibration.png": lambda: pictures.calibration(
                self.bin_confidence[filled], self.bin_accuracy[filled], error
            ),
        }
        if self.curves and len(self.labels) <= CURVES_DRAWN:
            metrics = self.metrics()
            curves = [(self.labels[index], each) for index, each in self.curves.items()]
            area = f"area under the ROC curve {metrics['roc_auc']:.4f}"
            precision = f"average precision {metrics['average_precision']:.4f}"
            drawn["roc.png"] = lambda: pictures.roc(curves, area)
            drawn["precision_recall.png"] = lambda: pictures.precision_recall(curves, precision)
        return drawn


def evaluate_classification(
    probabilities: np.ndarray,
    targets: np.ndarray,
    labels: tuple[Label, ...],
    weights: np.ndarray | None = None,
    decision_threshold: float | None = None,
) -> Classification:
    """Measure predictions against the truth.

    Args:
        probabilities: float32 `[n, classes]`.
        targets: int64 `[n]`, indices into the labels.
        labels: One for each class.
        weights: How much each row counts, float32 `[n]`; None counts all alike.
        decision_threshold: As `mlops_contract.decision` has it.

    The loss is the mean negative log-likelihood. The calibration error is the expected calibration error over ten equal
    bins of confidence (Guo et al. 2017): the mean gap of confidence and accuracy, weighted by the bins' counts.

    Raises:
        DataError: All weights are 0.
    """
    count, classes = probabilities.shape
    weight = row_weights(weights, count)
    total = weight.sum()
    predicted = places_of(probabilities, decision_threshold)
    # Without weights these are whole numbers.
    confusion = np.bincount(targets * classes + predicted, weights, classes * classes).reshape(classes, classes)
    right = np.diag(confusion).astype(float)
    of_target = np.clip(probabilities[np.arange(count), targets].astype(np.float64), 1e-12, 1)

    confidence = confidences_of(probabilities, predicted).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    bin_counts = np.bincount(bins, weights, CALIBRATION_BINS)
    bin_confidence = _ratio(np.bincount(bins, confidence * weight, CALIBRATION_BINS), bin_counts)
    bin_accuracy = _ratio(np.bincount(bins, (predicted == targets) * weight, CALIBRATION_BINS), bin_counts)
    return Classification(
        labels=labels,
        probabilities=probabilities,
        targets=targets,
        weights=weight,
        count=count,
        rows=np.bincount(targets, minlength=classes),
        accuracy=float(right.sum() / total),
        loss=float(-(np.log(of_target) * weight).sum() / total),
        precision=_ratio(right, confusion.sum(axis=0)),
        recall=_ratio(right, confusion.sum(axis=1)),
        confusion=confusion,
        calibration_error=float((np.abs(bin_confidence - bin_accuracy) * bin_counts).sum() / total),
        bin_counts=bin_counts,
        bin_confidence=bin_confidence,
        bin_accuracy=bin_accuracy,
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, and 0 where the whole is 0."""
    ratio: np.ndarray = part / np.where(whole > 0, whole, 1)
    return ratio
