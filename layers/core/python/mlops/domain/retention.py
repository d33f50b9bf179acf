"""Which versions the rules of a model's settings put into the bin."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from mlops.domain.model_settings import RetentionRules
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, TransitionStatus


def versions_due(
    rules: RetentionRules, stages: dict[int, Stage], registered: dict[int, str], transitions: Sequence[Transition]
) -> dict[int, str]:
    """Return the versions that the rules put into the bin, with the reason.

    Args:
        rules: The rules. A version goes if both say so; a rule that is not set has no objection.
        stages: The stages of the model's versions that are not in the bin.
        registered: When each of them was registered.
        transitions: All transitions of the model, the oldest first.
    """
    if rules.keep_versions is None and rules.archived_days is None:
        return {}
    newest = sorted(stages, reverse=True)[: rules.keep_versions or 0]
    due, reasons = set(stages) - set(newest), []
    if rules.keep_versions is not None:
        reasons.append(f"not among the newest {rules.keep_versions}")
    if rules.archived_days is not None:
        since = datetime.now(UTC) - timedelta(days=rules.archived_days)
        archived = [number for number, stage in stages.items() if stage is Stage.ARCHIVED]
        due &= {number for number in archived if _archived_at(number, registered[number], transitions) <= since}
        reasons.append(f"archived for {rules.archived_days} days")
    return {number: f"retention: {' and '.join(reasons)}" for number in sorted(due)}


def _archived_at(version: int, registered: str, transitions: Collection[Transition]) -> datetime:
    """Return when a version that is archived got there: by a transition of its own, or of the one that replaced it.

    If no transition says it, it counts from its registration.
    """
    moments = [
        str(transition.completed_at or transition.created_at)
        for transition in transitions
        if transition.status is TransitionStatus.SUCCEEDED
        and version in (transition.version, transition.replaced_version)
    ]
    return datetime.fromisoformat(max(moments, default=registered or "1970-01-01T00:00:00Z"))
