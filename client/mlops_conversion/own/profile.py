"""The data profile of the given rows: the form that `profile.json` of a training run has."""

from typing import Any

import numpy as np

from mlops_contract import ColumnType, Contract, Task
from mlops_conversion.own.original import Array, Label
from mlops_conversion.own.source import Columns
from mlops_conversion.proof.rows import is_null

TOP_LEVELS = 20


def profile(contract: Contract, columns: Columns, truth: Array | None, labels: tuple[Label, ...]) -> dict[str, Any]:
    """Return the profile.

    Args:
        contract: The columns of the model.
        columns: The rows that the proof asked.
        truth: The true values: places of the classes, or quantities.
        labels: The classes.
    """
    rows = len(next(iter(columns.values())))
    target: dict[str, Any] = {"name": contract.target, "task": contract.task.value, "missing": 0}
    if truth is not None and contract.task is Task.CLASSIFICATION:
        counts = np.bincount(truth, minlength=len(labels)).tolist()
        target["classes"] = [{"value": label, "count": count} for label, count in zip(labels, counts, strict=True)]
    elif truth is not None:
        target["quantiles"] = _quantiles(truth)
    return {
        "name": "data",
        "rows": {"held_out": rows},
        "target": target,
        "columns": [_column(column.name, column.type, columns[column.name]) for column in contract.columns],
        "left_out": [],
        "notes": [],
    }


def _column(name: str, kind: ColumnType, values: Array) -> dict[str, Any]:
    missing = is_null(values)
    known = values[~missing]
    found: dict[str, Any] = {"name": name, "type": kind.value, "missing": float(missing.mean())}
    if kind is ColumnType.STRING:
        texts, counts = np.unique(known.astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:TOP_LEVELS]
        levels: list[dict[str, Any]] = [{"value": str(texts[place]), "count": int(counts[place])} for place in order]
        other = int(counts.sum()) - sum(level["count"] for level in levels)
        return found | {"distinct": len(texts), "levels": levels, "other": other}
    found["distinct"] = len(np.unique(known))
    return found | {"quantiles": _quantiles(known)} if len(known) and kind is not ColumnType.BOOLEAN else found


def _quantiles(values: Array) -> dict[str, Any]:
    names = ("min", "p25", "median", "p75", "max")
    if values.dtype.kind == "M":
        ordered = np.sort(values)
        places = [round(share * (len(ordered) - 1)) for share in (0, 0.25, 0.5, 0.75, 1)]
        return {name: str(ordered[place]) for name, place in zip(names, places, strict=True)}
    quantiles = np.quantile(values, (0, 0.25, 0.5, 0.75, 1)).tolist()
    return dict(zip(names, quantiles, strict=True)) | {"mean": float(values.mean())}
