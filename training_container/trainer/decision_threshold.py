"""Whether a run's decision threshold fits its data."""

from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.parameters import Parameters


def decision_threshold_of(parameters: Parameters, dataset: Dataset) -> float | None:
    """Return the probability of the second class from which on it is the answer; None for the most probable class.

    Raises:
        ParameterError: The data do not have two classes.
    """
    threshold = parameters.decision_threshold
    if threshold is None or len(dataset.labels) == 2:
        return threshold
    found = f"{len(dataset.labels)} classes" if dataset.labels else "quantities"
    raise ParameterError(
        f"--decision-threshold: needs two classes, and {dataset.name} has {found}: leave it out, and out of the "
        "model's settings"
    )
