"""The objective of a run: the metric that says how good its model is, and whether higher or lower values are better.

Whoever ranks runs, or compares two versions, asks the objective. Nothing else knows that a higher accuracy is better.
"""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlops_contract import Task


class Direction(StrEnum):
    MAXIMISE = "maximise"
    MINIMISE = "minimise"


class ObjectiveError(ValueError):
    """There is no such objective. The message says what is wrong, and names the remedy."""


@dataclass(frozen=True)
class Objective:
    """A metric, by the name that it has in MLflow, and the direction in which it is better."""

    name: str
    direction: Direction

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of a model version with this objective. Those of a run begin with `mlops.`."""
        return {"objective": self.name, "direction": self.direction.value}

    @property
    def document(self) -> dict[str, str]:
        """Return the objective as a JSON object, as the API answers it."""
        return {"name": self.name, "direction": self.direction.value}

    @property
    def on_validation(self) -> "Objective":
        """Return the same metric, measured on the rows for validation and not on those that the gate compares by."""
        return Objective(f"val_{self.name}", self.direction)

    @property
    def is_share(self) -> bool:
        """Whether 1 is the best value, whatever the data: a margin is then a difference."""
        return self.name in _KNOWN and _KNOWN[self.name].is_share

    def value(self, metrics: Mapping[str, float]) -> float | None:
        """Return the metric of a run; None if it is missing or not finite."""
        value = metrics.get(self.name)
        return value if value is not None and is_finite(value) else None

    def score(self, metrics: Mapping[str, float]) -> float | None:
        """Return a number that is higher for better metrics; None if the metric is missing or not finite."""
        value = self.value(metrics)
        return value if value is None or self.direction is Direction.MAXIMISE else -value

    def limit(self, champion: float, margin: float) -> float:
        """Return the worst value with which a version may replace one that has the value `champion`.

        Args:
            champion: A finite value of the metric.
            margin: The allowed difference, for a metric whose best value is 1. For others, such as rmse, whose size
                depends on the data, it is a share of `champion`.
        """
        allowed = margin if self.is_share else margin * abs(champion)
        return champion - allowed if self.direction is Direction.MAXIMISE else champion + allowed

    def reaches(self, value: float, limit: float) -> bool:
        """Return whether `value` is as good as `limit`, or better."""
        return value >= limit if self.direction is Direction.MAXIMISE else value <= limit


@dataclass(frozen=True)
class _Known:
    """What is known of a metric of the platform's trainer."""

    direction: Direction
    task: Task
    is_share: bool = False


_KNOWN = {
    "accuracy": _Known(Direction.MAXIMISE, Task.CLASSIFICATION, is_share=True),
    "macro_f1": _Known(Direction.MAXIMISE, Task.CLASSIFICATION, is_share=True),
    "roc_auc": _Known(Direction.MAXIMISE, Task.CLASSIFICATION, is_share=True),
    "average_precision": _Known(Direction.MAXIMISE, Task.CLASSIFICATION, is_share=True),
    "loss": _Known(Direction.MINIMISE, Task.CLASSIFICATION),
    "rmse": _Known(Direction.MINIMISE, Task.REGRESSION),
    "mae": _Known(Direction.MINIMISE, Task.REGRESSION),
    "r2": _Known(Direction.MAXIMISE, Task.REGRESSION, is_share=True),
}
_METRICS = {"f1": "macro_f1", "log_loss": "loss"}
"""Usual names of objectives, and the metrics that the trainer logs for them."""
ACCURACY = Objective("accuracy", Direction.MAXIMISE)
RMSE = Objective("rmse", Direction.MINIMISE)
SUMMARY_TAG = "mlops.summary"
"""What a run's model is, in a sentence: the description of a version that is registered from it."""
_PREFIX = "mlops."


def names(task: Task) -> tuple[str, ...]:
    """Return the known objectives of a task, as requests name them."""
    usual = {metric: name for name, metric in _METRICS.items()}
    return tuple(usual.get(metric, metric) for metric, known in _KNOWN.items() if known.task is task)


def default(task: Task) -> Objective:
    """Return the objective of a task for which the request names none."""
    return RMSE if task is Task.REGRESSION else ACCURACY


def named(name: str, direction: str | None = None, task: Task | None = None) -> Objective:
    """Return the objective with this name.

    Args:
        name: A known one, such as `f1`, or a metric that the run logs itself.
        direction: `maximise` or `minimise`. A metric of the run's own needs it; a known one may only have its own.
        task: The task of the run, if it is known.

    Raises:
        ObjectiveError: The objective is one of another task, or its direction is missing or wrong.
    """
    metric = _METRICS.get(name, name)
    if direction is not None and direction not in list(Direction):
        raise ObjectiveError(f"the direction {direction!r} is neither maximise nor minimise")
    known = _KNOWN.get(metric)
    if known is None:
        if direction is None:
            raise ObjectiveError(
                f"{name!r} is a metric of your own: give its direction, maximise or minimise. Metrics with a known "
                f"direction are {', '.join(names(Task.CLASSIFICATION) + names(Task.REGRESSION))}"
            )
        return Objective(metric, Direction(direction))
    if task is not None and known.task is not task:
        raise ObjectiveError(
            f"{name!r} measures {known.task}, and the task is {task}: choose one of {', '.join(names(task))}"
        )
    if direction is not None and direction != known.direction:
        raise ObjectiveError(f"the direction of {name!r} is {known.direction}: leave the direction out")
    return Objective(metric, known.direction)


def of_request(request: Mapping[str, Any], task: Task | None = None) -> Objective:
    """Return the objective of a training request, by its fields `objective`, `direction` and `task`.

    Args:
        request: The fields of a TrainRequest or a SweepRequest. Those of older versions lack the three.
        task: The task, where the data have decided it.

    Raises:
        ObjectiveError: The request names an objective that it cannot have.
    """
    if task is None and request.get("task"):
        task = Task(request["task"])
    if name := request.get("objective"):
        return named(name, request.get("direction"), task)
    return default(task or Task.CLASSIFICATION)


def of_runs(request: Mapping[str, Any], runs: Iterable[Collection[str]]) -> Objective | None:
    """Return the objective by which the runs of a request are ranked.

    If the request leaves the task to the data, its runs have decided it: those of a regression have an rmse and no
    accuracy.

    Args:
        request: The fields of a TrainRequest or a SweepRequest.
        runs: The names of the metrics of each run, as far as they have some.

    Returns:
        None if the request was accepted by a later version of the platform, and this one does not know its objective.
    """
    measured = {name for names_of_run in runs for name in names_of_run}
    is_regression = RMSE.name in measured and ACCURACY.name not in measured
    try:
        return of_request(request, Task.REGRESSION if is_regression and not request.get("task") else None)
    except ObjectiveError:
        return None


def of_tags(tags: Mapping[str, str]) -> Objective | None:
    """Return the objective in the tags of a model version; accuracy if they name none.

    Returns:
        None if they name a metric whose direction is not known.
    """
    name = tags.get("objective")
    if name is None:
        return ACCURACY
    try:
        return named(name, tags.get("direction"))
    except ObjectiveError:
        return None


def run_tags(objective: Objective, task: Task) -> dict[str, str]:
    """Return the tags of an MLflow run with this objective."""
    return {_PREFIX + name: value for name, value in {**objective.tags, "task": task.value}.items()}


def is_finite(value: float) -> bool:
    """Return whether a metric can be compared. MLflow's database stores infinity as the largest float."""
    return abs(value) < sys.float_info.max
