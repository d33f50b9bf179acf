"""Rows of a pandas DataFrame, as columns of a contract and back."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from mlops_contract import ColumnType, Contract, Task
from mlops_conversion.own.original import Array
from mlops_conversion.own.source import Columns, Source, check_whole, claimed


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
        contract.append(claimed(name, kind, positions[kind is ColumnType.STRING], columns[name]))
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
    whole = Contract(task, target, tuple(contract))
    return Source(whole, columns, rebuild, frozenset(single), missing=missing, notes=notes)


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
        check_whole(values.dropna().to_numpy(np.float64), f"the column {name!r}")
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
