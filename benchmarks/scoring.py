"""Batch scoring beside a bare loop: rows per second and core, peak memory, rows set aside.

`python -m benchmarks.scoring` writes benchmarks/results/scoring.json and scoring.md. The rows are read from Parquet, as
a batch prediction reads them, and answered by a LightGBM model of 20 columns. The bare loop makes the model's inputs
from the same Arrow batches by hand, checks nothing, asks onnxruntime, and keeps nothing.
"""

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks import machine
from benchmarks.tables import made
from mlops_contract import ColumnType, Task
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.dates import date_parts

ROWS = (1_000_000, 10_000_000)
PIECE = 500_000
TRAINED_ON, ROUNDS = 50_000, 100
REPEATS = 3
BAD_SHARE = 0.001
RATIO_BOUND, MEMORY_BOUND = 1.3, 1.1
SIDES = ("scoring", "bare")


def main() -> int:
    result: dict[str, Any] = {"machine": machine.describe("lightgbm", "onnxruntime", "pyarrow", "numpy")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _in_a_process("train", str(folder / "model.onnx"), str(folder / "train.parquet"))
        result["model_bytes"] = (folder / "model.onnx").stat().st_size
        runs = []
        for rows in ROWS:
            path = folder / f"{rows}.parquet"
            _write(path, rows)
            sides: dict[str, list[Any]] = {side: [] for side in SIDES}
            for _ in range(REPEATS if rows == ROWS[0] else 1):
                for side in SIDES:  # in turn, so that a busy minute meets both
                    sides[side].append(_in_a_process(side, str(folder / "model.onnx"), str(path), str(folder)))
            runs.append({"rows": rows, "megabytes": path.stat().st_size / 1e6} | _compared(sides))
            path.unlink()
        result["runs"] = runs
    result["memory_growth"] = runs[-1]["scoring"]["peak_memory_mb"] / runs[0]["scoring"]["peak_memory_mb"]
    machine.write("scoring", "Batch scoring", result, _text(result))
    print((machine.RESULTS / "scoring.md").read_text())
    within = all(run["ratio"] <= RATIO_BOUND for run in runs) and result["memory_growth"] <= MEMORY_BOUND
    return 0 if within else 1


def _compared(sides: dict[str, list[Any]]) -> dict[str, Any]:
    medians = {
        side: {**found[0], "cpu_seconds": statistics.median(run["cpu_seconds"] for run in found)}
        for side, found in sides.items()
    }
    ratio = medians["scoring"]["cpu_seconds"] / medians["bare"]["cpu_seconds"]
    return {**medians, "ratio": ratio}


def _write(path: Path, rows: int) -> None:
    """Write a table piece by piece. One row in a thousand has a number that the model does not take."""
    random, writer = np.random.default_rng(11), None
    for start in range(0, rows, PIECE):
        piece = made.table(Task.CLASSIFICATION, min(PIECE, rows - start), seed=start).drop_columns(made.TARGET)
        amounts = piece["amount_0"].to_numpy().copy()
        amounts[random.random(len(amounts)) < BAD_SHARE] = 1e300
        piece = piece.set_column(piece.schema.get_field_index("amount_0"), "amount_0", pa.array(amounts))
        piece = piece.append_column("customer_id", pa.array(np.arange(start, start + piece.num_rows)))
        writer = writer or parquet.ParquetWriter(path, piece.schema)
        writer.write_table(piece, row_group_size=131_072)
    assert writer is not None
    writer.close()


def _train(model: Path, table: Path) -> dict[str, Any]:
    """Train, export and prove as the trainer does."""
    from benchmarks.tables.through_trainer import Unwatched
    from trainer import data, invocation, models
    from trainer.data_options import data_options
    from trainer.export import export

    made.write_parquet(made.table(Task.CLASSIFICATION, TRAINED_ON), table)
    asked = invocation.resolve(
        {"model_type": "lightgbm", "target": made.TARGET, "hyperparameters": {"n_estimators": ROUNDS}}  # type: ignore[dict-item]
    )
    dataset = data.load(str(table), data_options(asked), trusted=True)
    exported = export(models.find("lightgbm").train(dataset, asked, Unwatched()), dataset)
    model.write_bytes(exported.content)
    return {}


def _score(model: Path, table: Path, folder: Path) -> dict[str, Any]:
    from mlops_scoring.chunks import Part
    from mlops_scoring.model import TableModel
    from mlops_scoring.reading import chunks_of
    from mlops_scoring.scoring import Scorer
    from mlops_scoring.writing import ParquetWriter

    content = model.read_bytes()
    opened = TableModel.open(content, hashlib.sha256(content).hexdigest())
    predictions = ParquetWriter(folder / "predictions.parquet", ["prediction_id"])
    rejected = ParquetWriter(folder / "rejected.parquet")
    scorer = Scorer(opened, predictions, rejected, keep=["customer_id"], id_prefix="batch/0")
    before, began = time.process_time(), time.perf_counter()
    with table.open("rb") as file:
        scorer.score(chunks_of(Part(table.name, 0, 1 << 62), file, opened.contract, ["customer_id"]))
    predictions.close()
    rejected.close()
    counts = scorer.counts
    return {
        "cpu_seconds": time.process_time() - before,
        "seconds": time.perf_counter() - began,
        "rejected": counts.rejected,
        "reasons": counts.reasons.most_common(3),
    }


def _bare(model: Path, table: Path) -> dict[str, Any]:
    import onnxruntime

    from mlops_contract import Contract

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    contract = Contract.from_document(json.loads(metadata["mlops"])["contract"])
    before, began, answered = time.process_time(), time.perf_counter(), 0
    names = [column.name for column in contract.columns]
    for batch in parquet.ParquetFile(table).iter_batches(8_192, columns=names, use_threads=False):
        numbers = np.empty((batch.num_rows, contract.numbers), np.float32)
        categories = np.empty((batch.num_rows, contract.categories), object)
        for column in contract.columns:
            values = batch.column(column.name)
            if column.type is ColumnType.STRING:
                texts = values.fill_null(column.null_token).to_numpy(zero_copy_only=False)
                categories[:, column.position] = texts
            elif column.type is ColumnType.DATETIME:
                seconds = values.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy(zero_copy_only=False)
                numbers[:, column.position : column.positions.stop] = date_parts(seconds.astype(np.float64))
            else:
                with np.errstate(over="ignore"):
                    numbers[:, column.position] = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        feeds = {name: feed for name, feed in ((NUMBERS, numbers), (CATEGORIES, categories)) if feed.shape[1]}
        probabilities = session.run([contract.output], feeds)[0]
        answered += len(probabilities.argmax(axis=1))
    return {"cpu_seconds": time.process_time() - before, "seconds": time.perf_counter() - began, "answered": answered}


def _in_a_process(*arguments: str) -> Any:
    print(*arguments, "…", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.scoring", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return json.loads(done.stdout.splitlines()[-1])


def _one(side: str, *paths: str) -> None:
    from trainer import process

    process.prepare()
    sides = {"train": _train, "scoring": _score, "bare": lambda model, table, _: _bare(model, table)}
    found = sides[side](*map(Path, paths))  # type: ignore[operator]
    print(json.dumps({**found, "peak_memory_mb": process.peak_memory_mb()}))


def _text(result: dict[str, Any]) -> str:
    rows: list[list[Any]] = []
    for run in result["runs"]:
        for side in SIDES:
            found = run[side]
            per_second = run["rows"] / found["cpu_seconds"]
            rows.append([f"{run['rows']:,} rows: {side}", found["cpu_seconds"], per_second, found["peak_memory_mb"]])
    last = result["runs"][-1]
    (reason, _), *_ = last["scoring"]["reasons"]
    return "\n".join(
        [
            f"A LightGBM model of 20 columns and {result['model_bytes'] / 1e6:.1f} MB, one thread.\n",
            machine.table(["", "CPU seconds", "rows per second and core", "peak MiB"], rows),
            machine.table(
                ["", "", "bound"],
                [
                    *(
                        [f"{run['rows']:,} rows: scoring / bare, CPU", run["ratio"], RATIO_BOUND]
                        for run in result["runs"]
                    ),
                    ["peak memory, most rows / fewest", result["memory_growth"], MEMORY_BOUND],
                ],
            ),
            f"Of the {last['rows']:,} rows, {last['scoring']['rejected']:,} were set aside: {reason}.",
        ]
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _one(*sys.argv[1:])
    else:
        sys.exit(main())
