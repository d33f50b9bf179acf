"""A sweep on one machine: the runs that a Batch array job would make, one after the other in this process.

Each child's parameters follow from the sweep's seed and its index (`mlops.domain.sweep`), as they do for the API. A
child that fails does not spoil the sweep. The best model is registered once, at the end.
"""

import argparse
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from mlops.api.schemas.sweeps import SweepRequest
from mlops.domain.sweep import Sweep, child_parameters
from trainer import job, parameters
from trainer.errors import ParameterError, TrainingError
from trainer.job import Outcome
from trainer.log import say
from trainer.parameters import Identity, Parameters
from trainer.stop import Stop

OWN = ("num_runs", "strategy", "seed", "space", "register_best")


@dataclass(frozen=True)
class Child:
    """One run of the sweep; `outcome` is None if it failed, `error` says why."""

    index: int
    params: dict[str, Any]
    outcome: Outcome | None = None
    error: str | None = None


def main(argv: Sequence[str], stop: Stop) -> int:
    """`python -m trainer sweep`: run, rank, register the best. 0 if any child succeeded.

    Raises:
        ParameterError: names the bad parameter.
        Interrupted: between or within children.
    """
    arguments = _parser().parse_args(argv)
    fixed = parameters.given(arguments, os.environ)
    request = _request(arguments)
    plan = Sweep(
        strategy=request.strategy,
        seed=request.seed,
        num_runs=request.num_runs,
        space=request.model_dump()["space"],
    )
    asked = [_child(plan, index, fixed) for index in range(plan.num_runs)]
    sweep_id = f"sweep_{secrets.token_hex(4)}"
    say("sweep.started", sweep_id=sweep_id, runs=len(asked))
    children = [_run(index, each, sweep_id, stop) for index, each in enumerate(asked)]
    done = ranked(children)
    for place, child in enumerate(done, start=1):
        say("sweep.ranked", place=place, run_id=_outcome(child).run_id, **_outcome(child).metrics, params=child.params)
    for child in children:
        if child.error:
            say("sweep.failed_run", index=child.index, reason=child.error, params=child.params)
    if not done:
        return 1
    version = None
    if request.register_best:
        best = done[0]
        version = job.register(asked[best.index], _outcome(best))
    say("sweep.completed", sweep_id=sweep_id, run_id=_outcome(done[0]).run_id, model_version=version)
    return 0


def ranked(children: Sequence[Child]) -> list[Child]:
    """The children that succeeded, the most accurate first; of equals the earlier."""
    done = [child for child in children if child.outcome]
    return sorted(done, key=lambda child: (-_outcome(child).metrics["accuracy"], child.index))


def _outcome(child: Child) -> Outcome:
    assert child.outcome is not None
    return child.outcome


def _run(index: int, asked: Parameters, sweep_id: str, stop: Stop) -> Child:
    params = asked.hyperparameters()
    try:
        return Child(index, params, outcome=job.run(asked, Identity(sweep_id=sweep_id), stop))
    except TrainingError as error:
        return Child(index, params, error=str(error))


def _child(plan: Sweep, index: int, fixed: dict[str, str]) -> Parameters:
    try:
        drawn = child_parameters(plan, index)
    except IndexError as error:
        raise ParameterError(f"--num-runs: {error}") from error
    name = fixed.get("run_name")
    given = {**fixed, **drawn, "register": False, **({"run_name": f"{name}-{index}"} if name else {})}
    return parameters.resolve(given)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m trainer sweep", description=__doc__, allow_abbrev=False)
    made.add_argument("--num-runs", default="10", metavar="N", help="how many runs, 1 to 100 (default: 10)")
    made.add_argument("--strategy", default="random", choices=["random", "grid"])
    made.add_argument(
        "--seed", default="42", metavar="N", help="of the draws; each run trains with this plus its index"
    )
    made.add_argument(
        "--space",
        default="{}",
        metavar="JSON",
        help='parameter → values or range: {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": true}, "seed": [1, 2]}',
    )
    made.add_argument("--register-best", default="true", metavar="BOOL", help="register the best model (default: true)")
    parameters.add_flags(made, leave_out=frozenset({"seed", "register"}))
    return made


def _request(arguments: argparse.Namespace) -> SweepRequest:
    try:
        space = json.loads(arguments.space)
    except ValueError as error:
        raise ParameterError(f"--space: not JSON ({error})") from error
    values = {name: getattr(arguments, name) for name in OWN if name != "space"}
    try:
        # Lax for the text of flags, while the space keeps the API's own strictness of types.
        return SweepRequest.model_validate({**values, "space": space}, strict=False)
    except ValidationError as error:
        said = error.errors()[0]
        flag = "--" + str(said["loc"][0] if said["loc"] else "space").replace("_", "-")
        raise ParameterError(f"{flag}: {said['msg'][0].lower()}{said['msg'][1:]}, got {said['input']!r}") from error
