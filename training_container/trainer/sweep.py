"""Do a sweep on one machine: the runs of a Batch array job, one after the other in this process.

Each child's parameters follow from the seed of the sweep and its index (`mlops.domain.sweep`), as they do for the API.
When one fails, the others go on. The best model is registered once, at the end.
"""

import argparse
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from mlops.api.schemas.sweeps import SweepRequest
from mlops.domain.model_types import ModelType, ModelTypes, TaskUnknown
from mlops.domain.sweep import Sweep, child_parameters
from mlops.domain.training_data import known_task
from mlops.domain.training_request import Space
from trainer import invocation, job, models
from trainer.errors import FOR_USERS, ParameterError
from trainer.job import Outcome
from trainer.log import log_event
from trainer.parameters import Identity, Parameters, ParameterValue
from trainer.stop import Stop

OWN_FIELDS = ("num_runs", "strategy", "seed", "space", "register_best")


@dataclass(frozen=True)
class Child:
    """One run of the sweep; `outcome` is None if it failed, `error` says why."""

    index: int
    params: dict[str, ParameterValue]
    outcome: Outcome | None = None
    error: str | None = None


def main(argv: Sequence[str], stop: Stop) -> int:
    """`python -m trainer sweep`: run, rank, register the best. 0 if any child succeeded.

    Raises:
        ParameterError: names the bad parameter.
        Interrupted: between or within children.
    """
    arguments = _parser().parse_args(argv)
    fixed = invocation.given(arguments, os.environ)
    request = _request(arguments)
    model_type = _model_type(fixed)
    plan = Sweep(
        strategy=request.strategy,
        seed=request.seed,
        num_runs=request.num_runs,
        space=request.space or _default_space(model_type, request.strategy, fixed),
        whole=tuple(sorted(model_type.whole)),
    )
    planned = [_child(plan, index, fixed) for index in range(plan.num_runs)]
    sweep_id = f"sweep_{secrets.token_hex(4)}"
    log_event("sweep.started", sweep_id=sweep_id, runs=len(planned))
    children = [_run(index, child, sweep_id, stop) for index, child in enumerate(planned)]
    done = ranked(children)
    for child in unranked(children):
        log_event("sweep.unranked", index=child.index, reason=f"it has no finite {_outcome(child).objective.name}")
    for place, child in enumerate(done, start=1):
        log_event(
            "sweep.ranked", place=place, run_id=_outcome(child).run_id, **_outcome(child).metrics, params=child.params
        )
    for child in children:
        if child.error:
            log_event("sweep.failed_run", index=child.index, reason=child.error, params=child.params)
    if not done:
        return 1
    version = None
    if request.register_best:
        best = done[0]
        version = job.register(planned[best.index], _outcome(best))
    log_event("sweep.completed", sweep_id=sweep_id, run_id=_outcome(done[0]).run_id, model_version=version)
    return 0


def _default_space(model_type: ModelType, strategy: str, fixed: Mapping[str, str]) -> Space:
    dataset = fixed.get("dataset", Parameters.model_fields["dataset"].default)
    try:
        return model_type.default_space(strategy, known_task(dataset, fixed.get("task")))
    except TaskUnknown as error:
        raise ParameterError(f"--task: {error}") from error


def _model_type(fixed: Mapping[str, str]) -> ModelType:
    """Return the model type of the sweep, as the API knows it."""
    name = fixed.get("model_type", Parameters.model_fields["model_type"].default)
    (document,) = ModelTypes.model_validate(models.catalogue([name])).model_types
    return document


def ranked(children: Sequence[Child]) -> list[Child]:
    """The children that succeeded and have their objective, the best first; of equals the earlier."""
    scores = {child.index: score for child in children if (score := _score(child)) is not None}
    return sorted((child for child in children if child.index in scores), key=lambda child: -scores[child.index])


def unranked(children: Sequence[Child]) -> list[Child]:
    """The children that succeeded, but lack their objective."""
    return [child for child in children if child.outcome and _score(child) is None]


def _score(child: Child) -> float | None:
    return child.outcome.objective.score(child.outcome.metrics) if child.outcome else None


def _outcome(child: Child) -> Outcome:
    assert child.outcome is not None
    return child.outcome


def _run(index: int, parameters: Parameters, sweep_id: str, stop: Stop) -> Child:
    params = models.run_params(parameters)
    try:
        return Child(index, params, outcome=job.run(parameters, Identity(sweep_id=sweep_id), stop))
    except FOR_USERS as error:
        return Child(index, params, error=str(error))


def _child(plan: Sweep, index: int, fixed: dict[str, str]) -> Parameters:
    try:
        drawn = child_parameters(plan, index)
    except IndexError as error:
        raise ParameterError(f"--num-runs: {error}") from error
    name = fixed.get("run_name")
    values: dict[str, ParameterValue] = {
        **fixed,
        "register": False,
        **({"run_name": f"{name}-{index}"} if name else {}),
    }
    return invocation.resolve(values, drawn)


def _parser() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(prog="python -m trainer sweep", description=__doc__, allow_abbrev=False)
    flags.add_argument("--num-runs", default="10", metavar="N", help="number of runs, 1 to 100 (default: 10)")
    flags.add_argument("--strategy", default="random", choices=["random", "grid"])
    flags.add_argument(
        "--seed", default="42", metavar="N", help="seed of the draws; each run trains with this seed plus its index"
    )
    flags.add_argument(
        "--space",
        default="{}",
        metavar="JSON",
        help='values or ranges: {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": true}, "seed": [1, 2]}',
    )
    flags.add_argument(
        "--register-best", default="true", metavar="BOOL", help="register the model of the best run (default: true)"
    )
    invocation.add_flags(flags, leave_out=frozenset({"seed", "register"}))
    return flags


def _request(arguments: argparse.Namespace) -> SweepRequest:
    try:
        space = json.loads(arguments.space)
    except ValueError as error:
        raise ParameterError(f"--space: not JSON ({error})") from error
    values = {name: getattr(arguments, name) for name in OWN_FIELDS if name != "space"}
    try:
        # Lax for the text of flags, while the space keeps the API's own strictness of types.
        return SweepRequest.model_validate({**values, "space": space}, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + str(first["loc"][0] if first["loc"] else "space").replace("_", "-")
        raise ParameterError(f"{flag}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}") from error
