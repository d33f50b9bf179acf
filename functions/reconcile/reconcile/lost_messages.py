"""Find transitions without a message: it was never sent, or an outage moved it to the dead-letter queue."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops.aws.promotion_queue import PromotionQueue, transition_message
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.approval import has_expired
from mlops.domain.transition import Transition, TransitionStatus
from mlops.settings import Settings

GIVE_UP_AFTER = timedelta(hours=25)
"""An hour longer than promotion tries. Then promotion has recorded the transition as failed."""


@dataclass(frozen=True)
class ResendSettings(Settings):
    """Settings: the message of an open transition is sent again after `resend_seconds`."""

    resend_seconds: int = 300


class LostMessages:
    def __init__(self, settings: ResendSettings, transitions: TransitionsTable, queue: PromotionQueue) -> None:
        self._wait = timedelta(seconds=settings.resend_seconds)
        self._transitions, self._queue = transitions, queue

    @classmethod
    def from_environment(cls) -> "LostMessages":
        return cls(
            ResendSettings.from_environment(), TransitionsTable.from_environment(), PromotionQueue.from_environment()
        )

    def look(self) -> list[str]:
        """Send the messages that are due, in the order of the requests, and return their deduplication ids."""
        sent = []
        moment = datetime.now(UTC)
        for transition in self._transitions.still_open():
            if self._due(transition, moment) and self._transitions.resent(transition):
                # The queue drops an id that it has seen within five minutes, so each sending has a new one.
                deduplication_id = f"{transition.transition_id}#{transition.resends + 1}"
                name, identifier = transition.model_name, transition.transition_id
                self._queue.send(transition_message(name, identifier, transition.request_id), deduplication_id)
                sent.append(deduplication_id)
        return sent

    def _due(self, transition: Transition, moment: datetime) -> bool:
        if transition.status is TransitionStatus.AWAITING_APPROVAL:
            return _is_overdue(transition)
        if transition.status is TransitionStatus.AWAITING_ROLLOUT:  # the function rollout lets it go on
            return False
        since = datetime.fromisoformat(transition.since)
        last = max(since, datetime.fromisoformat(transition.resent_at or transition.since))
        return moment - last >= self._wait and moment - since < GIVE_UP_AFTER


def _is_overdue(transition: Transition) -> bool:
    """Return whether promotion has to end a transition that waits for approval, or to tell that it does."""
    since = str(transition.waiting_since)
    return has_expired(since) or transition.announced_waiting != since
