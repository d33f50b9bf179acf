"""The gate's check of a version that has answered callers already: its labels say how often it was right.

A version has labels if it was the challenger of a rollout, or was in a stage before. Without enough of them the check
says so and passes, because a version that nobody has seen cannot have any. `force` with a reason skips it.
"""

from collections.abc import Mapping

from mlops.domain.transition import GateResult
from mlops_contract import Task

LIVE_ACCURACY = "live_accuracy"


def check_live_accuracy(totals: Mapping[str, int], task: str, needed: float, least_labels: int) -> GateResult:
    """Compare the accuracy of a version's labels with what the model's settings ask for.

    Args:
        totals: What was counted over the version's life: `n` labels, of which `h` were right.
        task: What the version predicts, as in `mlops_contract.Task`.
        needed: The share of labels that must be right, 0 to 1 (`min_live_accuracy`).
        least_labels: Fewer labels say nothing.
    """
    if task != Task.CLASSIFICATION:
        return _result(True, "min_live_accuracy does not apply: the version predicts a quantity")
    labels = totals.get("n", 0)
    if labels < least_labels:
        return _result(True, f"not judged: {labels:,} labels of its own predictions, and {least_labels:,} are needed")
    accuracy = totals.get("h", 0) / labels
    detail = f"{accuracy:.1%} of {labels:,} labels are right, at least {needed:.1%} needed"
    if accuracy >= needed:
        return _result(True, detail)
    return _result(False, f"{detail} (min_live_accuracy); to promote it anyway, use force with a reason")


def _result(passed: bool, detail: str) -> GateResult:
    return GateResult(LIVE_ACCURACY, passed, detail, "metric")
