"""Rows to score in each format, and the engine on files in a folder, without AWS."""

import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from mlops_scoring.chunks import Part
from mlops_scoring.model import TableModel
from mlops_scoring.reading import chunks_of
from mlops_scoring.scoring import Counts, Scorer
from mlops_scoring.writing import ParquetWriter
from tests.support.serving import Served
from tests.support.table_models import ROW

ALL = 1 << 62
COLUMNS = list(ROW)


def rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows as people have them: with missing values, and categories that training has not seen."""
    draw = random.Random(seed)
    return [
        {
            "age": None if draw.random() < 0.1 else round(draw.uniform(18, 90), 3),
            "job": draw.choice(["nurse", "baker", "pilot", "astronaut", None]),
            "visits": draw.choice([None, draw.randrange(300)]),
            "member": draw.choice([True, False, None]),
            "since": datetime.fromtimestamp(draw.randrange(10**9, 17 * 10**8), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "plan": draw.choice(["basic", "gold"]),
            "note": draw.choice(["", None, "called twice", "größer, ”quoted”"]) or None,
            "customer_id": f"C{place:05}",
        }
        for place in range(count)
    ]


def as_parquet(rows: list[dict[str, Any]], **options: Any) -> bytes:
    table, file = pa.Table.from_pylist(rows), io.BytesIO()
    times = pa.array([row["since"] and datetime.fromisoformat(row["since"]) for row in rows], pa.timestamp("us", "UTC"))
    parquet.write_table(table.set_column(table.schema.get_field_index("since"), "since", times), file, **options)
    return file.getvalue()


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    csv.write_csv(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def as_json(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "rows.parquet": as_parquet,
    "rows.csv": as_csv,
    "rows.jsonl": as_json,
}


def opened(served: Served) -> TableModel:
    return TableModel.open(served.onnx, served.manifest.sha256)


def score(
    served: Served,
    files: Mapping[str, bytes],
    folder: Path,
    keep: Sequence[str] = (),
    *,
    id_prefix: str = "b/0",
    probabilities: bool = False,
) -> tuple[pa.Table, pa.Table, Counts]:
    """The answers, the rows that were set aside, and the counts."""
    model = opened(served)
    writers = [ParquetWriter(folder / "part.parquet", ["prediction_id"]), ParquetWriter(folder / "rejected.parquet")]
    scorer = Scorer(model, *writers, keep=keep, id_prefix=id_prefix, probabilities=probabilities)
    for name, data in files.items():
        path = folder / Path(name).name
        path.write_bytes(data)
        with path.open("rb") as file:
            scorer.score(chunks_of(Part(name, 0, ALL), file, model.contract, keep))
    tables = [parquet.read_table(each.path) if (each := writer.close()) else pa.table({}) for writer in writers]
    return tables[0], tables[1], scorer.counts
