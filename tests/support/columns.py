"""The inputs of ONNX models of tables, made from whole columns."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.dates import date_parts


def table(task: Task, numbers: Mapping[str, ColumnType], categories: Mapping[str, tuple[str, ...] | None]) -> Contract:
    """A contract of columns that allow everything."""
    columns, position = [], 0
    for name, kind in numbers.items():
        columns.append(Column(name, kind, position))
        position += kind.width
    for index, (name, levels) in enumerate(categories.items()):
        columns.append(Column(name, ColumnType.STRING, index, levels=levels))
    return Contract(task, "target", tuple(columns))


def encoded(contract: Contract, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """`numbers` float32 and `categories` str, as far as the contract has them."""
    rows = len(next(iter(columns.values())))
    numbers = np.full((rows, contract.numbers), np.nan, np.float32)
    categories = np.full((rows, contract.categories), "", object)
    for column in contract.columns:
        values = columns[column.name]
        if column.type is ColumnType.STRING:
            categories[:, column.position] = [column.null_token if value is None else value for value in values]
        elif column.type is ColumnType.DATETIME:
            seconds = values.astype("M8[us]").astype(np.float64) / 1e6
            seconds[np.isnat(values)] = np.nan
            numbers[:, list(column.positions)] = date_parts(seconds)
        else:
            numbers[:, column.position] = values
    feeds = {"numbers": numbers, "categories": categories}
    return {name: array for name, array in feeds.items() if array.shape[1]}


def by_column(contract: Contract, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """An input for each column, `[n, 1]`, as converted pipelines have them."""
    feeds = {}
    for column in contract.columns:
        alone = Contract(
            contract.task, contract.target, (Column(column.name, column.type, 0, null_token=column.null_token),)
        )
        (feeds[column.name],) = encoded(alone, {column.name: columns[column.name]}).values()
    return feeds
