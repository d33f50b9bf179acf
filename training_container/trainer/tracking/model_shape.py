"""What a model takes and gives, as MLflow's signature says it."""

from mlops_contract import Task
from mlops_contract.contract import PREDICTION, PROBABILITIES
from mlops_conversion.mlflow_folder import Shape
from trainer.data import Dataset


def shape_of(dataset: Dataset) -> Shape:
    """Return the shape of a model of these data."""
    if dataset.task is Task.REGRESSION:
        return Shape(dataset.contract, dataset.features, 1, PREDICTION)
    return Shape(dataset.contract, dataset.features, dataset.classes, PROBABILITIES)
