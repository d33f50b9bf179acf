"""What is in a table, as training would read it. Nothing is sent: the table is read on this machine.

This needs DuckDB, numpy and pyarrow, the extra `data`. They are imported only when a table is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_client.errors import BadInput
from mlops_client.extras import require

if TYPE_CHECKING:
    from mlops_data.options import DataOptions, GroupSplit, TimeSplit
    from mlops_data.profile import DataProfile


def describe(
    table: str | os.PathLike[str] | Any,
    *,
    target: str | None = None,
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    held_out: float | Mapping[str, str] | None = None,
    weight: str | None = None,
) -> DataProfile:
    """Return what training would find in a table: types, missing values, what is left out and why, and the parts.

    Args:
        table: The path of a file, or of a folder with Parquet files; or a pandas DataFrame.
        target: The column to predict. By default the one that is called label, target, class or y.
        task: classification or regression. By default the target's values decide.
        columns: How columns are read, where it is not what they look like: ignore, number, category, boolean or
            datetime.
        held_out: Which rows measure the model: a share; {"column", "from"}, the rows from a time on; or {"column"},
            whole groups.
        weight: The column with the rows' weights.

    Raises:
        BadInput: The table cannot be read, or not used. Names the line, the column and the remedy.
        MlopsError: DuckDB, numpy or pyarrow is not installed.
    """
    require(("duckdb", "numpy", "pyarrow"), "describing tables", "data")
    from mlops_data import local
    from mlops_data.errors import DataError

    try:
        options = _options(target, task, columns, held_out, weight)
        if hasattr(table, "to_parquet"):
            dataset = local.read_frame(table, options)
        else:
            dataset = local.read_path(_path(table), options)
    except DataError as error:
        raise BadInput(str(error)) from None
    assert dataset.profile is not None  # only data sets without columns have none
    return dataset.profile


def _path(table: Any) -> Path:
    try:
        address = os.fspath(table)
    except TypeError:
        raise BadInput(f"a {type(table).__name__} cannot be described; give a path, or a pandas DataFrame") from None
    if "://" in address:
        raise BadInput(f"{address}: only files on this machine are described; download it first")
    return Path(address)


def _options(
    target: str | None,
    task: str | None,
    columns: Mapping[str, Any] | None,
    held_out: float | Mapping[str, str] | None,
    weight: str | None,
) -> DataOptions:
    from mlops_contract import Task
    from mlops_data.options import DataOptions

    if task is not None and task not in list(Task):
        raise BadInput(f"task: {task!r} is none of {', '.join(Task)}")
    return DataOptions(target, Task(task) if task else None, columns or {}, _held_out(held_out), weight)


def _held_out(value: float | Mapping[str, str] | None) -> float | TimeSplit | GroupSplit:
    from mlops_data.options import HELD_OUT_SHARE, held_out_rows

    if not isinstance(value, Mapping):
        return HELD_OUT_SHARE if value is None else value
    if "column" not in value or not value.keys() <= {"column", "from"}:
        raise BadInput('held_out: give a share, {"column": …, "from": …} or {"column": …}')
    return held_out_rows(value["column"], value.get("from"))
