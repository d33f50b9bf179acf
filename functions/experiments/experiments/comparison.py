"""Runs side by side."""

import math

from mlops.api.schemas.experiments import ComparedMetric, ComparedParam, Comparison, RunRow
from mlops.domain.objective import direction


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


def _param(name: str, values: dict[str, str | None]) -> ComparedParam:
    return ComparedParam(name=name, values=values, differs=len(set(values.values())) > 1)


def _metric(name: str, values: dict[str, float | None]) -> ComparedMetric:
    better = direction(name)
    known = {run_id: value for run_id, value in values.items() if value is not None and not math.isnan(value)}
    choose = min if better == "lower" else max
    return ComparedMetric(
        name=name,
        values=values,
        differs=len(set(values.values())) > 1,
        better=better,
        best=choose(known, key=lambda run_id: known[run_id]) if known and better else None,
    )
