"""Comparisons of runs."""

import math

from mlops.api.schemas.experiments import ComparedMetric, ComparedParam, Comparison, RunRow
from mlops.domain.metric_direction import Direction, direction
from mlops.domain.metric_kinds import MetricKind, metric_kinds

_BETTER: dict[str, Direction] = {"maximise": "higher", "minimise": "lower"}


def compare(experiment_id: str, name: str, runs: list[RunRow]) -> Comparison:
    """Compare runs; differences come first. A missing param counts as a difference."""
    params = [
        _param(name, {run.run_id: run.params.get(name) for run in runs})
        for name in sorted({name for run in runs for name in run.params})
    ]
    kinds = metric_kinds({name for run in runs for name in run.metrics})
    metrics = [
        _metric(name, kinds[name], _better(name, runs), {run.run_id: run.metrics.get(name) for run in runs})
        for name in sorted(kinds)
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


def _better(name: str, runs: list[RunRow]) -> Direction | None:
    """Return which values are better: as the runs say whose objective it is, else as the name shows it."""
    said = {run.objective.direction for run in runs if run.objective and run.objective.name == name}
    if said:
        return _BETTER[said.pop()] if len(said) == 1 else None
    return direction(name)


def _metric(name: str, kind: MetricKind, better: Direction | None, values: dict[str, float | None]) -> ComparedMetric:
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
