"""The evaluation that suits a task."""

import numpy as np

from mlops_contract import Task
from trainer.data import Label
from trainer.evaluation.classification import evaluate_classification
from trainer.evaluation.protocol import Evaluation
from trainer.evaluation.regression import evaluate_regression


def evaluate(
    task: Task,
    answers: np.ndarray,
    targets: np.ndarray,
    labels: tuple[Label, ...],
    weights: np.ndarray | None = None,
    decision_threshold: float | None = None,
) -> Evaluation:
    """Measure a model's answers against the truth.

    Args:
        task: What the model predicts.
        answers: Probabilities float32 `[n, classes]`, or quantities float32 `[n]` or `[n, 1]`.
        targets: Indices into the labels, int64 `[n]`, or quantities float64 `[n]`.
        labels: One for each class; none for a quantity.
        weights: How much each row counts, float32 `[n]`; None counts all alike.
        decision_threshold: As `mlops_contract.decision` has it.

    Raises:
        DataError: All weights are 0.
    """
    if task is Task.REGRESSION:
        return evaluate_regression(answers, targets, weights)
    return evaluate_classification(answers, targets, labels, weights, decision_threshold)
