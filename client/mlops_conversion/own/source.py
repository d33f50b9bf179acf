"""The data that a model is proved with: as columns of a contract, and back to what the model takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.columns import LARGEST_WHOLE
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_conversion.own.graph import Graph, Kind, Wire, Wires
from mlops_conversion.own.original import Array
from mlops_conversion.proof.prove import NULL_TOKENS

Columns = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Source:
    """Rows that a model is asked.

    Attributes:
        contract: The columns, with all that callers might send allowed; of a tensor, a column for each value.
        columns: The rows as `mlops_conversion.proof.rows.Columns` has them, in the order of the model: also those that
            it turned out not to use, which the contract does not have.
        rebuild: Returns columns as the model takes them.
        single: The columns that the model gets as float32.
        tensor: Whether callers send the values as one list, without names.
        image: Rows and columns of pixels, if the values are an image.
        missing: What the model gets for missing text, by column: None or NaN.
        notes: What was left out.
    """

    contract: Contract
    columns: Columns
    rebuild: Callable[[Columns], Any]
    single: frozenset[str] = frozenset()
    tensor: bool = False
    image: tuple[int, int] | None = None
    missing: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def wires(self, graph: Graph) -> Wires:
        """Add the columns to a graph, and return a wire for each; those of a tensor are one wire."""
        if self.tensor:
            kind = Kind.FLOAT if self.single else Kind.DOUBLE
            wire = Wire(NUMBERS, Kind.FLOAT, len(self.contract.columns), exact=True)
            return (graph.cast(wire, kind),)
        columns = {column.name: column for column in self.contract.columns}
        return tuple(
            self._wire(graph, columns[name]) if name in columns else Wire("", Kind.UNUSED, 1, column=name)
            for name in self.columns
        )

    def _wire(self, graph: Graph, column: Column) -> Wire:
        if column.type is ColumnType.DATETIME:
            return Wire("", Kind.TIME, 1, column=column.name)
        text = column.type is ColumnType.STRING
        places = graph.constant(np.array(list(column.positions), np.int64))
        name = graph.add("Gather", CATEGORIES if text else NUMBERS, places, axis=1)
        if text:
            return Wire(name, Kind.TEXT, 1, column.null_token, column.name, sources=(column.name,))
        wire = Wire(name, Kind.FLOAT, 1, exact=True, sources=(column.name,))
        wide = graph.cast(wire, Kind.FLOAT if column.name in self.single else Kind.DOUBLE)
        return replace(wide, column=column.name)


def of_texts(texts: Any, name: str, task: Task, target: str) -> Source:
    """Return rows that are one text each, which the model takes as a list."""
    values = np.array([text if isinstance(text, str) else None for text in texts], object)
    if not len(values):
        raise ValueError("data has no rows; give rows that the training did not see")
    column = claimed(name, ColumnType.STRING, 0, values)
    return Source(
        Contract(task, target, (column,)), {name: values}, lambda asked: list(asked[name]), missing={name: None}
    )


def check_whole(values: Array, where: str) -> None:
    """Raise ValueError if float32 does not have all of the whole numbers."""
    if len(values) and np.abs(values).max() > LARGEST_WHOLE:
        raise ValueError(
            f"{where} has whole numbers beyond {LARGEST_WHOLE:,}, and float32 merges neighbours of such numbers. Leave "
            "an id out, make a code text, or convert the column to float64 if seven digits are enough"
        )


def claimed(name: str, kind: ColumnType, position: int, values: Array) -> Column:
    """Return a column that allows everything, with what the rows show of it."""
    if kind is ColumnType.STRING:
        known = set(values)
        token = next((token for token in NULL_TOKENS if token not in known), "\N{SYMBOL FOR NULL}")
        return Column(name, kind, position, null_token=token)
    if kind in (ColumnType.DOUBLE, ColumnType.LONG):
        present = values[np.isfinite(values)]
        if len(present):
            return Column(name, kind, position, low=float(present.min()), high=float(present.max()))
    return Column(name, kind, position)
