"""Derive the hyperparameters of a sweep's runs from the sweep's seed and the run's index only. So the API, each child
of the Batch array job and later readers get the same values. Those of a sweep that learns depend on the runs before,
too: the trainer asks for them when a run begins.
"""

import itertools
import random
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from mlops.domain.job import LEARNING
from mlops.domain.training_request import HYPERPARAMETER_FIELDS, MAX_SEED, Hyperparameters, Range, Space, Value

Strategy = Literal["random", "grid", "tpe", "gp"]
WHOLE = tuple(name for name in HYPERPARAMETER_FIELDS if Hyperparameters.model_fields[name].annotation is int)
"""Fields of the short form that are whole numbers."""
DEFAULT_WORKERS = 4
_SIX_DIGITS = 1_000_000


class Sweep(BaseModel):
    """A sweep, as in the variable SWEEP of its Batch job.

    `seed` is the seed of the draws. If the space has no values for `seed`, each child trains with the seed `seed +
    index`, which continues at 0 after the largest seed. `whole` names the hyperparameters that are whole numbers.
    The runs of a sweep that learns are shared by `workers`. If it `ranks_by_validation`, its runs set rows for
    validation aside, and are ranked on them. Plans of older versions do not say so: their runs are ranked on the
    held-out rows.
    """

    strategy: Strategy
    seed: int
    num_runs: int
    workers: int = 1
    prune: bool = False
    space: Space = {}
    whole: tuple[str, ...] = WHOLE
    first_job_number: int = 1
    ranks_by_validation: bool = False

    @property
    def learns(self) -> bool:
        """Whether its runs get values that the runs before have shown to be good."""
        return self.strategy in LEARNING

    @property
    def processes(self) -> int:
        """The number of processes that it runs in: the size of its Batch job."""
        return self.workers if self.learns else self.num_runs

    @property
    def job_ids(self) -> list[str]:
        """The ids of its runs."""
        return [self.job_id(index) for index in range(self.num_runs)]

    def tidy(self, chosen: Mapping[str, Value]) -> dict[str, Value]:
        """Return values that were chosen from the space as a request has them: numbers of ranges with six digits."""
        return {name: _tidy(self.space[name], value, name in self.whole) for name, value in chosen.items()}

    def job_id(self, index: int) -> str:
        """Return the id of child `index`, from 0."""
        return job_id(self.first_job_number + index)


def chooses(strategy: str, num_runs: int) -> bool:
    """Return whether a sweep chooses among runs, and so must not rank them by the rows that the gate compares by.

    A single run is a plain job, unless a worker does it.
    """
    return num_runs > 1 or strategy in LEARNING


def job_id(number: int) -> str:
    """Return a job's id, such as `job_000042`."""
    return f"job_{_sortable(number)}"


def sweep_id(number: int) -> str:
    """Return the id of the sweep whose first job has this number."""
    return f"sweep_{_sortable(number)}"


def _sortable(number: int) -> str:
    """Return a number from 1 on as six digits, such as 000042.

    After 999999 it has twelve more digits: these ids sort by number as texts too, and after all that there are.
    """
    return f"{number:06d}" if number < _SIX_DIGITS else f"{_SIX_DIGITS - 1}{number:012d}"


def _draw(values: list[Value] | Range, generator: random.Random) -> Value:
    if isinstance(values, list):
        return generator.choice(values)
    if values.log:
        drawn: float = values.low * (values.high / values.low) ** generator.random()
        return drawn
    return generator.uniform(values.low, values.high)


def _tidy(values: list[Value] | Range, chosen: Value, whole: bool) -> Value:
    if not isinstance(chosen, float):
        return chosen
    if whole:
        return round(chosen)  # JSON does not tell 64.0 from 64, and a type that takes whole numbers refuses the former
    if isinstance(values, Range):
        return min(max(float(f"{chosen:.6g}"), values.low), values.high)
    return chosen


def grid_size(space: Space) -> int:
    """Return the number of combinations of a grid."""
    size = 1
    for values in space.values():
        size *= len(values) if isinstance(values, list) else 0
    return size


def child_parameters(sweep: Sweep, index: int) -> dict[str, Any]:
    """Derive the hyperparameters of child `index`, from 0: its seed, and those that the space has values for.

    Of a sweep that learns it is the seed alone.

    Raises:
        IndexError: The grid has no such combination.
    """
    space = sweep.space
    if sweep.learns:
        drawn = {}
    elif sweep.strategy == "grid":
        names = sorted(space)
        choices = [values for name in names if isinstance(values := space[name], list)]
        combination = next(itertools.islice(itertools.product(*choices), index, None), None)
        if combination is None:
            raise IndexError(f"the grid has {grid_size(space)} combinations, and none with the index {index}")
        drawn = dict(zip(names, combination, strict=True))
    else:
        # A string as seed, because random.Random hashes it with SHA-512, so that neighbouring indices do not correlate.
        generator = random.Random(f"{sweep.seed}/{index}")
        drawn = {name: _draw(space[name], generator) for name in sorted(space)}
    return {"seed": (sweep.seed + index) % (MAX_SEED + 1), **sweep.tidy(drawn)}
