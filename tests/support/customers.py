"""A table of customers, as people have one, in the formats that are read."""

import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow
from pyarrow import parquet

Columns = Mapping[str, Sequence[object]]
ROWS = 100
GENERATOR = np.random.default_rng(5)
PRICES = [round(float(price), 2) for price in GENERATOR.normal(50, 20, ROWS)]
CUSTOMERS: dict[str, Sequence[object]] = {
    "customer_id": [f"C-{row * 37 % 1000:04d}" for row in range(ROWS)],
    "age": [None if row % 10 == 3 else 20 + row % 50 for row in range(ROWS)],
    "income": PRICES,
    "city": [None if row % 20 == 7 else ("Berlin", "Köln", "Ulm")[row % 7 % 3] for row in range(ROWS)],
    "member": [(True, False)[row % 3 % 2] for row in range(ROWS)],
    "since": [f"2024-{row % 12 + 1:02d}-{row % 28 + 1:02d} 10:{row % 60:02d}:00" for row in range(ROWS)],
    "country": ["DE"] * ROWS,
    "label": [("stays", "leaves")[row % 4 == 0] for row in range(ROWS)],
}


def csv_of(columns: Columns) -> bytes:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return "\n".join([",".join(columns), *lines, ""]).encode()


def json_lines_of(columns: Columns) -> bytes:
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def parquet_of(columns: Columns) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({name: list(cells) for name, cells in columns.items()}), file)
    return file.getvalue()
