"""An ONNX graph that is put together from nodes, and from whole models."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from mlops_contract.explanations import ENCODED, Explanation
from mlops_conversion.errors import CannotConvert

Array = np.ndarray[Any, np.dtype[Any]]
OPSET, ML_OPSET, IR_VERSION = 20, 3, 10
"""Of the graph. Trees need a later ML_OPSET, which no longer has the trees of skl2onnx."""
ML = "ai.onnx.ml"
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})


class Kind(Enum):
    """The elements of a wire. The original computes in double or in float, and so does the graph."""

    TEXT = TensorProto.STRING
    DOUBLE = TensorProto.DOUBLE
    FLOAT = TensorProto.FLOAT
    TIME = TensorProto.UNDEFINED
    """A datetime, which no step of the graph takes."""
    UNUSED = -1
    """A column that the model does not use."""


@dataclass(frozen=True)
class Wire:
    """A value in the graph, `[n, width]`.

    Attributes:
        name: Its name in the graph.
        kind: Its elements.
        width: How many columns it has.
        null: The text that stands for missing; None if nothing is missing. NaN is a missing number.
        column: The column of the table that it is, if it is one as callers send it.
        sparse: Whether it is a sparse matrix in the original, which does not store zeros.
        exact: Whether float32 has its numbers exactly.
        sources: The column of the table that each of its columns is made of; empty if that is not known, or several.
    """

    name: str
    kind: Kind
    width: int
    null: str | None = None
    column: str | None = None
    sparse: bool = False
    exact: bool = False
    sources: tuple[str, ...] = ()

    @property
    def source(self) -> str | None:
        """The only column of the table that it is made of; None if that is not known, or several."""
        return self.sources[0] if len(set(self.sources)) == 1 else None


Wires = tuple[Wire, ...]
_NOT_NUMERIC = {
    Kind.TEXT: "which is text; put an encoder before it (OneHotEncoder)",
    Kind.TIME: "which is a datetime; make numbers of it (such as days and weekday) before the pipeline, and fit the "
    "pipeline on them",
}


@dataclass(frozen=True)
class Sums:
    """What a model's answers are sums over.

    Attributes:
        features: The features, float32.
        make: Returns how the answers are explained by them; it gets their means in the given rows, float64 `[width]`.
        needs_rows: Whether it uses the means, so that the rows have to be like those that the model is for.
    """

    features: Wire
    make: Callable[[Array], Explanation]
    needs_rows: bool = False


def width(wires: Iterable[Wire]) -> int:
    """Return how many columns the wires have together."""
    return sum(wire.width for wire in wires)


@dataclass
class Graph:
    """The graph so far.

    Attributes:
        nodes: In an order in which each comes after those that it needs.
        constants: By name.
        ml_opset: The version of the operators of ai.onnx.ml.
        levels: The text that the model knows of each column of text, as far as steps say it.
        sums: What the model's answers are sums over, if they are.
    """

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    ml_opset: int = ML_OPSET
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sums: "Sums | None" = None
    _count: int = 0

    def name(self, hint: str) -> str:
        """Return a name that nothing has."""
        self._count += 1
        return f"{hint}_{self._count}"

    def know(self, column: str | None, levels: Iterable[str]) -> None:
        """Note text that the model knows of a column."""
        if column is not None:
            self.levels[column] = tuple(dict.fromkeys((*self.levels.get(column, ()), *levels)))

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one result, and return the result's name."""
        result = self.name(operator)
        self.nodes.append(helper.make_node(operator, list(inputs), [result], domain=domain, **attributes))
        return result

    def constant(self, values: Any) -> str:
        """Add a constant, and return its name."""
        name, array = self.name("constant"), np.ascontiguousarray(values)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, wire: Wire, kind: Kind) -> Wire:
        """Return the wire with other elements."""
        if wire.kind is kind:
            return wire
        name = self.add("Cast", wire.name, to=kind.value)
        return Wire(name, kind, wire.width, sparse=wire.sparse, exact=wire.exact, sources=wire.sources)

    def joined(self, wires: Wires) -> Wire:
        """Return numeric wires side by side; double if one of them is.

        Raises:
            CannotConvert: One of them is not numeric.
        """
        for wire in wires:
            if wire.kind in _NOT_NUMERIC:
                where = f" {wire.column!r}" if wire.column else ""
                raise CannotConvert(f"it gets the column{where}, {_NOT_NUMERIC[wire.kind]}")
        if len(wires) == 1:
            return wires[0]
        kind = Kind.DOUBLE if any(wire.kind is Kind.DOUBLE for wire in wires) else Kind.FLOAT
        name = self.add("Concat", *(self.cast(wire, kind).name for wire in wires), axis=1)
        exact = all(wire.exact for wire in wires)
        return Wire(
            name,
            kind,
            width(wires),
            sparse=any(wire.sparse for wire in wires),
            exact=exact,
            sources=_sources(wires),
        )

    def taken(self, wires: Wires, columns: Iterable[int]) -> Wires:
        """Return columns of the wires, by their position among all columns."""
        places = [(wire, at) for wire in wires for at in range(wire.width)]
        groups: list[tuple[Wire, list[int]]] = []
        for column in columns:
            wire, at = places[column]
            if groups and groups[-1][0] == wire:
                groups[-1][1].append(at)
            else:
                groups.append((wire, [at]))
        return tuple(self._part(wire, at) for wire, at in groups)

    def _part(self, wire: Wire, columns: list[int]) -> Wire:
        if columns == list(range(wire.width)):
            return wire
        name = self.add("Gather", wire.name, self.constant(np.array(columns, np.int64)), axis=1)
        sources = tuple(wire.sources[at] for at in columns) if wire.sources else ()
        return Wire(name, wire.kind, len(columns), wire.null, sparse=wire.sparse, exact=wire.exact, sources=sources)

    def include(self, model: onnx.ModelProto, inputs: Mapping[str, str]) -> dict[str, str]:
        """Add all nodes of a model.

        Args:
            model: Its operators need versions that this graph has.
            inputs: For each of its inputs, the value here.

        Returns:
            For each of its outputs, the name here.

        Raises:
            CannotConvert: It branches, loops, or has functions.
        """
        wrong = sorted({node.op_type for node in model.graph.node} & _CONTROL_FLOW)
        if wrong:
            raise CannotConvert(f"it needs {', '.join(wrong)}, which the platform does not serve")
        if model.functions:
            raise CannotConvert("its converted form calls functions of its own, and only plain operators are copied")
        names = dict(inputs)
        prefix = self.name("part")

        def renamed(name: str) -> str:
            return names.setdefault(name, f"{prefix}/{name}") if name else ""

        for constant in model.graph.initializer:
            kept = TensorProto()
            kept.CopyFrom(constant)
            kept.name = renamed(constant.name)
            self.constants.append(kept)
        for node in model.graph.node:
            kept_node = NodeProto()
            kept_node.CopyFrom(node)
            kept_node.name = ""
            kept_node.input[:] = [renamed(name) for name in node.input]
            kept_node.output[:] = [renamed(name) for name in node.output]
            self.nodes.append(kept_node)
        versions = {item.domain: item.version for item in model.opset_import}
        self.ml_opset = max(self.ml_opset, versions.get(ML, 0))
        return {output.name: renamed(output.name) for output in model.graph.output}

    def to_model(
        self, inputs: Mapping[str, tuple[Kind, int]], result: str, output: str, columns: int
    ) -> onnx.ModelProto:
        """Return the model, without nodes whose results nothing needs.

        Args:
            inputs: Elements and width of each input.
            result: The value that the model gives, float32 `[n, columns]`.
            output: The output's name.
            columns: Its width.
        """
        nodes = [*self.nodes, helper.make_node("Identity", [result], [output])]
        outputs = {output: columns}
        if self.sums is not None and self.sums.features.sources:
            features = self.sums.features
            nodes.append(helper.make_node("Identity", [features.name], [ENCODED]))
            outputs[ENCODED] = features.width
        needed, kept = {*outputs}, []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        domains = {node.domain for node in kept}
        opsets = [helper.make_opsetid("", OPSET)]
        if ML in domains:
            opsets.append(helper.make_opsetid(ML, self.ml_opset))
        if "com.microsoft" in domains:
            opsets.append(helper.make_opsetid("com.microsoft", 1))
        return helper.make_model(
            helper.make_graph(
                kept[::-1],
                "model",
                [helper.make_tensor_value_info(name, kind.value, ["n", size]) for name, (kind, size) in inputs.items()],
                [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in outputs.items()],
                [constant for constant in self.constants if constant.name in needed],
            ),
            opset_imports=opsets,
            ir_version=IR_VERSION,
            producer_name="mlops_conversion",
        )


def _sources(wires: Wires) -> tuple[str, ...]:
    """Return the sources of wires side by side; none if those of one are not known."""
    if not all(wire.sources for wire in wires):
        return ()
    return tuple(source for wire in wires for source in wire.sources)
