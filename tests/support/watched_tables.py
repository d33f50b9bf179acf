"""Table models whose file says what the held-out rows had in each column, and rows to send them."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime

from mlops_contract import Column, ColumnType, Task
from mlops_contract.column_bins import reference_of
from mlops_contract.rows import RowEncoder
from tests.support.serving import Served
from tests.support.table_models import served_table

Row = dict[str, Any]
JOBS = ("nurse", "baker", "pilot")
CUSTOMER = (
    Column("income", ColumnType.DOUBLE, 0),
    Column("age", ColumnType.DOUBLE, 1, absent_ok=True),
    Column("visits", ColumnType.LONG, 2),
    Column("member", ColumnType.BOOLEAN, 3),
    Column("since", ColumnType.DATETIME, 4),
    Column("job", ColumnType.STRING, 0, levels=JOBS),
    Column("country", ColumnType.STRING, 1, levels=("NL",)),
)
"""A column of each type; `country` is the same in all rows."""


def customers(count: int, seed: int = 0) -> list[Row]:
    """Rows of CUSTOMER; 2 % have no age."""
    random = np.random.default_rng(seed)
    return [
        {
            "income": float(random.lognormal(10, 0.5)),
            "age": None if random.random() < 0.02 else float(random.normal(45, 12)),
            "visits": int(random.poisson(3)),
            "member": bool(random.random() < 0.3),
            "since": f"202{random.integers(0, 5)}-0{random.integers(1, 10)}-11T08:30:00Z",
            "job": str(random.choice(JOBS, p=(0.6, 0.3, 0.1))),
            "country": "NL",
        }
        for _ in range(count)
    ]


def numbers(columns: int) -> tuple[Column, ...]:
    """So many columns of numbers: `c0`, `c1`, …"""
    return tuple(Column(f"c{place}", ColumnType.DOUBLE, place) for place in range(columns))


def rows_of_numbers(columns: int, count: int, seed: int = 0) -> list[Row]:
    """Rows of `numbers`, standard normal."""
    values = np.random.default_rng(seed).standard_normal((count, columns)).round(4).tolist()
    return [{f"c{place}": value for place, value in enumerate(row)} for row in values]


def watched_table(
    held_out: list[Row],
    version: int = 1,
    *,
    model_name: str = "churn",
    columns: tuple[Column, ...] = CUSTOMER,
    task: Task = Task.CLASSIFICATION,
) -> Served:
    """A served model with the reference of these rows."""
    served = served_table(version, model_name=model_name, columns=columns, task=task)
    contract = served.manifest.contract
    assert contract is not None
    feeds = RowEncoder(contract).encode(held_out, batch=True).feeds
    session = onnxruntime.InferenceSession(served.onnx, providers=["CPUExecutionProvider"])
    outputs = session.run([contract.output], feeds)[0]
    manifest = replace(served.manifest, column_reference=reference_of(contract, feeds, outputs).to_document())
    return Served(manifest, served.onnx)
