"""The data that a model is proved with: as columns of a contract, and back to what the model takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.columns import LARGEST_WHOLE
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_conversion.own.graph import Graph, Kind, Wire, Wires
from mlops_conversion.own.original import Array

Columns = Mapping[str, Array]
TOKENS = ("", "nan", "None")
"""What may stand for missing text: the first that is no text of the column."""
PIXELS = 1.0
"""The largest value of an image's pixel."""


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
            return Wire(name, Kind.TEXT, 1, column.null_token, column.name)
        wire = Wire(name, Kind.FLOAT, 1, exact=True)
        wide = graph.cast(wire, Kind.FLOAT if column.name in self.single else Kind.DOUBLE)
        return replace(wide, column=column.name)


def of_frame(frame: Any, names: Sequence[str] | None, task: Task, target: str) -> Source:
    """Return the rows of a pandas DataFrame.

    Args:
        frame: At least one row; its columns have text as names.
        names: Those that the model takes, in its order; None if it takes all.
        task: What the model predicts.
        target: The name of what it predicts.

    Raises:
        ValueError: A column is missing, has no name, or has values that no column of a contract has.
    """
    if not len(frame):
        raise ValueError("data has no rows; give rows that the training did not see")
    wrong = [name for name in frame.columns if not isinstance(name, str)]
    if wrong and names is None:
        raise ValueError(f"the column {wrong[0]!r} of data has no text as its name; rename the columns")
    used = list(frame.columns) if names is None else list(names)
    lacking = [name for name in used if name not in frame.columns]
    if lacking:
        raise ValueError(f"data lacks the columns {', '.join(map(repr, lacking))}, which the model was fitted with")
    extra = [str(name) for name in frame.columns if name not in used]
    columns, contract, single = {}, [], set()
    positions = {True: 0, False: 0}
    for name in used:
        values = frame[name]
        kind = _type_of(values, name)
        columns[name] = _values(values, kind)
        contract.append(_claimed(name, kind, positions[kind is ColumnType.STRING], columns[name]))
        positions[kind is ColumnType.STRING] += kind.width
        if values.dtype == np.float32:
            single.add(name)
    missing = {name: _missing_text(frame[name]) for name in used}
    restore = {column.name: _restorer(frame[column.name], column.type, missing[column.name]) for column in contract}

    def rebuild(asked: Columns) -> Any:
        import pandas as pd

        rows = len(next(iter(asked.values())))
        # A column that the model does not use is not in the contract, and keeps what the data has.
        whole = {name: asked[name] if name in asked else np.resize(columns[name], rows) for name in used}
        return pd.DataFrame({name: restore[name](whole[name]) for name in used}, columns=used)

    notes = (f"the model was not fitted with the columns {', '.join(extra)}: left out",) if extra else ()
    claimed = Contract(task, target, tuple(contract))
    return Source(claimed, columns, rebuild, frozenset(single), missing=missing, notes=notes)


def of_texts(texts: Any, name: str, task: Task, target: str) -> Source:
    """Return rows that are one text each, which the model takes as a list."""
    values = np.array([text if isinstance(text, str) else None for text in texts], object)
    if not len(values):
        raise ValueError("data has no rows; give rows that the training did not see")
    column = _claimed(name, ColumnType.STRING, 0, values)
    return Source(
        Contract(task, target, (column,)), {name: values}, lambda asked: list(asked[name]), missing={name: None}
    )


def of_array(array: Array, task: Task, target: str, *, whole: bool, rebuild: Callable[[Array], Any]) -> Source:
    """Return the rows of an array `[n, …]` of numbers.

    Args:
        array: At least one row.
        task: What the model predicts. Only classes have a tensor without a contract.
        target: The name of what it predicts.
        whole: Whether the values must be whole numbers, such as ids: then a contract says so, and keeps others out.
        rebuild: Returns a matrix, float64 `[n, values]`, as the model takes it.
    """
    if array.ndim < 2 or not len(array):
        raise ValueError(f"data has the shape {list(array.shape)}; give an array [n, …] of at least one row")
    matrix = array.reshape(len(array), -1).astype(np.float64)
    names = [f"x{index}" for index in range(matrix.shape[1])]
    kind = ColumnType.LONG if whole else ColumnType.DOUBLE
    if whole:
        _check_whole(matrix, "data")
    tensor = not whole and task is Task.CLASSIFICATION
    columns = {name: matrix[:, index] for index, name in enumerate(names)}
    contract = tuple(
        replace(_claimed(name, kind, index, columns[name]), null_ok=not (whole or tensor))
        for index, name in enumerate(names)
    )
    single = frozenset(names) if array.dtype == np.float32 else frozenset()
    return Source(
        Contract(task, target, contract),
        columns,
        lambda asked: rebuild(np.column_stack([asked[name] for name in names])),
        single,
        tensor,
        _image(array) if tensor else None,
    )


def _image(array: Array) -> tuple[int, int] | None:
    """Return rows and columns of grey images, whose pixels are from 0 to 1."""
    sides: tuple[int, ...] = (
        array.shape[2:] if array.ndim == 4 and array.shape[1] == 1 else array.shape[1:] if array.ndim == 3 else ()
    )
    if len(sides) != 2 or not (array.min() >= 0 and array.max() <= PIXELS):
        return None
    return int(sides[0]), int(sides[1])


