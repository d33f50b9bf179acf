"""Pipelines of scikit-learn, step by step: a step that cannot be converted is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlops_conversion.errors import CannotConvert
from mlops_conversion.own import categories, general, numeric, texts
from mlops_conversion.own.graph import Graph, Kind, Wire, Wires

REMEDY = (
    "Do what it does before the pipeline, and fit the pipeline on the result; or use a step that can be converted "
    "(scalers, SimpleImputer, OneHotEncoder, OrdinalEncoder, TargetEncoder, TfidfVectorizer, CountVectorizer)"
)
_TEXT_ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
_VECTORISERS = ("CountVectorizer", "TfidfVectorizer")


@dataclass(frozen=True)
class Walk:
    """Goes through the steps of a pipeline.

    Attributes:
        graph: What the steps are added to.
        missing: What the model gets for missing text, by column.
        path: The names of the steps above.
    """

    graph: Graph
    missing: categories.Missing
    path: tuple[str, ...] = ()

    def below(self, name: str) -> "Walk":
        """Return a walk through a step of a step."""
        return replace(self, path=(*self.path, name))

    def named(self, step: Any) -> str:
        """Return the step as a message names it."""
        return named(self.path, step)

    def step(self, step: Any, wires: Wires) -> Wires:
        """Add a step that is not the last one, and return what it gives.

        Raises:
            CannotConvert: The message begins with its name and class.
        """
        if isinstance(step, str):
            return wires if step == "passthrough" else ()
        kind = type(step).__name__
        if kind == "Pipeline":
            for name, part in step.steps:
                wires = self.below(name).step(part if part is not None else "passthrough", wires)
            return wires
        if kind == "ColumnTransformer":
            return self._columns(step, wires)
        if kind == "FeatureUnion":
            weights = step.transformer_weights or {}
            parts = [self._weighted(name, part, wires, weights.get(name)) for name, part in step.transformer_list]
            return self._beside(parts)
        try:
            return self._leaf(step, kind, wires)
        except CannotConvert as error:
            raise CannotConvert(f"{self.named(step)} cannot be converted: {error}") from error

    def _columns(self, step: Any, wires: Wires) -> Wires:
        weights = step.transformer_weights or {}
        indices = step._transformer_to_input_indices
        parts = [
            self._weighted(name, part, self.graph.taken(wires, indices[name]), weights.get(name))
            for name, part, _ in step.transformers_
            if len(indices[name]) and part != "drop"
        ]
        beside = self._beside(parts)
        return tuple(replace(wire, sparse=bool(step.sparse_output_)) for wire in beside)

    def _weighted(self, name: str, step: Any, wires: Wires, weight: float | None) -> Wires:
        result = self.below(name).step(step, wires)
        if weight is None:
            return result
        joined = self.graph.joined(result)
        return (replace(numeric.applied(self.graph, "Mul", joined, weight), sparse=joined.sparse),)

    def _beside(self, parts: Sequence[Wires]) -> Wires:
        wires = tuple(wire for part in parts for wire in part if wire.width)
        return wires if any(wire.kind is Kind.TEXT for wire in wires) else (self.graph.joined(wires),)

    def _leaf(self, step: Any, kind: str, wires: Wires) -> Wires:
        graph = self.graph
        if kind in _TEXT_ENCODERS:
            return (categories.encoded(graph, step, wires, self.missing),)
        if kind == "FunctionTransformer" and step.func is None:
            return wires
        if all(wire.kind is Kind.TEXT for wire in wires):
            return self._text(step, kind, wires)
        if any(wire.kind is Kind.TEXT for wire in wires):
            raise CannotConvert("it gets text and numbers together; use a ColumnTransformer with a part for each")
        wire = graph.joined(wires)
        if kind == "SimpleImputer":
            return (numeric.imputed(graph, step, wire),)
        if kind in numeric.STEPS:
            return (numeric.STEPS[kind](graph, step, wire),)
        if hasattr(step, "get_support"):
            return (numeric.selected(graph, step, wire),)
        return (self._general(step, wire),)

    def _text(self, step: Any, kind: str, wires: Wires) -> Wires:
        if kind == "SimpleImputer":
            return categories.imputed_text(self.graph, step, wires, self.missing)
        if kind not in _VECTORISERS:
            raise CannotConvert(f"it gets text, and is no step for text that can be converted. {REMEDY}")
        (wire,) = wires
        (counts,) = general.converted(self.graph, step, wire, Kind.TEXT, texts.options(step)).values()
        # They are sparse, and those of them that are stored are not zero.
        size = len(step.vocabulary_)
        sources = (wire.source,) * size if wire.source is not None else ()
        return (replace(counts, width=size, sparse=True, exact=kind == "CountVectorizer", sources=sources),)

    def _general(self, step: Any, wire: Wire) -> Wire:
        made = step.transform(np.zeros((1, wire.width)))
        try:
            (result,) = self._in_some_precision(step, wire).values()
        except CannotConvert as error:
            raise CannotConvert(f"{error}. {REMEDY}") from error
        size = int(made.shape[1])
        sources = (wire.source,) * size if wire.source is not None else ()
        return replace(result, width=size, sparse=hasattr(made, "toarray"), sources=sources)

    def _in_some_precision(self, step: Any, wire: Wire) -> dict[str, Wire]:
        """Convert a step in the original's precision, or in float32: not all of skl2onnx takes doubles."""
        try:
            return general.converted(self.graph, step, wire, wire.kind)
        except CannotConvert:
            return general.converted(self.graph, step, wire, Kind.FLOAT)


def named(path: Sequence[str], step: Any) -> str:
    """Return a step as messages name it: the names that lead to it, and its class."""
    where = " › ".join(path)
    return f"the step {where!r} ({type(step).__name__})" if path else f"the model ({type(step).__name__})"
