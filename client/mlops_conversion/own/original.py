"""A model as its library made it: what it takes, what it answers, and how its graph is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mlops_contract import Task
from mlops_conversion.own.graph import Graph, Wires

Array = np.ndarray[Any, np.dtype[Any]]
Label = int | str


class Write(Protocol):
    def __call__(self, graph: Graph, wires: Wires, missing: Mapping[str, Any]) -> str:
        """Add the model to the graph, and return the name of its answer, float32 `[n, classes]` or `[n, 1]`.

        Args:
            graph: What it is added to.
            wires: What it gets.
            missing: What it gets for missing text, by column: None or NaN.
        """
        ...


@dataclass(frozen=True)
class Original:
    """A model of any library.

    Attributes:
        task: What it predicts.
        labels: Its classes, in the order of its probabilities; empty for a quantity.
        ask: Returns its answers to data as it takes them: probabilities `[n, classes]`, or quantities `[n]`.
        predict: Returns its own choice of class `[n]`, where it has one of its own; else None.
        write: Adds it to a graph.
        columns: The names of the columns that it was fitted with, if it knows them.
        thresholds: The numbers that it compares each column with, by the column's position, for trees without steps
            before them.
        decision_threshold: As `mlops_contract.decision` has it.
    """

    task: Task
    labels: tuple[Label, ...]
    ask: Callable[[Any], Array]
    predict: Callable[[Any], Array] | None
    write: Write
    columns: tuple[str, ...] | None = None
    thresholds: Callable[[], dict[int, Array]] = dict
    decision_threshold: float | None = None


def plain_labels(classes: Sequence[Any]) -> tuple[Label, ...]:
    """Return classes as labels: text, or whole numbers."""
    return tuple(_plain_label(value) for value in np.asarray(classes).tolist())


def _plain_label(value: Any) -> Label:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) else str(value)
