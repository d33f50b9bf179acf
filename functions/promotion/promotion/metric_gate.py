"""The metric gate: a version must not be worse than the one that it replaces.

If the two cannot be compared, the gate refuses the version and says why. `force` with a reason skips the gate.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mlops.domain.manifest import ModelInput
from mlops.domain.transition import GateResult

METRIC = "accuracy"
_REMEDY = "to promote it anyway, use force with a reason"
_LONGEST_LABELS = 200


class Described(Protocol):
    """The description of a model, which a file and a manifest both have."""

    @property
    def input(self) -> ModelInput: ...

    @property
    def labels(self) -> tuple[int | str, ...]: ...


@dataclass(frozen=True)
class Contender:
    """A version as the gate compares it.

    Attributes:
        metrics: The metrics of its run.
        data: The digest of the data set that it was measured on; None if it is not known.
        described: Its inputs and labels; None if they cannot be read.
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
    """Check that inputs and labels are the same, so that callers need no change."""
    new, old = challenger.described, champion.described
    if new is None or old is None:
        detail = f"not comparable: the manifest of {stage} is missing or cannot be read; {_REMEDY}"
        return _result("signature", False, detail)
    changes = []
    if new.input.features != old.input.features:
        changes.append(f"{new.input.features} features, and the version in {stage} has {old.input.features}")
    if new.input.image != old.input.image:
        changes.append(f"images of {_size(new.input)}, and the version in {stage} has {_size(old.input)}")
    if new.labels != old.labels:
        changes.append(f"the labels {_listed(new.labels)}, and the version in {stage} has {_listed(old.labels)}")
    if changes:
        return _result("signature", False, f"{'; '.join(changes)}: callers would have to change; {_REMEDY}")
    return _result("signature", True, f"the same inputs and labels as the version in {stage}")


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


def _size(model_input: ModelInput) -> str:
    return "×".join(map(str, model_input.image)) if model_input.image else "no size"


def _listed(labels: tuple[int | str, ...]) -> str:
    text = ", ".join(map(repr, labels))
    return text if len(text) <= _LONGEST_LABELS else f"{text[:_LONGEST_LABELS]}… ({len(labels)})"


def _result(check: str, passed: bool, detail: str) -> GateResult:
    return GateResult(check, passed, detail, "metric")
