"""Compare the strategies of sweeps: what those that learn find in 15 runs, and random draws in 30.

python -m benchmarks.sweeps [STRATEGY ...] writes benchmarks/results/sweeps.json and sweeps.md. What a strategy finds
depends on its seeds alone, so with names of strategies only those are measured, and the results of the others are kept.
"""

import json
import os

# Beside other work, LightGBM's threads wait for each other at every tree. Before its import.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits, make_friedman1

from benchmarks import machine
from benchmarks.tables import made
from benchmarks.tables.through_trainer import Unwatched
from mlops.domain import objective as objectives
from mlops.domain.job import LEARNING, Job, JobStatus
from mlops.domain.model_types import ModelTypes
from mlops.domain.sweep import Sweep, child_parameters
from mlops_contract import Task
from trainer import data, invocation, models, search, validation
from trainer.data import DataOptions, Dataset

MODEL_TYPE, ROWS, SEEDS = "lightgbm", 2_000, 15
RUNS = {**dict.fromkeys(LEARNING, 15), "random": 30}
MEETS = "gp"
"""The strategy that the aim is for."""
OBJECTIVES = {Task.CLASSIFICATION: "log_loss", Task.REGRESSION: "rmse"}


@dataclass(frozen=True)
class Table:
    """A table to sweep over. On those of `noise` all runs are nearly equal, so nothing can be learned of the values;
    the aim is for the others."""

    name: str
    task: Task
    make: Callable[[], pa.Table]
    noise: bool = False


def _digits() -> pa.Table:
    digits = load_digits()
    columns = {f"pixel_{at}": digits.data[:, at] for at in range(digits.data.shape[1])}
    return pa.table({**columns, made.TARGET: np.where(digits.target > 4, "more than four", "at most four")})


def _friedman() -> pa.Table:
    inputs, quantity = make_friedman1(ROWS, 10, noise=0.1, random_state=7)
    return pa.table({**{f"x{at}": inputs[:, at] for at in range(10)}, made.TARGET: quantity})


TABLES = (
    Table("scikit-learn's digits, in two halves", Task.CLASSIFICATION, _digits),
    Table("Friedman's first function", Task.REGRESSION, _friedman),
    Table("made, with noise", Task.CLASSIFICATION, lambda: made.table(Task.CLASSIFICATION, ROWS), noise=True),
    Table("made, with noise", Task.REGRESSION, lambda: made.table(Task.REGRESSION, ROWS), noise=True),
)


def main() -> int:
    result: dict[str, Any] = {"machine": machine.describe("lightgbm", "optuna")}
    result |= {"model_type": MODEL_TYPE, "rows": ROWS, "seeds": SEEDS, "runs": RUNS}
    strategies = sys.argv[1:] or list(RUNS)
    kept: list[dict[str, Any]] = [{}] * len(TABLES) if set(strategies) == set(RUNS) else _kept(result)
    with ProcessPoolExecutor(len(TABLES)) as processes:
        measured = processes.map(_measured, range(len(TABLES)), [strategies] * len(TABLES))
        result["tables"] = [_of_table(*of_table) for of_table in zip(TABLES, measured, kept, strict=True)]
    machine.write("sweeps", "Sweeps", result, _text(result))
    print((machine.RESULTS / "sweeps.md").read_text())
    learnable = [table["median"] for table in result["tables"] if not table["noise"]]
    return 0 if all(median[MEETS] <= median["random"] for median in learnable) else 1


def _kept(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured before, of each table; SystemExit if that was with other packages or another number of
    rows, seeds or runs."""
    before = json.loads((machine.RESULTS / "sweeps.json").read_text())
    same = ("model_type", "rows", "seeds", "runs")
    if [before[name] for name in same] != [result[name] for name in same] or (
        before["machine"]["packages"] != result["machine"]["packages"]
    ):
        raise SystemExit("results/sweeps.json was measured otherwise; measure all strategies: name none")
    tables: list[dict[str, Any]] = before["tables"]
    return tables


def _measured(position: int, strategies: Sequence[str]) -> dict[str, list[list[float]]]:
    """Return the objectives of the runs of each sweep over a table, by strategy and seed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        made.write_parquet(TABLES[position].make(), path)
        dataset = data.load(str(path), DataOptions(target=made.TARGET), trusted=True)
        return {strategy: [_runs(dataset, strategy, seed) for seed in range(SEEDS)] for strategy in strategies}


def _of_table(table: Table, runs: dict[str, list[list[float]]], kept: dict[str, Any]) -> dict[str, Any]:
    measured = {strategy: [min(values) for values in of_seeds] for strategy, of_seeds in runs.items()}
    best = {strategy: measured.get(strategy) or kept["best"][strategy] for strategy in RUNS}
    medians = {strategy: statistics.median(values) for strategy, values in best.items()}
    about = {"name": table.name, "task": table.task.value, "objective": OBJECTIVES[table.task], "noise": table.noise}
    return {
        **about,
        "best": best,
        "median": medians,
        "spread": _spread(runs["random"]) if "random" in runs else kept["spread"],
    }


def _spread(runs: list[list[float]]) -> float:
    """How much worse the middle one of a sweep's runs is than the best."""
    return statistics.median(statistics.median(values) / min(values) - 1 for values in runs)


def _runs(dataset: Dataset, strategy: str, seed: int) -> list[float]:
    """Return the objective of a sweep's runs, on the rows for validation. Lower is better for both tasks."""
    (published,) = ModelTypes.model_validate(models.catalogue([MODEL_TYPE])).model_types
    plan = Sweep(
        strategy=strategy,
        seed=seed,
        num_runs=RUNS[strategy],
        space=published.default_space(strategy, dataset.task),
        whole=published.whole_in_sweeps,
    )
    objective = objectives.named(OBJECTIVES[dataset.task], task=dataset.task)
    given: dict[str, str | int | float | bool] = {"model_type": MODEL_TYPE, "target": made.TARGET}
    start = models.run_params(invocation.resolve(given))
    runs: list[Job] = []
    for index in range(plan.num_runs):
        asked = search.ask(plan, index, runs, objective.on_validation, start) if plan.learns else {}
        parameters = invocation.resolve(given, {**child_parameters(plan, index), **asked})
        trained = models.find(MODEL_TYPE).train(dataset, parameters, Unwatched())
        metrics = validation.on_validation(trained, dataset, objective, {})
        runs.append(Job(plan.job_id(index), status=JobStatus.COMPLETED, worker=0, asked=asked, metrics=metrics))
    return [run.metrics[objective.on_validation.name] for run in runs]


def _text(result: dict[str, Any]) -> str:
    rows = [
        [
            f"{table['name']}: {table['task']}, {table['objective']}",
            *(f"{table['median'][strategy]:.4f}" for strategy in RUNS),
            sum(ours <= other for ours, other in zip(table["best"][MEETS], table["best"]["random"], strict=True)),
            f"{table['spread']:.1%}",
        ]
        for table in result["tables"]
    ]
    header = [
        "table and objective",
        *(f"{strategy}, {runs} runs" for strategy, runs in RUNS.items()),
        f"of {SEEDS} seeds {MEETS} is as good or better in",
        "the middle random run is worse than the best by",
    ]
    return (
        f"The best run of a sweep of {MODEL_TYPE} over its default space, on tables of about {ROWS:,} rows: the "
        f"objective on the rows for validation, lower is better, median over {SEEDS} seeds. The aim, that 15 runs of "
        f"{MEETS} find what 30 random ones do, is for tables on which runs differ.\n\n" + machine.table(header, rows)
    )


if __name__ == "__main__":
    sys.exit(main())
