"""The rows that a model type trains on, those that it validates by, and how much each of them counts."""

from dataclasses import replace

import numpy as np

from mlops_contract import Task
from mlops_data.errors import DataError
from trainer.data import Dataset, Split
from trainer.parameters import Parameters

VALIDATION_EVERY = 10


def training_rows(dataset: Dataset, parameters: Parameters, needed: bool) -> tuple[Split, Split | None]:
    """Return the rows to train on and the rows to validate by. The held-out rows choose nothing.

    With `class_weight: balanced`, each class counts alike in the training rows.

    Args:
        dataset: A table has rows for validation of its own. Of others a tenth is set aside, if it is needed.
        parameters: Of the run.
        needed: Whether rows for validation choose something, and not only show how far the training is.
    """
    train, validation = dataset.train, dataset.validation
    if validation is None and (needed or parameters.class_weight == "balanced"):
        train, validation = _set_aside(train)
    if parameters.class_weight == "balanced" and dataset.task is Task.CLASSIFICATION:
        train = Split(train.inputs, train.targets, _balanced(train, dataset.classes))
    return train, validation


def with_validation(dataset: Dataset) -> Dataset:
    """Return the data set with rows for validation: its own, or else a tenth of the training rows.

    Raises:
        DataError: It has too few training rows to set one aside.
    """
    if dataset.validation is not None:
        return dataset
    if len(dataset.train) < VALIDATION_EVERY:
        raise DataError(
            f"{dataset.name}: has {len(dataset.train)} training rows; a sweep sets every tenth aside to rank its runs, "
            f"so it needs at least {VALIDATION_EVERY}: add rows, or train a single run"
        )
    train, validation = _set_aside(dataset.train)
    return replace(dataset, train=train, validation=validation)


def class_shares(dataset: Dataset) -> np.ndarray:
    """Return the share of each class in the training rows, by their weights: float64 `[classes]`, all above 0."""
    counts = np.bincount(dataset.train.targets, dataset.train.weights, minlength=dataset.classes) + 1e-9
    shares: np.ndarray = counts / counts.sum()
    return shares


def _set_aside(split: Split) -> tuple[Split, Split]:
    """Set a tenth of the rows aside for validation: every tenth, so the same ones for every seed."""
    aside = np.arange(len(split)) % VALIDATION_EVERY == VALIDATION_EVERY - 1
    return split.take(~aside), split.take(aside)


def _balanced(split: Split, classes: int) -> np.ndarray:
    """Return weights float32 `[n]` under which all classes that have rows have the same sum, and the mean is kept."""
    weights = np.ones(len(split)) if split.weights is None else split.weights.astype(np.float64)
    sums = np.bincount(split.targets, weights, minlength=classes)
    target = sums.sum() / np.count_nonzero(sums)
    factors = np.divide(target, sums, out=np.zeros(classes), where=sums > 0)
    balanced: np.ndarray = (weights * factors[split.targets]).astype(np.float32)
    return balanced
