"""The last step of a rollout: the transition to Production, the days of labels after it, and the way back.

The record names a transition before it is requested. So a process that dies in between requests it in the next minute.
Where somebody has to approve the transition, it is requested before the rollout begins, and waits for its turn after
that: the rollout and its last step have one approval.
"""

from collections.abc import Callable, Sequence

from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.promotion_queue import PromotionQueue, queue_again, request_transition, transition_message
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import NotFound
from mlops.domain.rollout.counts import Counts
from mlops.domain.rollout.guardrails import broken, findings
from mlops.domain.rollout.plan import DAY
from mlops.domain.rollout.rollout import Figure, Rollout, RolloutStatus
from mlops.domain.rollout.verdict import told
from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, TransitionStatus, new_transition_id


class LastStep:
    """Takes rollouts through their transitions. `time` returns the present time as the record has it."""

    def __init__(
        self,
        table: RolloutsTable,
        ends: OpenRollouts,
        transitions: TransitionsTable,
        queue: PromotionQueue,
        time: Callable[[], str],
    ) -> None:
        self._table, self._ends, self._transitions = table, ends, transitions
        self._queue, self._time = queue, time

    def begin(self, rollout: Rollout) -> Rollout | None:
        """Request the transition to Production. Return None if the rollout has changed meanwhile."""
        promoting = self._table.change(
            rollout,
            status=RolloutStatus.PROMOTING,
            transition_id=rollout.transition_id or new_transition_id(),
            note="the version goes to Production",
        )
        if promoting is not None and not self.go_on(promoting):
            self.request(promoting)
        return promoting

    def request(self, rollout: Rollout) -> None:
        """Request the transition to Production. Can be repeated."""
        reason = f"the last step of the rollout {rollout.rollout_id}"
        self._move(rollout, rollout.transition_id, rollout.version, reason, force=False)

    def go_on(self, rollout: Rollout) -> bool:
        """Let promotion go on with an approved transition to Production; False if none waits for that."""
        transition = self.of(rollout, rollout.transition_id)
        queued = self._transitions.go_on(transition) if transition is not None else None
        if queued is None:
            return False
        queue_again(self._queue, queued)
        return True

    def approved(self, rollout: Rollout, transition: Transition) -> bool:
        """Look at the transition of a rollout that waits for approval; True if it is approved."""
        if transition.status is TransitionStatus.AWAITING_ROLLOUT:
            return True
        if transition.status.has_ended:
            refused = transition.status is TransitionStatus.REJECTED
            note = f"it did not begin: {transition.error or f'the transition to Production was {transition.status}'}"
            self._ends.end(rollout, RolloutStatus.REJECTED if refused else RolloutStatus.FAILED, note)
        else:
            self._tell_whether_it_waits(rollout, transition)
        return False

    def has_let_go(self, rollout: Rollout) -> bool:
        """Let promotion end the transition to Production of a rollout that has ended without it; True if it has.

        The queue drops the same message within five minutes, so this can be repeated each minute.
        """
        transition = self.of(rollout, rollout.transition_id)
        if transition is None or transition.status.has_ended:
            return True
        message = transition_message(rollout.model_name, transition.transition_id, rollout.request_id)
        self._queue.send(message, f"{transition.transition_id}#{rollout.status}")
        return False

    def follow(self, rollout: Rollout) -> bool:
        """Look at the transition to Production; True if it has ended, and with it this step."""
        transition = self.of(rollout, rollout.transition_id)
        if transition is None:
            self.request(rollout)
            return False
        if transition.status is TransitionStatus.AWAITING_ROLLOUT:
            self.go_on(rollout)
            return False
        if not transition.status.has_ended:
            self._tell_whether_it_waits(rollout, transition)
            return False
        if transition.status is not TransitionStatus.SUCCEEDED:
            note = f"the transition to Production was {transition.status}: {transition.error or 'see its gates'}"
            self._ends.end(rollout, RolloutStatus.FAILED, note)
        elif rollout.plan.bake_days:
            self._ends.hide(rollout)
            note = "it is in Production; labels that come later can still bring the version before back"
            self._table.change(rollout, status=RolloutStatus.BAKING, phase_began_at=self._time(), note=note)
        else:
            self._ends.end(rollout, RolloutStatus.SUCCEEDED, f"version {rollout.version} is in Production")
        return True

    def bake(self, rollout: Rollout, phases: Sequence[Counts], change: str | None, minutes: float) -> None:
        """Look at the labels that have come since the version is in Production.

        Args:
            rollout: The rollout.
            phases: The counts of each phase.
            change: What is in Production instead of the version; None if it is there.
            minutes: For how long it has been there.
        """
        results = findings(rollout.plan.guardrails, phases, len(rollout.plan.weights))
        figures, worst = tuple(map(Figure.of, results)), broken(results)
        if change is not None:
            self._ends.end(rollout, RolloutStatus.SUCCEEDED, change, figures=figures)
        elif worst is not None:
            self._begin_return(rollout, figures, worst.guardrail, told(worst))
        elif minutes >= rollout.plan.bake_days * DAY:
            note = (
                f"version {rollout.version} is in Production, and its {rollout.plan.bake_days} days of labels are over"
            )
            self._ends.end(rollout, RolloutStatus.SUCCEEDED, note, figures=figures)
        else:
            self._table.change(rollout, figures=figures)

    def follow_return(self, rollout: Rollout) -> None:
        """Look at the transition that brings the version before back."""
        transition = self.of(rollout, rollout.rollback_id)
        if transition is None:
            self._request_return(rollout)
        elif not transition.status.has_ended:
            self._tell_whether_it_waits(rollout, transition)
        elif transition.status is TransitionStatus.SUCCEEDED:
            self._ends.end(rollout, RolloutStatus.ROLLED_BACK, _without_waiting(rollout, transition))
        else:
            refused = f"The rollback was {transition.status}: {transition.error or 'see its gates'}"
            self._ends.end(rollout, RolloutStatus.FAILED, f"{_without_waiting(rollout, transition)}. {refused}")

    def _tell_whether_it_waits(self, rollout: Rollout, transition: Transition) -> None:
        waits = transition.status is TransitionStatus.AWAITING_APPROVAL
        parts = (_without_waiting(rollout, transition), _waiting(transition) if waits else "")
        note = "; ".join(filter(None, parts))
        if note != (rollout.note or ""):
            self._table.change(rollout, note=note)

    def _begin_return(self, rollout: Rollout, figures: tuple[Figure, ...], guardrail: str, note: str) -> None:
        returning = self._table.change(
            rollout,
            status=RolloutStatus.RETURNING,
            rollback_id=new_transition_id(),
            broken=guardrail,
            figures=figures,
            note=note,
        )
        if returning is not None:
            self._request_return(returning)

    def of(self, rollout: Rollout, transition_id: str | None) -> Transition | None:
        """Return a transition of a rollout; None if it has none, or the process that wanted to request it has died."""
        try:
            return self._transitions.get(rollout.model_name, transition_id) if transition_id else None
        except NotFound:
            return None

    def _request_return(self, rollout: Rollout) -> None:
        """Request what a rollback is: the version before goes to Production again, without the metric gate."""
        reason = f"rolled back by the rollout {rollout.rollout_id}: {rollout.note}"
        self._move(rollout, rollout.rollback_id, rollout.champion, reason, force=True)

    def _move(self, rollout: Rollout, transition_id: str | None, version: int, reason: str, *, force: bool) -> None:
        transition = Transition(
            transition_id=str(transition_id),
            model_name=rollout.model_name,
            version=version,
            stage=Stage.PRODUCTION,
            actor=rollout.actor,
            actor_owner=rollout.actor_owner,
            actor_key=rollout.actor_key,
            reason=reason,
            force=force,
            request_id=rollout.request_id,
            rollout_id=rollout.rollout_id if transition_id == rollout.transition_id else None,
        )
        request_transition(self._transitions, self._queue, transition)


def _waiting(transition: Transition) -> str:
    return f"the transition {transition.transition_id} waits for an approval"


def _without_waiting(rollout: Rollout, transition: Transition) -> str:
    """Return the rollout's note without what it says while the transition waits for an approval."""
    return (rollout.note or "").removesuffix(_waiting(transition)).removesuffix("; ")
