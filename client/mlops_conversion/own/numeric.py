"""Steps that compute numbers from numbers, in the precision of the original."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto

from mlops_conversion.errors import CannotConvert
from mlops_conversion.own.graph import Array, Graph, Kind, Wire

_DTYPES = {Kind.DOUBLE: np.float64, Kind.FLOAT: np.float32}
_FUNCTIONS = {"log": "Log", "exp": "Exp", "sqrt": "Sqrt", "absolute": "Abs", "negative": "Neg"}
"""The functions of numpy that are an operator each."""


def applied(graph: Graph, operator: str, wire: Wire, values: Any) -> Wire:
    """Compute with the same numbers for each row, float `[width]`."""
    constant = graph.constant(np.asarray(values, _DTYPES[wire.kind]))
    return replace(wire, name=graph.add(operator, wire.name, constant), column=None, exact=False)


def standardised(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a StandardScaler."""
    if step.with_mean:
        wire = applied(graph, "Sub", wire, step.mean_)
    return applied(graph, "Div", wire, step.scale_) if step.with_std else wire


def min_max(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a MinMaxScaler."""
    wire = applied(graph, "Add", applied(graph, "Mul", wire, step.scale_), step.min_)
    if not step.clip:
        return wire
    low, high = (graph.constant(np.asarray(end, _DTYPES[wire.kind])) for end in step.feature_range)
    return replace(wire, name=graph.add("Clip", wire.name, low, high))


def max_abs(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a MaxAbsScaler."""
    return applied(graph, "Div", wire, step.scale_)


def robust(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a RobustScaler."""
    if step.with_centering:
        wire = applied(graph, "Sub", wire, step.center_)
    return applied(graph, "Div", wire, step.scale_) if step.with_scaling else wire


def imputed(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a SimpleImputer of numbers, with the indicators that it adds."""
    statistics = np.asarray(step.statistics_, np.float64)
    gone = _missing(graph, step.missing_values, wire)
    filled = graph.add("Where", gone, graph.constant(statistics[None].astype(_DTYPES[wire.kind])), wire.name)
    exact = wire.exact and bool(np.all(statistics == statistics.astype(np.float32)))
    result = Wire(filled, wire.kind, wire.width, sparse=wire.sparse, exact=exact, sources=wire.sources)
    if not step.keep_empty_features and np.isnan(statistics).any():
        (result,) = graph.taken((result,), np.flatnonzero(~np.isnan(statistics)).tolist())
    if not step.add_indicator or not len(step.indicator_.features_):
        return result
    return graph.joined((result, indicated(graph, step.indicator_, wire)))


def indicated(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a MissingIndicator: a flag for each of its features."""
    if not len(step.features_):
        raise CannotConvert("nothing was missing when it was fitted, so it gives no flags; leave it out")
    (part,) = graph.taken((wire,), step.features_.tolist())
    flags = graph.add("Cast", _missing(graph, step.missing_values, part), to=wire.kind.value)
    return Wire(flags, wire.kind, part.width, exact=True, sources=part.sources)


def _missing(graph: Graph, missing: Any, wire: Wire) -> str:
    """Return which values are missing, bool."""
    if isinstance(missing, (int, float)) and not np.isnan(missing):
        return graph.add("Equal", wire.name, graph.constant(np.asarray(missing, _DTYPES[wire.kind])))
    return graph.add("IsNaN", wire.name)


def selected(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a selection of features."""
    (result,) = graph.taken((wire,), np.flatnonzero(step.get_support()).tolist())
    return result


def binarised(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a Binarizer."""
    above = graph.add("Greater", wire.name, graph.constant(np.asarray(step.threshold, _DTYPES[wire.kind])))
    flags = graph.add("Cast", above, to=wire.kind.value)
    return Wire(flags, wire.kind, wire.width, sparse=wire.sparse, exact=True, sources=wire.sources)


def computed(graph: Graph, step: Any, wire: Wire) -> Wire:
    """Write a FunctionTransformer of a function that has an equivalent."""
    if step.func is None:
        return wire
    if step.kw_args:
        raise CannotConvert("it calls its function with kw_args; compute the column before the pipeline")
    return function(graph, step.func, wire)


def function(graph: Graph, func: Any, wire: Wire) -> Wire:
    """Write a function of numpy.

    Raises:
        CannotConvert: It has no equivalent.
    """
    known = getattr(np, func.__name__, None) is func if isinstance(func, np.ufunc) else False
    name = func.__name__ if known else ""
    if name in _FUNCTIONS:
        return replace(wire, name=graph.add(_FUNCTIONS[name], wire.name), column=None, exact=False)
    if name == "log1p":
        wire = applied(graph, "Add", wire, 1.0)
        return replace(wire, name=graph.add("Log", wire.name))
    if name == "expm1":
        wire = replace(wire, name=graph.add("Exp", wire.name))
        return applied(graph, "Sub", wire, 1.0)
    shown = getattr(func, "__name__", type(func).__name__)
    raise CannotConvert(
        f"it calls {shown}, which has no equivalent; of functions only numpy's log, log1p, exp, expm1, sqrt, abs and "
        "negative are converted. Compute the column before the pipeline, and fit the pipeline on the result"
    )


Step = Callable[[Graph, Any, Wire], Wire]
STEPS: dict[str, Step] = {
    "StandardScaler": standardised,
    "MinMaxScaler": min_max,
    "MaxAbsScaler": max_abs,
    "RobustScaler": robust,
    "MissingIndicator": indicated,
    "Binarizer": binarised,
    "FunctionTransformer": computed,
}
"""The classes of scikit-learn with a writer of their own."""


def as_bool(graph: Graph, name: str) -> str:
    """Return a value as bool."""
    return graph.add("Cast", name, to=TensorProto.BOOL)


def table_rows(graph: Graph, table: Array, rows: str) -> str:
    """Look up rows of a table by number, `[n, 1]` → `[n, columns]`."""
    found = graph.add("Gather", graph.constant(table), rows, axis=0)
    return graph.add("Reshape", found, graph.constant(np.array([-1, table.shape[1]], np.int64)))
