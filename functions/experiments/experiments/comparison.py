"""Comparisons of runs."""

import math

from mlops.api.schemas.experiments import ComparedMetric, ComparedParam, Comparison, RunRow
from mlops.domain.metric_direction import direction
from mlops.domain.metric_kinds import MetricKind, metric_kinds


def compare(experiment_id: str, name: str, runs: list[RunRow]) -> Comparison:
    """Compare runs; differences come first. A missing param counts as a difference."""
    params = [
        _param(name, {run.run_id: run.params.get(name) for run in runs})
        for name in sorted({name for run in runs for name in run.params})
    ]
    kinds = metric_kinds({name for run in runs for name in run.metrics})
    metrics = [
        _metric(name, kinds[name], {run.run_id: run.metrics.get(name) for run in runs}) for name in sorted(kinds)
    ]
    return Comparison(
        experiment_id=experiment_id,
        name=name,
        runs=runs,
        params=sorted(params, key=lambda param: not param.differs),
        metrics=sorted(metrics, key=lambda metric: not metric.differs),
    )


def _param(name: str, values: dict[str, str | None]) -> ComparedParam:
    return ComparedParam(name=name, values=values, differs=len(set(values.values())) > 1)


def _metric(name: str, kind: MetricKind, values: dict[str, float | None]) -> ComparedMetric:
    better = direction(name)
    known = {run_id: value for run_id, value in values.items() if value is not None and not math.isnan(value)}
    choose = min if better == "lower" else max
    return ComparedMetric(
        name=name,
        values=values,
        differs=len(set(values.values())) > 1,
        kind=kind,
        better=better,
        best=choose(known, key=lambda run_id: known[run_id]) if known and better else None,
    )
