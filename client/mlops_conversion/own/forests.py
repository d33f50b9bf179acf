"""Models of trees as the last step: by our own emitter."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_conversion import trees
from mlops_conversion.errors import CannotConvert
from mlops_conversion.own.graph import ML, Array, Graph, Kind, Sums, Wire, Wires

LIBRARIES = ("lightgbm", "xgboost")
_OF_SCIKIT_LEARN = frozenset(
    f"{kind}{task}"
    for kind in ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting")
    for task in ("Classifier", "Regressor")
)


def is_forest(model: Any) -> bool:
    """Return whether the emitter of trees reads models of this class."""
    library = type(model).__module__.partition(".")[0]
    return library in LIBRARIES or (library == "sklearn" and type(model).__name__ in _OF_SCIKIT_LEARN)


def write(graph: Graph, model: Any, wires: Wires, categories: Sequence[Sequence[str]] = ()) -> str:
    """Add a model of trees, and return its answer, float32.

    Args:
        graph: What it is added to.
        model: A model that `is_forest`.
        wires: Its features, in order. Text has the model's own categories.
        categories: Those of each column of text.

    Raises:
        CannotConvert: It has a part that has no exact equivalent.
    """
    texts = iter(categories)
    coded = tuple(wire if wire.kind is not Kind.TEXT else _coded(graph, wire, next(texts, None)) for wire in wires)
    wire = graph.joined(coded)
    matrix = graph.cast(wire, Kind.FLOAT).name
    if wire.sparse and type(model).__module__.startswith("xgboost"):
        # What a sparse matrix does not store is missing for XGBoost, and zero elsewhere.
        zero = graph.add("Equal", matrix, graph.constant(np.float32(0)))
        matrix = graph.add("Where", zero, graph.constant(np.float32(np.nan)), matrix)
    features = Wire(matrix, Kind.FLOAT, wire.width, sources=wire.sources)
    graph.sums = Sums(features, lambda means: trees.explanation(model, wire.width))
    (name,) = graph.include(trees.convert(model, wire.width), {"inputs": matrix}).values()
    return name


def _coded(graph: Graph, wire: Wire, categories: Sequence[str] | None) -> Wire:
    """Return the number of each category; NaN for others, as the libraries code them."""
    if categories is None:
        raise CannotConvert(
            f"the column {wire.column!r} is text; make it a category (frame.astype('category')) before the model is "
            "fitted, or put an OrdinalEncoder before the model"
        )
    if not all(isinstance(category, str) for category in categories):
        raise CannotConvert(f"the categories of the column {wire.column!r} are not text; make them text")
    graph.know(wire.column, categories)
    name = graph.add(
        "LabelEncoder",
        wire.name,
        domain=ML,
        keys_strings=list(categories),
        values_floats=[float(code) for code in range(len(categories))],
        default_float=float("nan"),
    )
    return Wire(name, Kind.FLOAT, 1, exact=True, sources=wire.sources)


def thresholds(model: Any, features: int) -> dict[int, Array]:
    """Return the numbers that the model compares each feature with."""
    return trees.thresholds(model, features)
