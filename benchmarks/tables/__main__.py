"""Measure tables: `python -m benchmarks.tables` writes benchmarks/results/tables.json and tables.md."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.tables import made
from mlops_contract import Task

ROWS, ROUNDS, REPEATS = 300_000, 200, 3
MODEL_TYPES = ("lightgbm", "xgboost")
SIDES = ("trainer", "bare")
FILE = {Task.CLASSIFICATION: ".csv", Task.REGRESSION: ".parquet"}
"""The format in which each task's table is read by both sides."""
TIME_BOUND, MEMORY_BOUND = 1.3, 3.0
SAMPLE_ROWS, SMALL_ROWS = 200_000, 1_000
MEMORY_BYTES = (100_000_000, 400_000_000)
"""Of the files that are read. Beside the first one, Python and the libraries weigh as much as the file."""
WRITERS = {".csv": made.write_csv, ".parquet": made.write_parquet, ".jsonl": made.write_json_lines}


def main() -> int:
    result: dict[str, Any] = {"machine": machine.describe("lightgbm", "xgboost-cpu", "pandas", "duckdb", "onnxruntime")}
    result["rows"], result["rounds"], result["repeats"] = ROWS, ROUNDS, REPEATS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["memory"] = [_memory(folder, suffix, size) for size in MEMORY_BYTES for suffix in WRITERS]
        result["training"] = [_compared(folder, task, model_type) for task in Task for model_type in MODEL_TYPES]
    machine.write("tables", "Tables", result, _text(result))
    print((machine.RESULTS / "tables.md").read_text())
    within = all(row["ratio"] <= TIME_BOUND for row in result["training"])
    return 0 if within and all(row[row["bounded"]] <= MEMORY_BOUND for row in result["memory"]) else 1


def _compared(folder: Path, task: Task, model_type: str) -> dict[str, Any]:
    path = folder / f"{task.value}{FILE[task]}"
    if not path.exists():
        WRITERS[path.suffix](made.table(task, ROWS), path)
    runs: dict[str, list[Any]] = {side: [] for side in SIDES}
    for _ in range(REPEATS):
        for side in SIDES:  # in turn, so that a busy minute meets both
            runs[side].append(_in_a_process(side, str(path), model_type, str(ROUNDS)))
    ours, bare = (_median(runs[side]) for side in SIDES)
    assert ours["held_out"] == bare["held_out"], "the two measure other rows"
    return {
        "task": task.value,
        "file": FILE[task],
        "model_type": model_type,
        "trainer": ours,
        "bare": bare,
        "ratio": ours["cpu_seconds"]["fit"] / bare["cpu_seconds"]["fit"],
        "whole_ratio": ours["cpu_seconds"]["whole"] / bare["cpu_seconds"]["whole"],
        "seconds_ratio": ours["seconds"]["fit"] / bare["seconds"]["fit"],
        "whole_seconds_ratio": ours["seconds"]["whole"] / bare["seconds"]["whole"],
    }


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each step. The score is that of all runs: the same seed gives the same model."""
    steps = {
        measure: {step: statistics.median(run[measure][step] for run in runs) for step in runs[0][measure]}
        for measure in ("seconds", "cpu_seconds")
    }
    return {**runs[0], **steps}


def _memory(folder: Path, suffix: str, wanted: int) -> dict[str, Any]:
    """Return the peak of a process that reads a table of about so many bytes, and its ratio to the file's size.

    There are two ratios: of the whole process, and of what it takes beyond one that reads a thousand rows, which is
    Python and the libraries. The bound is for the former, except beside the smallest files.
    """
    path = folder / f"memory{suffix}"
    WRITERS[suffix](made.table(Task.REGRESSION, SMALL_ROWS), path)
    small = _in_a_process("read", str(path))["peak_memory_mb"]
    WRITERS[suffix](made.table(Task.REGRESSION, SAMPLE_ROWS), path)
    WRITERS[suffix](made.table(Task.REGRESSION, wanted * SAMPLE_ROWS // path.stat().st_size), path)
    size = path.stat().st_size
    found = _in_a_process("read", str(path))
    path.unlink()
    beyond = (found["peak_memory_mb"] - small) * 2**20
    return {
        "file": suffix,
        "megabytes": size / 1e6,
        **found,
        "small_peak_memory_mb": small,
        "ratio": beyond / size,
        "whole_ratio": found["peak_memory_mb"] * 2**20 / size,
        "bounded": "ratio" if wanted == min(MEMORY_BYTES) else "whole_ratio",
    }


def _in_a_process(*arguments: str) -> Any:
    print(*arguments, "…", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.tables.one", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[2])
    return json.loads(done.stdout.splitlines()[-1])


def _text(result: dict[str, Any]) -> str:
    rows: list[list[Any]] = []
    for row in result["training"]:
        title = f"{row['model_type']}, {row['task']} ({row['file']})"
        for side in SIDES:
            cpu = row[side]["cpu_seconds"]
            steps = [cpu["read"], cpu["fit"], cpu.get("export and prove"), cpu["measure"], cpu["whole"]]
            score = row[side]["score"]
            rows.append([f"{title}: {side}", *steps, f"{score:.4f}" if score < 1 else f"{score:.2f}"])
    header = ["CPU seconds, medians", "read", "fit", "export and prove", "measure", "whole", "accuracy or RMSE"]
    ratios = [[f"{row['model_type']}, {row['task']}", *(row[key] for key in _RATIOS)] for row in result["training"]]
    peaks = [[row["file"], *(row[key] for key in _PEAKS)] for row in result["memory"]]
    return "\n".join(
        [
            f"{result['rows']:,} rows, 20 columns, {result['rounds']} rounds, each run in a process of its own, "
            f"{result['repeats']} of each side in turn.\n",
            machine.table(header, rows),
            machine.table(
                [f"trainer / bare; the bound is {TIME_BOUND} for the fit's CPU time", *_RATIOS.values()], ratios
            ),
            machine.table([_MEMORY_TITLE, *_PEAKS.values()], peaks),
        ]
    )


_RATIOS = {
    "ratio": "fit, CPU",
    "seconds_ratio": "fit, time",
    "whole_ratio": "whole, CPU",
    "whole_seconds_ratio": "whole, time",
}

_MEMORY_TITLE = (
    f"reading; the bound is {MEMORY_BOUND:g}: beyond a small file for about {MEMORY_BYTES[0] // 10**6} MB, of the "
    "whole process for larger files"
)
_PEAKS = {
    "megabytes": "MB",
    "rows": "rows",
    "peak_memory_mb": "peak MiB",
    "small_peak_memory_mb": "of a small file",
    "ratio": "beyond it / file",
    "whole_ratio": "peak / file",
}


if __name__ == "__main__":
    sys.exit(main())
