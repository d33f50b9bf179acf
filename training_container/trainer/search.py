"""Ask Optuna for the hyperparameters of a run of a sweep that learns from its other runs.

There is no coordinator and no database. Each process makes a study in memory from the records of the runs, so the same
records give the same answer.
"""

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from mlops.domain.job import Job, JobStatus
from mlops.domain.objective import Objective
from mlops.domain.sweep import Sweep
from mlops.domain.training_request import Range, Space, Value
from trainer.parameters import HyperparameterValue

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

FEWEST_AT_RANDOM = 4
CANDIDATES_OF_ONE, MOST_CANDIDATES = 24, 256
"""Of which tpe takes the one that is likeliest to be good. Optuna's 24 are of the time when each hyperparameter was
chosen by itself. Here one candidate has all of them, and 24 points are few in a space of six. For one hyperparameter
more of them would only find the best value so far again."""


def ask(
    plan: Sweep,
    index: int,
    runs: Sequence[Job],
    objective: Objective | None,
    start: Mapping[str, HyperparameterValue] = MappingProxyType({}),
) -> dict[str, HyperparameterValue]:
    """Return the hyperparameters of run `index`, from 0, those of the space.

    The first run has the values of `start`, as far as they are in the space, because a model type's own values are a
    good guess. The others of the first quarter of the runs, and at least of four, are drawn at random. A run that is
    under way is kept away from, so that the workers try different values. A run that failed, or has no finite
    objective, teaches nothing.

    Args:
        plan: The sweep.
        index: Of the run.
        runs: The records of the other runs that were begun, by their numbers.
        objective: Ranks the runs. None if none of them has an objective yet.
        start: Hyperparameters of a run that draws nothing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {name: _distribution(plan.space, name, name in plan.whole) for name in sorted(plan.space)}
    study = optuna.create_study(direction="maximize", sampler=_sampler(plan, index))
    study.add_trials(_told(plan, runs, distributions, objective))
    if index == 0:
        known = {name: value for name, value in start.items() if name in distributions}
        study.enqueue_trial(
            {name: _inside(plan.space[name], value) for name, value in known.items() if _has(plan.space[name], value)}
        )
    drawn = study.ask(distributions).params
    return plan.tidy({name: _outside(plan.space[name], value) for name, value in drawn.items()})


def _sampler(plan: Sweep, index: int) -> "BaseSampler":
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import GPSampler, TPESampler

    at_random = max(FEWEST_AT_RANDOM, plan.num_runs // 4)
    # As for random draws: neighbouring numbers must not give similar draws.
    seed = random.Random(f"{plan.seed}/{index}").getrandbits(32)
    if plan.strategy == "gp":
        # A training is reproducible. Estimating noise from a dozen runs costs more than it gives: benchmarks/sweeps.py
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            return GPSampler(seed=seed, n_startup_trials=at_random, deterministic_objective=True)
    # Hyperparameters depend on each other, as the rate and the number of leaves do: they are drawn together.
    return TPESampler(
        seed=seed,
        n_startup_trials=at_random,
        n_ei_candidates=min(MOST_CANDIDATES, CANDIDATES_OF_ONE ** len(plan.space)),
        constant_liar=True,
        multivariate=True,
    )


def _distribution(space: Space, name: str, whole: bool) -> "BaseDistribution":
    from optuna import distributions

    values = space[name]
    if isinstance(values, list):
        if steps := _steps(values):
            return distributions.IntDistribution(0, len(steps) - 1)
        return distributions.CategoricalDistribution(values)
    if whole:
        return distributions.IntDistribution(math.ceil(values.low), math.floor(values.high), log=values.log)
    return distributions.FloatDistribution(values.low, values.high, log=values.log)


def _steps(values: list[Value] | Range) -> list[int | float]:
    """Return a list of numbers in their order, which Optuna knows by their positions; nothing for other lists.

    A category has no neighbours. So what was learned of 31 leaves would say nothing of 15, or of 63.
    """
    if not isinstance(values, list):
        return []
    numbers = {value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)}
    return sorted(numbers) if 2 < len(numbers) == len(values) else []


def _has(values: list[Value] | Range, value: Value) -> bool:
    if isinstance(values, list):
        return value in values
    return isinstance(value, (int, float)) and not isinstance(value, bool) and values.low <= value <= values.high


def _inside(values: list[Value] | Range, value: Value) -> Value:
    """Return the value as Optuna knows it."""
    steps = _steps(values)
    return steps.index(cast(float, value)) if steps else value


def _outside(values: list[Value] | Range, value: Value) -> Value:
    """Return the value of the space for one of Optuna's."""
    steps = _steps(values)
    return steps[cast(int, value)] if steps else value


def _told(
    plan: Sweep, runs: Sequence[Job], distributions: "dict[str, BaseDistribution]", objective: Objective | None
) -> "list[FrozenTrial]":
    """Return the runs as Optuna knows them. Their values are scores: higher is better, whatever the objective is.

    tpe ranks pruned runs by their curves. gp knows values only: there they are as bad as the worst run that completed,
    because a curve may be of another metric than the objective.
    """
    from optuna.trial import TrialState, create_trial

    scores = {run.job_id: score for run in runs if (score := _score(run, objective)) is not None}
    told = []
    for run in runs:
        state, value, curve = TrialState.FAIL, scores.get(run.job_id), {}
        if value is not None:
            state = TrialState.COMPLETE
        elif not run.status.has_ended:
            state = TrialState.RUNNING
        elif run.status is JobStatus.PRUNED and plan.strategy != "gp":
            state, curve = TrialState.PRUNED, dict(run.curve)
        elif run.status is JobStatus.PRUNED and scores:
            state, value = TrialState.COMPLETE, min(scores.values())
        params = {name: _inside(plan.space[name], run.asked[name]) for name in distributions}
        told.append(
            create_trial(
                state=state, value=value, params=params, distributions=distributions, intermediate_values=curve
            )
        )
    return told


def _score(run: Job, objective: Objective | None) -> float | None:
    return objective.score(run.metrics) if objective and run.status is JobStatus.COMPLETED else None
