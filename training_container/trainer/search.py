"""Ask Optuna for the hyperparameters of a run of a tpe sweep: values that did well in the other runs.

There is no coordinator and no database. Each process makes a study in memory from the records of the runs, so the same
records give the same answer.
"""

import math
import random
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
    from optuna.trial import FrozenTrial

FEWEST_AT_RANDOM = 4


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
    under way counts as a bad one, so that the workers try different values. A run that failed, or has no finite
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
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=max(FEWEST_AT_RANDOM, plan.num_runs // 4),
        constant_liar=True,
        # Hyperparameters depend on each other, as the rate and the number of leaves do: they are drawn together.
        multivariate=True,
        # As for random draws: neighbouring numbers must not give similar draws.
        seed=random.Random(f"{plan.seed}/{index}").getrandbits(32),
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([_told(run, plan.space, distributions, objective) for run in runs])
    if index == 0:
        known = {name: value for name, value in start.items() if name in distributions}
        study.enqueue_trial(
            {name: _inside(plan.space[name], value) for name, value in known.items() if _has(plan.space[name], value)}
        )
    drawn = study.ask(distributions).params
    return plan.tidy({name: _outside(plan.space[name], value) for name, value in drawn.items()})


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
    run: Job, space: Space, distributions: "dict[str, BaseDistribution]", objective: Objective | None
) -> "FrozenTrial":
    """Return a run as Optuna knows it. Its values are scores: higher is better, whatever the objective is."""
    from optuna.trial import TrialState, create_trial

    params = {name: _inside(space[name], run.asked[name]) for name in distributions}
    if run.status is JobStatus.PRUNED:
        return create_trial(
            state=TrialState.PRUNED, params=params, distributions=distributions, intermediate_values=dict(run.curve)
        )
    if not run.status.has_ended:
        return create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
    score = objective.score(run.metrics) if objective and run.status is JobStatus.COMPLETED else None
    state = TrialState.FAIL if score is None else TrialState.COMPLETE
    return create_trial(state=state, value=score, params=params, distributions=distributions)
