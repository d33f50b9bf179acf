"""How good runs and versions are, by their objective, in tables and lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mlops_client.cli.output import number, percent

if TYPE_CHECKING:
    from mlops_client.models import Objective

UNKNOWN = "objective"
"""The heading of a column with several objectives."""


def name_of(objective: Objective | None) -> str:
    """Return the metric's name. An API that does not know the objective ranks by accuracy."""
    return objective.name if objective else "accuracy"


def heading(objectives: Iterable[Objective | None]) -> str:
    """Return the heading of a column: the metric's name, if all rows have the same."""
    names = {name_of(objective) for objective in objectives}
    return names.pop() if len(names) == 1 else UNKNOWN


def value(objective: Objective | None, metrics: Mapping[str, float]) -> float | None:
    """Return the metric of the final model, or that of the last epoch."""
    name = name_of(objective)
    return metrics.get(name, metrics.get(f"val_{name}"))


def text(objective: Objective | None, metrics: Mapping[str, float], head: str | None = None) -> str:
    """Return the value as text; empty without one.

    Args:
        objective: The metric.
        metrics: The metrics of the run.
        head: The heading above the text. If that is not the metric's name, the text begins with the name.
    """
    name, found = name_of(objective), value(objective, metrics)
    if found is None:
        return ""
    shown = metric(name, found)
    return shown if head in (None, name) else f"{name} {shown}"


def metric(name: str, found: float | None) -> str:
    """Return the value of a metric as text: accuracy as a percentage."""
    return percent(found) if name == "accuracy" else number(found)
