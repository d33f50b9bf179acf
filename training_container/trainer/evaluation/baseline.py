"""What a naive model reaches, which knows the training targets and no inputs. A model has to be better than that."""

import numpy as np

from mlops.domain.objective import Objective
from mlops_contract import Task
from trainer.data import Dataset
from trainer.evaluation.tasks import evaluate
from trainer.evaluation.weighting import row_weights


def baseline(dataset: Dataset, objective: Objective) -> float | None:
    """Return the objective of a model that always answers with the shares of the classes, or with the mean.

    Returns:
        None for a metric that the platform does not measure.
    """
    train, held_out = dataset.train, dataset.held_out
    weights = row_weights(train.weights, len(train))
    if dataset.task is Task.REGRESSION:
        answer = np.average(train.targets, weights=weights)
    else:
        answer = np.bincount(train.targets, weights, dataset.classes) / weights.sum()
    answers = np.broadcast_to(answer, (len(held_out), max(1, dataset.classes)))
    evaluation = evaluate(dataset.task, answers, held_out.targets, dataset.labels, held_out.weights)
    return objective.value(evaluation.metrics())
