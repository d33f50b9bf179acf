"""What a version is, in a sentence. Imports nothing heavy, as the trainer needs it before the first epoch."""

from collections.abc import Mapping

from mlops.domain.objective import Objective
from mlops_contract import Task
from mlops_contract.decision import SECOND
from trainer.data import Dataset
from trainer.parameters import Parameters

CARD = "model_card.md"
"""The file with all that is to be said of it (`trainer.model_card`)."""


def summary(parameters: Parameters, dataset: Dataset, metrics: Mapping[str, float], objective: Objective) -> str:
    """Return how good a version is, and what: in this order, as lists cut it. Of an address, only the file's name."""
    value = objective.value(metrics)
    figure = "not measured" if value is None else f"{value:.4g}"
    name = dataset.name.rstrip("/").rpartition("/")[2]
    rows = f"{len(dataset.held_out):,} held-out rows of `{name}`"
    return f"{objective.name} {figure} on {rows}. {about(parameters, dataset)}"


def about(parameters: Parameters, dataset: Dataset) -> str:
    """Return what a model is, in a sentence or two."""
    if dataset.contract is not None:
        inputs = f"rows of {len(dataset.contract.columns)} columns"
    elif dataset.image:
        inputs = f"images of {dataset.image[0]}x{dataset.image[1]}"
    else:
        inputs = f"vectors of {dataset.features}"
    if dataset.task is Task.REGRESSION:
        target = f"`{dataset.contract.target}`" if dataset.contract is not None else "a quantity"
        return f"A {parameters.model_type} that predicts {target} from {inputs}."
    said = f"A {parameters.model_type} that distinguishes {dataset.classes} classes of {inputs}."
    if parameters.decision_threshold is not None:
        said += f" It answers `{dataset.labels[SECOND]}` from a probability of {parameters.decision_threshold} on."
    return said
