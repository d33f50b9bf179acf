"""Approve or reject a transition that waits. Promotion carries out what was decided."""

import logging
from dataclasses import asdict

from mlops.aws.model_history import ModelHistory
from mlops.aws.promotion_queue import PromotionQueue, queue_again
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.access import Caller, require, require_name
from mlops.domain.approval import Decision, has_expired, require_another, require_first
from mlops.domain.errors import Conflict, DependencyUnavailable
from mlops.domain.history import APPROVAL
from mlops.domain.transition import Transition, TransitionStatus

logger = logging.getLogger(__name__)


class Decisions:
    def __init__(self, transitions: TransitionsTable, history: ModelHistory, queue: PromotionQueue) -> None:
        self._transitions, self._history, self._queue = transitions, history, queue

    @classmethod
    def from_environment(cls) -> "Decisions":
        return cls(
            TransitionsTable.from_environment(), ModelHistory.from_environment(), PromotionQueue.from_environment()
        )

    def decide(self, transition: Transition, caller: Caller, *, approved: bool, comment: str | None) -> Transition:
        """Record a decision, and queue the transition if it is the last one; return its record.

        Raises:
            Forbidden: The caller's role or models do not allow it, or the caller has asked for the transition.
            Conflict: The transition does not wait, or others have decided just now.
            DependencyUnavailable: The table does not answer.
        """
        transition_id = transition.transition_id
        require(caller, "approve", "a decision about a transition")
        require_name(caller, transition.model_name)
        if transition.status is not TransitionStatus.AWAITING_APPROVAL or transition.waiting_since is None:
            raise Conflict(f"{transition_id} is {transition.status}; only what waits for approval can be decided")
        if has_expired(transition.waiting_since):
            raise Conflict(
                f"{transition_id} has waited since {transition.waiting_since}, and is over; request it again"
            )
        require_another(caller, transition.actor, transition.actor_owner, transition.actor_key)
        require_first(caller, transition.decisions)
        decision = Decision.of(caller, approved, comment)
        decided = self._transitions.decide(transition, decision)
        if decided is None:
            raise Conflict(f"{transition_id} was decided or changed by somebody else just now; look at it again")
        if decided.status is TransitionStatus.QUEUED:
            queue_again(self._queue, decided)
        self._record(decided, decision)
        return decided

    def _record(self, transition: Transition, decision: Decision) -> None:
        detail = {
            "transition_id": transition.transition_id,
            "version": transition.version,
            "stage": transition.stage,
            "rollout_id": transition.rollout_id,
            "decision": asdict(decision),
            "binding": asdict(transition.binding) if transition.binding else None,
        }
        entry_id = f"{transition.transition_id}#{decision.key_id}#{decision.at}"
        try:
            self._history.append(transition.model_name, APPROVAL, entry_id, detail)
        except DependencyUnavailable:
            # The decision stands, and the entry of the outcome has it too.
            logger.warning("no entry of a decision about %s", transition.transition_id)
