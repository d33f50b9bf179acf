"""How good a classifier is on held-out rows. numpy only; its pictures and words are made in `report`."""

from dataclasses import dataclass

import numpy as np

from trainer.data import Label

CALIBRATION_BINS = 10


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good a classifier is.

    `confusion[i, j]` counts rows of class i that were predicted as class j. `precision` and `recall` have one entry for
    each class, the calibration arrays one for each bin of confidence.
    """

    labels: tuple[Label, ...]
    count: int
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
        total = self.precision + self.recall
        product: np.ndarray = 2 * self.precision * self.recall / np.where(total > 0, total, 1)
        return product

    def metrics(self) -> dict[str, float]:
        """The figures that are logged, compared and ranked by."""
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "macro_precision": float(self.precision.mean()),
            "macro_recall": float(self.recall.mean()),
            "macro_f1": float(self.f1.mean()),
            "calibration_error": self.calibration_error,
        }

    def class_metrics(self) -> dict[str, float]:
        """Precision and recall of each class, by its position in `labels`.

        Not by the label itself, which may hold what the name of a metric may not.
        """
        metrics = {}
        for index in range(len(self.labels)):
            metrics[f"precision_{index}"] = float(self.precision[index])
            metrics[f"recall_{index}"] = float(self.recall[index])
        return metrics


def evaluate(probabilities: np.ndarray, targets: np.ndarray, labels: tuple[Label, ...]) -> Evaluation:
    """Measure predictions against the truth.

    Args:
        probabilities: float32 `[n, classes]`.
        targets: int64 `[n]`, indices into the labels.
        labels: One for each class.

    The loss is the mean negative log-likelihood. The calibration error is the expected calibration error over ten equal
    bins of confidence (Guo et al. 2017): the mean gap of confidence and accuracy, weighted by the bins' counts.
    """
    count, classes = probabilities.shape
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(targets * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    right = np.diag(confusion).astype(float)
    of_target = np.clip(probabilities[np.arange(count), targets].astype(np.float64), 1e-12, 1)

    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    of_bin = np.maximum(counts, 1)
    mean_confidence = np.bincount(bins, weights=confidence, minlength=CALIBRATION_BINS) / of_bin
    mean_accuracy = np.bincount(bins, weights=predicted == targets, minlength=CALIBRATION_BINS) / of_bin
    return Evaluation(
        labels=labels,
        count=count,
        accuracy=float(right.sum() / count),
        loss=float(-np.log(of_target).mean()),
        precision=right / np.maximum(confusion.sum(axis=0), 1),
        recall=right / np.maximum(confusion.sum(axis=1), 1),
        confusion=confusion,
        calibration_error=float((np.abs(mean_confidence - mean_accuracy) * counts).sum() / count),
        bin_counts=counts,
        bin_confidence=mean_confidence,
        bin_accuracy=mean_accuracy,
    )
