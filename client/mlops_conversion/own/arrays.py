"""Rows of an array or a tensor, as columns of a contract and back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_contract import ColumnType, Contract, Task
from mlops_conversion.own.original import Array
from mlops_conversion.own.source import Columns, Source, check_whole, claimed

PIXELS = 1.0
"""The largest value of an image's pixel."""


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
        check_whole(matrix, "data")
    tensor = not whole and task is Task.CLASSIFICATION
    columns = {name: matrix[:, index] for index, name in enumerate(names)}
    contract = tuple(
        replace(claimed(name, kind, index, columns[name]), null_ok=not (whole or tensor))
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
