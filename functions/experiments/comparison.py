"""Runs side by side."""

import math
from typing import Literal

from mlops.schemas import ComparedMetric, ComparedParam, Comparison, RunRow

LOWER_IS_BETTER = (
    *("loss", "error", "mse", "mae", "rmse", "perplexity"),
    *("seconds", "latency", "duration", "time", "bytes"),
)
"""A metric whose name has one of these as a word is the better the lower it is."""


def compare(experiment_id: str, name: str, runs: list[RunRow]) -> Comparison:
    """What differs comes first; a param that a run lacks differs from one that another run has."""
    params = [
        _param(key, {run.run_id: run.params.get(key) for run in runs})
        for key in sorted({key for run in runs for key in run.params})
    ]
    metrics = [
        _metric(key, {run.run_id: run.metrics.get(key) for run in runs})
        for key in sorted({key for run in runs for key in run.metrics})
    ]
    return Comparison(
        experiment_id=experiment_id,
        name=name,
        runs=runs,
        params=sorted(params, key=lambda each: not each.differs),
        metrics=sorted(metrics, key=lambda each: not each.differs),
    )


def better(metric: str) -> Literal["higher", "lower"]:
    words = metric.lower().replace("-", "_").replace("/", "_").replace(".", "_").split("_")
    return "lower" if any(word in LOWER_IS_BETTER for word in words) else "higher"


def _param(name: str, values: dict[str, str | None]) -> ComparedParam:
    return ComparedParam(name=name, values=values, differs=len(set(values.values())) > 1)


def _metric(name: str, values: dict[str, float | None]) -> ComparedMetric:
    direction = better(name)
    known = {run_id: value for run_id, value in values.items() if value is not None and not math.isnan(value)}
    choose = min if direction == "lower" else max
    return ComparedMetric(
        name=name,
        values=values,
        differs=len(set(values.values())) > 1,
        better=direction,
        best=choose(known, key=lambda run_id: known[run_id]) if known else None,
    )
