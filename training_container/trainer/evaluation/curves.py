"""ROC and precision-recall curves of one class against the others."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Curve:
    """How many rows are taken for the class at each threshold, from the highest score to the lowest.

    `true_positives` and `false_positives` are sums of the rows' weights, float64 `[thresholds]`, one for each score
    that a row has. The last threshold takes all rows for the class.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray

    @property
    def recall(self) -> np.ndarray:
        """The share of the class that is found at each threshold, also called the true positive rate."""
        return _share_of_last(self.true_positives)

    @property
    def false_positive_rate(self) -> np.ndarray:
        """The share of the other rows that are taken for the class at each threshold."""
        return _share_of_last(self.false_positives)

    @property
    def precision(self) -> np.ndarray:
        """The share of the class in what is taken for it at each threshold; 1 where nothing that counts is taken."""
        taken = self.true_positives + self.false_positives
        share: np.ndarray = np.where(taken > 0, self.true_positives, 1) / np.where(taken > 0, taken, 1)
        return share

    def area(self) -> float:
        """Return the area under the ROC curve: how often a row of the class scores higher than another one."""
        rate, recall = (np.concatenate([[0.0], values]) for values in (self.false_positive_rate, self.recall))
        return float(np.trapezoid(recall, rate))

    def average_precision(self) -> float:
        """Return the mean of the precision over the recall, as a sum of steps (Zhu 2004, as in scikit-learn)."""
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())


def curve(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> Curve | None:
    """Return the curve of a class; None if no row of the class counts, or no other row does.

    Args:
        scores: The model's probability of the class, `[n]`.
        positive: Whether each row is of the class, bool `[n]`.
        weights: How much each row counts, float64 `[n]`.
    """
    order = np.argsort(-scores, kind="stable")
    scores, positive, weights = scores[order], positive[order], weights[order]
    # Rows with the same score are taken together.
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    true_positives = np.cumsum(weights * positive)[last]
    false_positives = np.cumsum(weights * ~positive)[last]
    if not true_positives[-1] > 0 or not false_positives[-1] > 0:
        return None
    return Curve(true_positives, false_positives)


def _share_of_last(values: np.ndarray) -> np.ndarray:
    share: np.ndarray = values / values[-1]
    return share
