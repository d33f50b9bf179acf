"""For how long a version is protected because a rollback can bring it back."""

from collections.abc import Sequence
from datetime import UTC, datetime

from mlops.domain.bin import KEPT
from mlops.domain.stages import Stage
from mlops.domain.timestamps import text_of
from mlops.domain.transition import Transition, TransitionStatus
from mlops.domain.transition_history import rollback_targets


def protected_until(transitions: Sequence[Transition], present: int | None) -> dict[int, str]:
    """Return until when versions that a rollback can bring back are protected: 30 days after they left Production.

    Args:
        transitions: All transitions of the model, the oldest first.
        present: The version in Production.

    Returns:
        The end of the protection by version, for those where it has not ended yet.
    """
    done = [transition for transition in transitions if transition.status is TransitionStatus.SUCCEEDED]
    productions = [transition for transition in done if transition.stage is Stage.PRODUCTION]
    ends = {number: _left_at(done, number) + KEPT for number in rollback_targets(productions, present)}
    return {number: text_of(end) for number, end in ends.items() if end > datetime.now(UTC)}


def _left_at(done: Sequence[Transition], version: int) -> datetime:
    """Return when a version left Production for the last time, as far as the history says; now, if it does not."""
    last = max(
        index
        for index, transition in enumerate(done)
        if transition.version == version and transition.stage is Stage.PRODUCTION
    )
    for transition in done[last + 1 :]:
        if transition.version == version or transition.stage is Stage.PRODUCTION:
            return datetime.fromisoformat(str(transition.completed_at or transition.created_at))
    return datetime.now(UTC)