def _type_of(values: Any, name: str) -> ColumnType:
    """Return the type of a pandas column."""
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        if not all(isinstance(category, str) for category in dtype.categories):
            raise ValueError(f"the categories of the column {name!r} are not text; use text or numbers, not a category")
        return ColumnType.STRING
    if pd.api.types.is_bool_dtype(dtype):
        return ColumnType.BOOLEAN
    if pd.api.types.is_integer_dtype(dtype):
        _check_whole(values.dropna().to_numpy(np.float64), f"the column {name!r}")
        return ColumnType.LONG
    if pd.api.types.is_float_dtype(dtype):
        return ColumnType.DOUBLE
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return ColumnType.DATETIME
    kinds = {type(value) for value in values.dropna()}
    if kinds <= {str}:
        return ColumnType.STRING
    if kinds <= {bool, np.bool_}:
        return ColumnType.BOOLEAN
    if kinds <= {int, float, np.float64, np.int64}:
        return ColumnType.DOUBLE
    if all(issubclass(kind, datetime) for kind in kinds):
        return ColumnType.DATETIME
    found = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise ValueError(f"the column {name!r} has values of the types {found}; a column has text, numbers or dates alone")


def _check_whole(values: Array, where: str) -> None:
    if len(values) and np.abs(values).max() > LARGEST_WHOLE:
        raise ValueError(
            f"{where} has whole numbers beyond {LARGEST_WHOLE:,}, and float32 merges neighbours of such numbers. Leave "
            "an id out, make a code text, or convert the column to float64 if seven digits are enough"
        )


def _values(values: Any, kind: ColumnType) -> Array:
    """Return a pandas column as the proof has it."""
    import pandas as pd

    if kind is ColumnType.STRING:
        return np.array([value if isinstance(value, str) else None for value in values], object)
    if kind is ColumnType.DATETIME:
        times = pd.to_datetime(values, utc=True).dt.tz_localize(None)
        return np.asarray(times.to_numpy("M8[us]"))
    numbers = np.asarray(values.astype(object).where(values.notna(), np.nan).to_numpy(np.float64))
    if np.isinf(numbers).any():
        raise ValueError(f"the column {values.name!r} has infinite values; make them missing, or leave the rows out")
    return numbers


def _claimed(name: str, kind: ColumnType, position: int, values: Array) -> Column:
    """Return a column that allows everything, with what the rows show of it."""
    if kind is ColumnType.STRING:
        known = set(values)
        token = next((token for token in TOKENS if token not in known), "\N{SYMBOL FOR NULL}")
        return Column(name, kind, position, null_token=token)
    if kind in (ColumnType.DOUBLE, ColumnType.LONG):
        present = values[np.isfinite(values)]
        if len(present):
            return Column(name, kind, position, low=float(present.min()), high=float(present.max()))
    return Column(name, kind, position)


def _missing_text(values: Any) -> Any:
    """Return what a pandas column has where text is missing."""
    return None if values.dtype.kind == "O" and any(value is None for value in values) else np.nan


def _restorer(values: Any, kind: ColumnType, missing: Any) -> Callable[[Array], Any]:
    """Return the function that makes a pandas column of the same dtype, with the same kind of missing values."""
    import pandas as pd

    dtype = values.dtype
    if kind is ColumnType.STRING:

        def text(asked: Array) -> Any:
            restored = pd.Series([missing if value is None else value for value in asked], dtype=object)
            return restored.astype(dtype)

        return text
    if kind is ColumnType.DATETIME:
        zone = getattr(dtype, "tz", None)
        return lambda asked: pd.Series(asked).dt.tz_localize("UTC").dt.tz_convert(zone) if zone else pd.Series(asked)

    present = (bool if kind is ColumnType.BOOLEAN else float) if pd.api.types.is_object_dtype(dtype) else dtype

    def number(asked: Array) -> Any:
        restored = pd.Series(asked)
        if not restored.isna().any():
            return restored.astype(present)
        if pd.api.types.is_extension_array_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
            return restored.astype(dtype)
        return restored.astype(object) if kind is ColumnType.BOOLEAN else restored

    return number


def renamed(source: Source, names: Sequence[str]) -> Source:
    """Return the source of an array whose columns have names, and so a contract."""
    old = [column.name for column in source.contract.columns]
    given = dict(zip(old, names, strict=True))
    columns = tuple(
        replace(column, name=given[column.name], null_ok=column.type is not ColumnType.LONG)
        for column in source.contract.columns
    )

    def rebuild(asked: Columns) -> Any:
        return source.rebuild({name: asked[given[name]] for name in old})

    return replace(
        source,
        contract=replace(source.contract, columns=columns),
        columns={given[name]: values for name, values in source.columns.items()},
        rebuild=rebuild,
        single=frozenset(given[name] for name in source.single),
        tensor=False,
        image=None,
    )


def bounded(source: Source, ranges: Sequence[tuple[float, float] | None]) -> Source:
    """Return the source with the numbers that the model takes in each column; None if it takes all."""
    columns = tuple(
        column if limits is None else replace(column, closed=True, low=limits[0], high=limits[1])
        for column, limits in zip(source.contract.columns, ranges, strict=True)
    )
    return replace(source, contract=replace(source.contract, columns=columns))
