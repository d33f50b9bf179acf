"""The metric gate: a version must not be worse than the one that it replaces.

If the two cannot be compared, the gate refuses the version and says why. `force` with a reason skips the gate.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mlops.domain.transition import GateResult
from promotion.signature import Described, changes_for_callers

METRIC = "accuracy"
_REMEDY = "to promote it anyway, use force with a reason"


@dataclass(frozen=True)
class Contender:
    """A version as the gate compares it.

    Attributes:
        metrics: The metrics of its run.
        data: The digest of the data set that it was measured on; None if it is not known.
        described: Its inputs, columns and labels; None if they cannot be read.
    """

    metrics: Mapping[str, float]
    data: str | None
    described: Described | None


def check_metrics(challenger: Contender, champion: Contender | None, stage: str, margin: float) -> list[GateResult]:
    """Compare a version with the one that it replaces in `stage`; `champion` is None if it replaces none.

    Inputs and labels must be the same, and the accuracy on the same data set lower by at most `margin`.
    """
    if champion is None:
        return [_first(challenger, stage)]
    return [_signature(challenger, champion, stage), _metric(challenger, champion, stage, margin)]


def _first(challenger: Contender, stage: str) -> GateResult:
    detail = f"no other version is in {stage} to compare with"
    value = challenger.metrics.get(METRIC)
    if value is None:
        return _result("metric", True, f"{detail}; the run has no {METRIC}")
    if not _is_number(value):
        return _not_a_number(value)
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
    new, old = challenger.metrics.get(METRIC), champion.metrics.get(METRIC)
    if new is None:
        return _result("metric", False, f"not comparable: the run has no {METRIC}; log it, or {_REMEDY}")
    if not _is_number(new):
        return _not_a_number(new)
    if old is None:
        return _result("metric", False, f"not comparable: the version in {stage} has no {METRIC}; {_REMEDY}")
    if not _is_number(old):  # It does not say how good the version is, so it must not block others.
        return _result("metric", True, f"{METRIC} {new:.4f}; the version in {stage} has {old}, which is not a number")
    if challenger.data is None or challenger.data != champion.data:
        detail = f"not comparable: measured on another data set than the version in {stage}; {_REMEDY}"
        return _result("metric", False, detail)
    needed = old - margin
    detail = f"{METRIC} {new:.4f}, at least {needed:.4f} needed (the version in {stage} has {old:.4f})"
    return _result("metric", new >= needed, detail)


def _is_number(value: float) -> bool:
    """Return whether a metric can be compared. MLflow's database stores infinity as the largest float."""
    return abs(value) < sys.float_info.max


def _not_a_number(value: float) -> GateResult:
    detail = f"the run's {METRIC} is {value}: train again with other parameters, or {_REMEDY}"
    return _result("metric", False, detail)


def _result(check: str, passed: bool, detail: str) -> GateResult:
    return GateResult(check, passed, detail, "metric")
