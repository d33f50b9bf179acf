"""The figures that are reported while a model trains. How good the model is in the end is measured elsewhere."""

import numpy as np

from mlops_contract import Task
from trainer.data import Dataset, Split


def measured_rows(dataset: Dataset, validation: Split | None) -> Split:
    """Return the rows that the reports are of: those for validation, else the held-out ones."""
    return dataset.held_out if validation is None else validation


def validation_metrics(answers: np.ndarray, rows: Split, task: Task, variance: float = 1.0) -> dict[str, float]:
    """Return `val_loss` and what shows it in the task's own terms.

    Args:
        answers: Probabilities float32 `[n, classes]`, or quantities float32 `[n]`.
        rows: Their truth and weights.
        task: Of a classification the loss is the mean negative log-likelihood. Of a regression it is the mean squared
            error in units of `variance`, so that 1 is what the mean of all rows would reach.
        variance: That of the training targets.
    """
    if task is Task.CLASSIFICATION:
        of_target = answers[np.arange(len(rows)), rows.targets].astype(np.float64)
        loss = np.average(-np.log(np.clip(of_target, 1e-12, 1)), weights=rows.weights)
        accuracy = np.average(answers.argmax(axis=1) == rows.targets, weights=rows.weights)
        return {"val_loss": float(loss), "val_accuracy": float(accuracy)}
    squared = float(np.average((answers.astype(np.float64) - rows.targets) ** 2, weights=rows.weights))
    return {"val_loss": squared / variance, "val_rmse": squared**0.5}


def mean_and_deviation(targets: np.ndarray, weights: np.ndarray | None) -> tuple[float, float]:
    """Return the weighted mean and standard deviation of a regression's targets; the deviation is above 0."""
    mean = float(np.average(targets, weights=weights))
    variance = float(np.average((targets - mean) ** 2, weights=weights))
    return mean, variance**0.5 or 1.0
