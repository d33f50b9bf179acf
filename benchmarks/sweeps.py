"""Compare the strategies of sweeps: what tpe finds in 15 runs, and random draws in 30.

python -m benchmarks.sweeps writes benchmarks/results/sweeps.json and sweeps.md
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.tables import made
from benchmarks.tables.through_trainer import Unwatched
from mlops.domain import objective as objectives
from mlops.domain.job import TPE, Job, JobStatus
from mlops.domain.model_types import ModelTypes
from mlops.domain.sweep import Sweep, child_parameters
from mlops_contract import Task
from trainer import data, invocation, models, search, validation
from trainer.data import DataOptions, Dataset

MODEL_TYPE, ROWS, SEEDS = "lightgbm", 2_000, 5
RUNS = {TPE: 15, "random": 30}
OBJECTIVES = {Task.CLASSIFICATION: "log_loss", Task.REGRESSION: "rmse"}


def main() -> int:
    result: dict[str, Any] = {"machine": machine.describe("lightgbm", "optuna")}
    result |= {"model_type": MODEL_TYPE, "rows": ROWS, "seeds": SEEDS, "runs": RUNS}
    with tempfile.TemporaryDirectory() as folder:
        result["tables"] = [_measured(task, Path(folder) / f"{task.value}.parquet") for task in Task]
    machine.write("sweeps", "Sweeps", result, _text(result))
    print((machine.RESULTS / "sweeps.md").read_text())
    return 0 if all(row["median"][TPE] <= row["median"]["random"] for row in result["tables"]) else 1


def _measured(task: Task, path: Path) -> dict[str, Any]:
    made.write_parquet(made.table(task, ROWS), path)
    dataset = data.load(str(path), DataOptions(target=made.TARGET), trusted=True)
    best = {strategy: [_best(dataset, strategy, seed) for seed in range(SEEDS)] for strategy in RUNS}
    medians = {strategy: statistics.median(values) for strategy, values in best.items()}
    return {"task": task.value, "objective": OBJECTIVES[task], "best": best, "median": medians}


def _best(dataset: Dataset, strategy: str, seed: int) -> float:
    """Return the objective of a sweep's best run, on the rows for validation. Lower is better for both tasks."""
    (published,) = ModelTypes.model_validate(models.catalogue([MODEL_TYPE])).model_types
    plan = Sweep(
        strategy=strategy,
        seed=seed,
        num_runs=RUNS[strategy],
        space=published.default_space(strategy, dataset.task),
        whole=published.whole_in_sweeps,
    )
    objective = objectives.named(OBJECTIVES[dataset.task], task=dataset.task)
    runs: list[Job] = []
    for index in range(plan.num_runs):
        asked = search.ask(plan, index, runs, objective.on_validation) if strategy == TPE else {}
        parameters = invocation.resolve(
            {"model_type": MODEL_TYPE, "target": made.TARGET}, {**child_parameters(plan, index), **asked}
        )
        trained = models.find(MODEL_TYPE).train(dataset, parameters, Unwatched())
        metrics = validation.on_validation(trained, dataset, objective, {})
        runs.append(Job(plan.job_id(index), status=JobStatus.COMPLETED, worker=0, asked=asked, metrics=metrics))
    return min(run.metrics[objective.on_validation.name] for run in runs)


def _text(result: dict[str, Any]) -> str:
    rows = [
        [
            f"{table['task']}, {table['objective']}",
            f"{table['median'][TPE]:.4f}",
            f"{table['median']['random']:.4f}",
            sum(ours <= other for ours, other in zip(table["best"][TPE], table["best"]["random"], strict=True)),
        ]
        for table in result["tables"]
    ]
    header = ["table and objective", "tpe, 15 runs", "random, 30 runs", f"of {SEEDS} seeds tpe is as good or better in"]
    return (
        f"The best run of a sweep of {MODEL_TYPE} over its default space, on a table of {ROWS:,} rows: the objective "
        f"on the rows for validation, lower is better, median over {SEEDS} seeds.\n\n" + machine.table(header, rows)
    )


if __name__ == "__main__":
    sys.exit(main())
