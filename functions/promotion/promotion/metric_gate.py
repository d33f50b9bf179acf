"""The metric gate: a version must not be worse than the one that it replaces.

If the two cannot be compared, the gate refuses the version and says why. `force` with a reason skips the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mlops.domain.objective import ACCURACY, Direction, Objective, is_finite
from mlops.domain.transition import GateResult
from mlops_contract import Task
from promotion.signature import Described, changes_for_callers

_REMEDY = "to promote it anyway, use force with a reason"
_NO_DIRECTION = (
    "the version's tag objective names a metric of its own, and its tag direction is neither maximise nor minimise: "
    "set it"
)


@dataclass(frozen=True)
class Contender:
    """A version as the gate compares it.

    Attributes:
        metrics: The metrics of its run.
        data: The digest of the data set that it was measured on; None if it is not known.
        described: Its inputs, columns and labels; None if they cannot be read.
        objective: The metric that says how good it is; None if its direction is not known.
        task: What it predicts, as in `mlops_contract.Task`.
    """

    metrics: Mapping[str, float]
    data: str | None
    described: Described | None
    objective: Objective | None = ACCURACY
    task: str = Task.CLASSIFICATION


def check_metrics(challenger: Contender, champion: Contender | None, stage: str, margin: float) -> list[GateResult]:
    """Compare a version with the one that it replaces in `stage`; `champion` is None if it replaces none.

    Inputs and labels must be the same, and the objective on the same data set worse by at most `margin`. For a metric
    whose size depends on the data, such as rmse, `margin` is a share of its value.
    """
    if champion is None:
        return [_first(challenger, stage)]
    return [_signature(challenger, champion, stage), _metric(challenger, champion, stage, margin)]


def _first(challenger: Contender, stage: str) -> GateResult:
    detail = f"no other version is in {stage} to compare with"
    if challenger.objective is None:
        return _result("metric", True, f"{detail}; {_NO_DIRECTION}")
    name = challenger.objective.name
    value = challenger.metrics.get(name)
    if value is None:
        return _result("metric", True, f"{detail}; the run has no {name}")
    if not is_finite(value):
        return _not_a_number(name, value)
    return _result("metric", True, detail)


def _signature(challenger: Contender, champion: Contender, stage: str) -> GateResult:
    """Check that the version takes what callers send, and that its labels are the same: they need no change."""
    new, old = challenger.described, champion.described
    if new is None or old is None:
        detail = f"not comparable: the manifest of {stage} is missing or cannot be read; {_REMEDY}"
        return _result("signature", False, detail)
    if changes := changes_for_callers(new, old, stage):
        return _result("signature", False, f"{changes}: callers would have to change; {_REMEDY}")
    return _result("signature", True, f"it takes the inputs of the version in {stage}, and has the same labels")


def _metric(challenger: Contender, champion: Contender, stage: str, margin: float) -> GateResult:
    objective = challenger.objective
    if objective is None:
        return _result("metric", False, f"not comparable: {_NO_DIRECTION}, or {_REMEDY}")
    if (objective, challenger.task) != (champion.objective, champion.task):
        return _another_objective(challenger, champion, stage)
    name = objective.name
    new, old = challenger.metrics.get(name), champion.metrics.get(name)
    if new is None:
        return _result("metric", False, f"not comparable: the run has no {name}; log it, or {_REMEDY}")
    if not is_finite(new):
        return _not_a_number(name, new)
    if old is None:
        return _result("metric", False, f"not comparable: the version in {stage} has no {name}; {_REMEDY}")
    if not is_finite(old):  # It does not say how good the version is, so it must not block others.
        return _result("metric", True, f"{name} {new:.4f}; the version in {stage} has {old}, which is not a number")
    if challenger.data is None or challenger.data != champion.data:
        detail = f"not comparable: measured on another data set than the version in {stage}; {_REMEDY}"
        return _result("metric", False, detail)
    limit = objective.limit(old, margin)
    return _result("metric", objective.reaches(new, limit), _compared(objective, new, old, limit, margin, stage))


def _another_objective(challenger: Contender, champion: Contender, stage: str) -> GateResult:
    """Return the refusal of a version that is measured in another way than the one in `stage`."""
    if challenger.task != champion.task:
        reason = f"the version does {challenger.task}, and the one in {stage} {champion.task}"
    else:
        reason = f"the objective is {_phrase(challenger)}, and that of the version in {stage} is {_phrase(champion)}"
    return _result("metric", False, f"not comparable: {reason}; {_REMEDY}")


def _phrase(contender: Contender) -> str:
    objective = contender.objective
    return f"to {objective.direction} {objective.name}" if objective else "not known"


def _compared(objective: Objective, new: float, old: float, limit: float, margin: float, stage: str) -> str:
    digits = ".4f" if objective.is_share else ".6g"
    bound = "at least" if objective.direction is Direction.MAXIMISE else "at most"
    share = "" if objective.is_share else f", and the margin is {margin:.4g} times that"
    return (
        f"{objective.name} {new:{digits}}, {bound} {limit:{digits}} needed "
        f"(the version in {stage} has {old:{digits}}{share})"
    )


def _not_a_number(name: str, value: float) -> GateResult:
    detail = f"the run's {name} is {value}: train again with other parameters, or {_REMEDY}"
    return _result("metric", False, detail)


def _result(check: str, passed: bool, detail: str) -> GateResult:
    return GateResult(check, passed, detail, "metric")
