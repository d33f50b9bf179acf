"""Do a sweep on one machine: the runs of a Batch array job, one after the other in this process.

Each child's parameters follow from the seed of the sweep and its index (`mlops.domain.sweep`), as they do for the API;
those of a sweep that learns also from the children before (`search`). When one fails, the others go on. The best model
is registered once, at the end.
"""

import argparse
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import get_args

from pydantic import ValidationError

from mlops.api.schemas.sweeps import SweepRequest
from mlops.domain.job import Job, JobStatus
from mlops.domain.model_types import ModelType, ModelTypes, TaskUnknown
from mlops.domain.objective import Objective
from mlops.domain.sweep import Strategy, Sweep, child_parameters, chooses
from mlops.domain.training_data import known_task
from mlops.domain.training_request import Space
from trainer import invocation, job, models, search
from trainer.errors import FOR_USERS, ParameterError, Pruned
from trainer.job import Outcome
from trainer.log import log_event
from trainer.parameters import HyperparameterValue, Identity, Parameters, ParameterValue
from trainer.stop import Stop
from trainer.trial import Trial

OWN_FIELDS = ("num_runs", "strategy", "prune", "seed", "space", "register_best")


@dataclass(frozen=True)
class Child:
    """One run of the sweep; `outcome` is None if it failed or was pruned, `error` says why.

    `record` is what the other runs may know of it, and `by_validation` whether it is ranked on the rows for validation.
    """

    index: int
    parameters: Parameters
    outcome: Outcome | None = None
    error: str | None = None
    by_validation: bool = False
    record: Job = field(default_factory=lambda: Job(""))

    @property
    def objective(self) -> Objective | None:
        """What it is ranked by; None if it did not complete."""
        if self.outcome is None:
            return None
        return self.outcome.objective.on_validation if self.by_validation else self.outcome.objective


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
        prune=request.prune,
        space=request.space or _default_space(model_type, request.strategy, fixed),
        whole=model_type.whole_in_sweeps,
        ranks_by_validation=chooses(request.strategy, request.num_runs),
    )
    # What is wrong with one of them is said before the first one trains. Those that learn are decided then.
    planned = [] if plan.learns else [_child(plan, index, fixed) for index in range(plan.num_runs)]
    sweep_id = f"sweep_{secrets.token_hex(4)}"
    log_event("sweep.started", sweep_id=sweep_id, runs=plan.num_runs)
    children: list[Child] = []
    for index in range(plan.num_runs):
        asked = {} if planned else _asked(plan, index, children)
        parameters = planned[index] if planned else _child(plan, index, fixed, asked)
        child = Child(index, parameters, by_validation=plan.ranks_by_validation)
        children.append(_run(plan, child, asked, children, sweep_id, stop))
    done = ranked(children)
    for child in unranked(children):
        assert child.objective is not None
        log_event("sweep.unranked", index=child.index, reason=f"it has no finite {child.objective.name}")
    for place, child in enumerate(done, start=1):
        outcome, params = _outcome(child), models.run_params(child.parameters)
        log_event("sweep.ranked", place=place, run_id=outcome.run_id, **outcome.metrics, params=params)
    for child in children:
        if child.error:
            event = "sweep.pruned_run" if child.record.status is JobStatus.PRUNED else "sweep.failed_run"
            log_event(event, index=child.index, reason=child.error, params=models.run_params(child.parameters))
    if not done:
        return 1
    version = None
    if request.register_best:
        best = done[0]
        version = job.register(best.parameters, _outcome(best))
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
    return child.objective.score(child.outcome.metrics) if child.objective and child.outcome else None


def _outcome(child: Child) -> Outcome:
    assert child.outcome is not None
    return child.outcome


def _asked(plan: Sweep, index: int, before: Sequence[Child]) -> dict[str, HyperparameterValue]:
    objective = next((child.objective for child in before if child.objective), None)
    return search.ask(plan, index, [child.record for child in before], objective)


def _run(
    plan: Sweep,
    child: Child,
    asked: Mapping[str, HyperparameterValue],
    before: Sequence[Child],
    sweep_id: str,
    stop: Stop,
) -> Child:
    record = Job(plan.job_id(child.index), asked=asked)
    others = [each.record for each in before]
    trial = Trial(record.job_id, plan.prune, lambda _: others, plan.job_ids) if plan.ranks_by_validation else None
    outcome, error, status = None, None, JobStatus.COMPLETED
    try:
        outcome = job.run(child.parameters, Identity(sweep_id=sweep_id), stop, trial)
    except FOR_USERS as failure:
        error, status = str(failure), JobStatus.FAILED
    except Pruned as pruned:
        error, status = str(pruned), JobStatus.PRUNED
    metrics = outcome.metrics if outcome else {}
    record = replace(record, status=status, metrics=metrics, curve=(trial and trial.curve) or {})
    return replace(child, outcome=outcome, error=error, record=record)


def _child(
    plan: Sweep, index: int, fixed: dict[str, str], asked: Mapping[str, HyperparameterValue] = MappingProxyType({})
) -> Parameters:
    try:
        drawn = {**child_parameters(plan, index), **asked}
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
    flags.add_argument("--strategy", default="random", choices=get_args(Strategy))
    flags.add_argument("--prune", default="false", metavar="BOOL", help="end bad runs early (default: false)")
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
