"""Steps that turn values into codes: they are asked what they do with each known value, and that becomes a table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_conversion.errors import CannotConvert
from mlops_conversion.own.graph import ML, Array, Graph, Kind, Wire, Wires
from mlops_conversion.own.numeric import as_bool, table_rows

UNSEEN = "a value that is not in the data"
MOST_CELLS = 20_000_000
"""Of a table of codes: 160 MB as doubles."""
VALUES_AT_ONCE = 1_000
"""That an encoder is asked, so that its answers need little memory."""
Missing = Mapping[str, Any]
"""For each column of text, what the model gets for missing: None or NaN."""


def encoded(graph: Graph, step: Any, wires: Wires, missing: Missing) -> Wire:
    """Write a OneHotEncoder, OrdinalEncoder, or TargetEncoder.

    Raises:
        CannotConvert: A category is a number that float32 does not have, or text as well as numbers.
    """
    columns = [part for wire in wires for part in split(graph, wire)]
    results, first = [], 0
    base = np.array([[categories[0] for categories in step.categories_]], object)
    for index, wire in enumerate(columns):
        size = _outputs(step, index)
        results.append(_column(graph, step, base, index, slice(first, first + size), wire, missing))
        first += size
    joined = graph.joined(tuple(results))
    return replace(joined, sparse=bool(getattr(step, "sparse_output", False)))


def split(graph: Graph, wire: Wire) -> Wires:
    """Return a wire for each column of a wire."""
    if wire.width == 1:
        return (wire,)
    return tuple(part for at in range(wire.width) for part in graph.taken((wire,), [at]))


def _outputs(step: Any, index: int) -> int:
    """Return how many columns the step makes of one."""
    sizes = getattr(step, "_n_features_outs", None)
    if sizes is not None:
        return int(sizes[index])
    return len(step.classes_) if getattr(step, "target_type_", "") == "multiclass" else 1


def _column(graph: Graph, step: Any, base: Array, index: int, part: slice, wire: Wire, missing: Missing) -> Wire:
    categories = [value for value in step.categories_[index].tolist() if not _is_missing(value)]
    is_text, width = wire.kind is Kind.TEXT, part.stop - part.start
    gone = missing.get(wire.column or "", np.nan) if is_text else np.nan
    unseen = UNSEEN if is_text else _unused(categories)
    if (len(categories) + 2) * width > MOST_CELLS:
        raise CannotConvert(f"it makes {width} columns of one; group rare values (max_categories, min_frequency)")
    # What is missing and what is not known are asked alone, because an encoder may refuse them.
    asked = [*_pieces(categories), [gone], [unseen]]
    table = np.concatenate([_answers(step, base, index, part, values) for values in asked])
    rows = _text_rows(graph, wire, categories) if is_text else _number_rows(graph, wire, categories)
    kind = Kind.FLOAT if getattr(step, "dtype", np.float64) == np.float32 else Kind.DOUBLE
    if kind is Kind.FLOAT:
        table = table.astype(np.float32)
    exact = bool(np.all((table == table.astype(np.float32)) | np.isnan(table)))
    sources = (wire.source,) * table.shape[1] if wire.source is not None else ()
    return Wire(table_rows(graph, table, rows), kind, table.shape[1], exact=exact, sources=sources)


def _pieces(values: list[Any]) -> list[list[Any]]:
    return [values[start : start + VALUES_AT_ONCE] for start in range(0, len(values), VALUES_AT_ONCE)]


def _answers(step: Any, base: Array, index: int, part: slice, values: list[Any]) -> Array:
    """Return what the step makes of each value of a column, float64 `[values, columns of part]`.

    It is zero for what the step refuses. The proof finds that refused too, and the contract then keeps it out.
    """
    rows = np.repeat(base, len(values), axis=0)
    rows[:, index] = values
    try:
        made = step.transform(_as_fitted(step, rows))
    except (TypeError, ValueError):
        return np.zeros((len(values), part.stop - part.start))
    dense = made[:, part].toarray() if hasattr(made, "toarray") else np.asarray(made)[:, part]
    return np.asarray(dense, np.float64)


def _as_fitted(step: Any, rows: Array) -> Any:
    numbers = all(categories.dtype.kind in "biuf" for categories in step.categories_)
    if numbers:
        rows = rows.astype(np.float64)
    names = getattr(step, "feature_names_in_", None)
    if names is None:
        return rows
    import pandas as pd

    frame = pd.DataFrame(rows, columns=names, dtype=object)
    kinds = [categories.dtype.kind in "biuf" for categories in step.categories_]
    return frame.astype({name: float for name, number in zip(names, kinds, strict=True) if number})


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _unused(numbers: list[Any]) -> float:
    """Return a number that is no category."""
    return float(max((float(value) for value in numbers), default=0.0)) + 1.0


def _text_rows(graph: Graph, wire: Wire, categories: list[Any]) -> str:
    """Return the row of the table for each text."""
    if not all(isinstance(value, str) for value in categories):
        raise CannotConvert("it was fitted on a column of text with other values among it; make all of them text")
    graph.know(wire.column, categories)
    keys, values = list(categories), list(range(len(categories)))
    if wire.null is not None and wire.null not in keys:
        keys, values = [*keys, wire.null], [*values, len(categories)]
    return graph.add(
        "LabelEncoder",
        wire.name,
        domain=ML,
        keys_strings=keys,
        values_int64s=values,
        default_int64=len(categories) + 1,
    )


def _number_rows(graph: Graph, wire: Wire, categories: list[Any]) -> str:
    """Return the row of the table for each number."""
    numbers = np.array([float(value) for value in categories])
    wrong = numbers[numbers != numbers.astype(np.float32)]
    if len(wrong):
        raise CannotConvert(
            f"its category {wrong[0]!r} is a number that float32 does not have, so it would never be met; make the "
            "column text before the pipeline"
        )
    wide = graph.cast(wire, Kind.DOUBLE)
    equal = graph.add("Equal", wide.name, graph.constant(numbers[None]))
    found = graph.add("Cast", equal, to=Kind.FLOAT.value)
    gone = graph.add("Cast", graph.add("IsNaN", wide.name), to=Kind.FLOAT.value)
    # Less than any match, and so the place of those that match nothing.
    unseen = graph.add("Add", graph.add("Mul", gone, graph.constant(np.float32(0))), graph.constant(np.float32(0.5)))
    flags = graph.add("Concat", found, gone, unseen, axis=1)
    return graph.add("ArgMax", flags, axis=1, keepdims=1)


def imputed_text(graph: Graph, step: Any, wires: Wires, missing: Missing) -> Wires:
    """Write a SimpleImputer of text: what it does with a missing value is asked, and not guessed."""
    if step.add_indicator:
        raise CannotConvert("it adds an indicator to text; impute the text without add_indicator")
    columns = [part for wire in wires for part in split(graph, wire)]
    try:
        values = np.asarray(step.transform(_missing_row(step, columns, missing)), object).reshape(-1)
    except (TypeError, ValueError):  # the original refuses what is missing, and the proof will find that
        return tuple(columns)
    return tuple(_filled(graph, wire, value) for wire, value in zip(columns, values, strict=True))


def _missing_row(step: Any, columns: list[Wire], missing: Missing) -> Any:
    row = np.array([[missing.get(wire.column or "", np.nan) for wire in columns]], object)
    names = getattr(step, "feature_names_in_", None)
    if names is None:
        return row
    import pandas as pd

    return pd.DataFrame(row, columns=names, dtype=object)


def _filled(graph: Graph, wire: Wire, value: Any) -> Wire:
    if wire.null is None or _is_missing(value):
        return wire
    flag = graph.add("LabelEncoder", wire.name, domain=ML, keys_strings=[wire.null], values_int64s=[1], default_int64=0)
    name = graph.add("Where", as_bool(graph, flag), graph.constant(np.array([[value]], object)), wire.name)
    return Wire(name, Kind.TEXT, 1, None, wire.column, sources=wire.sources)
