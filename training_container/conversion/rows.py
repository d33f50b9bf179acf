"""Rows to ask a model, when nobody gives any: its input example, or what its signature and the model itself say.

The proof makes rows of its own from them: nulls, unseen text, extremes, and both sides of each threshold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from conversion.errors import Refused
from conversion.fitted import FittedColumn, fitted_columns
from conversion.logged_model import LoggedModel

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.types import ColSpec, Schema, TensorSpec

ROWS = 500
"""So many are made, if there are fewer."""
_SPREAD = 0.25
_REMEDY = "log it again with input_example=…, some dozens of rows as the model takes them"
_LARGEST_TENSOR = 50_000_000
"""Numbers in all rows of a tensor."""


@dataclass(frozen=True)
class Rows:
    """Rows as the model takes them.

    Attributes:
        data: A DataFrame, or an array `[n, …]`.
        example: The input example as it was logged, if there is one.
        notes: Where they come from.
    """

    data: Any
    example: Any
    notes: tuple[str, ...]


def rows_for(model: Any, logged: LoggedModel) -> Rows:
    """Return rows for a model.

    Raises:
        Refused: Neither an example, nor the signature, nor the model says what it takes.
    """
    random = np.random.default_rng(0)
    example = logged.example()
    if example is not None:
        return Rows(_enlarged(_table(example), random), example, ("proved with rows made from its input example",))
    signature = logged.description.signature
    schema = signature.inputs if signature is not None else None
    if schema is not None and schema.is_tensor_spec():
        return Rows(_tensor(schema, random), None, ("proved with rows made from its signature",))
    known = fitted_columns(model)
    if schema is not None:
        return Rows(_columns(schema, known, random), None, ("proved with rows made from its signature",))
    if known is None:
        raise Refused(f"it has no input example and no signature, and does not say what it takes: {_REMEDY}")
    values = {column.name: column.values(random, ROWS) for column in known}
    note = "proved with rows made from what the model says of its columns; an input example would be better"
    return Rows(_named(values), None, (note,))


def _table(example: Any) -> Any:
    """Return an example as rows. Raises Refused."""
    import pandas as pd

    if isinstance(example, dict):
        example = pd.DataFrame({name: np.atleast_1d(values) for name, values in example.items()})
    elif isinstance(example, list):
        example = np.asarray(example)
    if not isinstance(example, pd.DataFrame | np.ndarray):
        kind = type(example).__name__
        raise Refused(f"its input example is a {kind}, and must be a DataFrame or an array: {_REMEDY}")
    if not len(example):
        raise Refused(f"its input example has no rows: {_REMEDY}")
    return example


def _enlarged(example: Any, random: np.random.Generator) -> Any:
    """Return the rows of an example, and more in which each column has values of its own rows or near to them."""
    import pandas as pd

    more = ROWS - len(example)
    if more <= 0:
        return example
    if isinstance(example, pd.DataFrame):
        made = {
            name: example[name].iloc[random.integers(0, len(example), more)].reset_index(drop=True)
            for name in example.columns
        }
        frame = pd.DataFrame({name: _near(values, random) for name, values in made.items()})
        return pd.concat([example, frame.astype(example.dtypes.to_dict())], ignore_index=True)
    flat = example.reshape(len(example), -1)
    if flat.shape[1] * ROWS > _LARGEST_TENSOR:
        return example
    places = random.integers(0, len(example), (more, flat.shape[1]))
    made_rows = flat[places, np.arange(flat.shape[1])]
    whole = np.concatenate([flat, _near(made_rows, random).astype(flat.dtype)])
    return whole.reshape(-1, *example.shape[1:])


def _near(values: Any, random: np.random.Generator) -> Any:
    """Return fractions with some noise. Whole numbers may be codes, so they and everything else stay as they are."""
    array = np.asarray(values)
    if array.dtype.kind != "f" or not array.size:
        return values
    finite = array[np.isfinite(array)]
    if not finite.size or np.array_equal(finite, np.rint(finite)):
        return values
    near = array * (1 + _SPREAD * random.standard_normal(array.shape))
    inside = finite.min() >= 0 and finite.max() <= 1  # shares, or the pixels of an image
    return np.clip(near, 0, 1) if inside else near


def _tensor(schema: "Schema", random: np.random.Generator) -> Any:
    """Return rows for a signature of one tensor. Raises Refused."""
    if len(schema.inputs) != 1:
        raise Refused(f"its signature has {len(schema.inputs)} tensors, and a model that serves takes one")
    spec = cast("TensorSpec", schema.inputs[0])
    shape, dtype = spec.shape[1:], np.dtype(spec.type)
    if any(size < 1 for size in shape):
        raise Refused(f"its signature says nothing of the sizes {tuple(spec.shape)} after the first: {_REMEDY}")
    if dtype.kind != "f":
        raise Refused(f"its signature has a tensor of {dtype}, and not which numbers of this type it takes: {_REMEDY}")
    count = max(1, min(ROWS, _LARGEST_TENSOR // int(np.prod(shape, initial=1))))
    if len(shape) > 1:  # an image, most of the time
        return random.random((count, *shape)).astype(dtype)
    return random.standard_normal((count, *shape)).astype(dtype)


def _columns(schema: "Schema", known: tuple[FittedColumn, ...] | None, random: np.random.Generator) -> "pd.DataFrame":
    """Return rows for a signature of named columns. What the model itself says of a column comes first."""
    fitted = {column.name: column for column in known or ()}
    values = {}
    for place, spec in enumerate(schema.inputs):
        name = spec.name if spec.name is not None else place
        column = fitted.get(name)
        values[name] = (
            column.values(random, ROWS)
            if column is not None and column.says_much
            else _values(cast("ColSpec", spec), random)
        )
    return _named(values)


def _values(spec: "ColSpec", random: np.random.Generator) -> Any:
    """Return values of a column's type. Raises Refused."""
    import pandas as pd

    kind = getattr(spec.type, "name", str(spec.type))
    makers: dict[str, Callable[[], Any]] = {
        "boolean": lambda: random.random(ROWS) < 0.5,
        "integer": lambda: random.integers(0, 100, ROWS, dtype=np.int32),
        "long": lambda: random.integers(0, 100, ROWS),
        "float": lambda: FittedColumn(spec.name).values(random, ROWS).astype(np.float32),
        "double": lambda: FittedColumn(spec.name).values(random, ROWS),
        "datetime": lambda: pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 2000, ROWS), unit="D"),
    }
    if kind not in makers:
        raise Refused(f"its column {spec.name!r} has the type {kind}, and its signature does not say which: {_REMEDY}")
    return makers[kind]()


def _named(values: dict[Any, Any]) -> Any:
    """Return columns as a DataFrame, or as an array if they have no names."""
    import pandas as pd

    if all(isinstance(name, int) for name in values):
        return np.column_stack(list(values.values()))
    return pd.DataFrame(values)
