"""What a run says about itself in tags: its objective, and its data."""

import json

from mlops.domain import objective as objectives
from mlops.domain.objective import Objective, ObjectiveError
from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.parameters import Parameters

LONGEST_TAG = 5000


def objective_of(parameters: Parameters, dataset: Dataset) -> Objective:
    """Return the objective of the run. Raises ParameterError if the data's task does not have it."""
    try:
        return objectives.of_request(parameters.model_dump(), dataset.task)
    except ObjectiveError as error:
        raise ParameterError(f"--objective (TRAIN_OBJECTIVE): {error}") from error


def data_tags(dataset: Dataset) -> dict[str, str]:
    """Return the labels in order, beside `class/0/precision` and so on, and the notes about the data.

    Labels that are longer than a tag are in evaluation.json only.
    """
    tags = {"mlops.data_notes": "; ".join(dataset.notes)[:LONGEST_TAG]} if dataset.notes else {}
    labels = json.dumps(dataset.labels, ensure_ascii=False)
    return tags | {"mlops.labels": labels} if len(labels) <= LONGEST_TAG else tags
