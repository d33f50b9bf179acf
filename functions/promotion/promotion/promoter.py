"""Carry out the messages of the promotion queue: which transitions a message ends, and how each ends.

Open transitions of the model that were requested before the message's own one come first. So the order is kept even if
a message was lost, or moved to the dead-letter queue in an outage.
"""

import os
from datetime import UTC, datetime, timedelta
from functools import cache

from aws_lambda_powertools import Logger

from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.eventbridge import Events
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.model_history import ModelHistory
from mlops.aws.open_rollouts import OpenRollouts
from mlops.aws.promotion_queue import CACHE_EPOCH, PromotionMessage
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.approval import has_expired
from mlops.domain.errors import DependencyUnavailable, PlatformError
from mlops.domain.stages import ALIASES
from mlops.domain.timestamps import now
from mlops.domain.transition import Gates, Transition, TransitionKind, TransitionStatus
from mlops.registry.rest import Tracking
from promotion.alias_repair import AliasRepair, entry_id
from promotion.archive_tags import ArchiveTags
from promotion.consent import AwaitingApproval, AwaitingRollout
from promotion.conversion import Converting
from promotion.dependencies import Dependencies
from promotion.gate import GateSettings
from promotion.outages import outages
from promotion.reexamination import Reexamination
from promotion.rejection import Rejected
from promotion.serving_store import ServingStore
from promotion.transition_executor import TransitionExecutor

GIVE_UP_AFTER = timedelta(hours=24)

logger = Logger(child=True)


class Promoter:
    """Carries out messages.

    Args:
        dependencies: What a transition needs.
        events: Announces transitions that have ended.
        max_tries: How often a transition may fail with an unexpected error, or end the process.
    """

    def __init__(self, dependencies: Dependencies, events: Events, max_tries: int = 3) -> None:
        self._events, self._max_tries = events, max_tries
        self._transitions, self._serving = dependencies.transitions, dependencies.serving
        self._history, self._rollouts = dependencies.history, dependencies.rollouts
        self._executor = TransitionExecutor(dependencies)
        self._repair = AliasRepair(dependencies, self._executor)
        self._reexamination = Reexamination(dependencies)

    @classmethod
    def from_environment(cls) -> "Promoter":
        return _promoter()

    def handle(self, message: PromotionMessage) -> None:
        """Carry out one message of the queue.

        Raises:
            DependencyUnavailable: A service does not answer. The transition stays queued, and the message comes again.
            Exception: An unexpected error. After the last try the transition ends as failed, and the message goes to
            the dead-letter queue.
        """
        with outages():
            kind, model_name, until = message["kind"], message["model_name"], message["transition_id"]
            if kind == CACHE_EPOCH:
                self._serving.raise_cache_epoch(model_name, message["stage"], until)
            elif kind == TransitionKind.REPAIR:
                self._repair_aliases(model_name, until)
            elif kind == TransitionKind.TRANSITION:
                self._end_all(model_name, until)
                self._end(model_name, until)
            else:
                raise ValueError(f"there is no kind of message {kind!r}")

    def _repair_aliases(self, model_name: str, message_id: str) -> None:
        """What is under way explains some differences, an earlier delivery of this message included, so it is ended
        first; whatever differs then is entered and ended, too. What serves after that is examined, where it is due."""
        last, entries = entry_id(message_id, "~"), [entry_id(message_id, alias) for alias in ALIASES.values()]
        self._end_all(model_name, last, certain=entries)
        if self._repair.record(model_name, message_id):
            self._end_all(model_name, last, certain=entries)
        self._repair.mirror(model_name)
        self._reexamination.examine(model_name)

    def _end_all(self, model_name: str, until: str, certain: list[str] | None = None) -> None:
        """End the open transitions up to `until`, and those of `certain`, which the index may not have yet."""
        ids = {
            transition.transition_id
            for transition in self._transitions.still_open(model_name, until)
            if not transition.status.waits_for_days
        }
        for transition_id in certain or []:
            if self._transitions.exists(model_name, transition_id):
                ids.add(transition_id)
        for transition_id in sorted(ids - {until}):
            self._end(model_name, transition_id)

    def _end(self, model_name: str, transition_id: str) -> None:
        transition = self._transitions.begin(model_name, transition_id)
        rejection = next((decision for decision in transition.decisions if not decision.approved), None)
        if transition.status.has_ended:
            self._announce(transition)
        elif (over := self._over(transition)) is not None:
            self._finish(transition, TransitionStatus.REJECTED, over)
        elif transition.status is TransitionStatus.AWAITING_APPROVAL:
            self._wait(transition)
        elif transition.status is TransitionStatus.AWAITING_ROLLOUT:
            self._transitions.note(transition, tries=0)
        elif rejection is not None:
            comment = f": {rejection.comment}" if rejection.comment else ""
            error = f"Rejected by {rejection.name} ({rejection.owner}){comment}"
            self._finish(transition, TransitionStatus.REJECTED, error)
        elif transition.tries > self._max_tries:
            # The process ended before the transition did: out of memory or time.
            error = (
                f"Promotion ran out of memory or time {self._max_tries} times: register a smaller model, or search "
                "promotion's log for the id of this transition"
            )
            self._finish(transition, TransitionStatus.FAILED, error)
        else:
            self._try(transition)

    def _try(self, transition: Transition) -> None:
        part = self._repair if transition.kind is TransitionKind.REPAIR else self._executor
        try:
            with outages():
                gates = part.execute(transition)
        except Converting:
            # Waiting does not count as a try.
            self._transitions.note(transition, status=TransitionStatus.CONVERTING, tries=transition.tries - 1)
            logger.info("transition waits for a conversion", transition_id=transition.transition_id)
        except AwaitingApproval as waiting:
            self._hold(transition, waiting)
        except AwaitingRollout as held:
            self._transitions.note(transition, status=TransitionStatus.AWAITING_ROLLOUT, gates=held.gates, tries=0)
        except Rejected as rejection:
            self._finish(transition, TransitionStatus.REJECTED, rejection.reason, rejection.gates)
        except DependencyUnavailable as outage:
            if not _too_old(transition):
                # An outage does not count as a try.
                self._transitions.note(transition, tries=transition.tries - 1)
                raise
            self._finish(transition, TransitionStatus.FAILED, f"Given up after 24 hours: {outage.detail}")
        except PlatformError as refusal:
            self._finish(transition, self._refused(transition), refusal.detail)
        except Exception:
            logger.exception("transition failed", transition_id=transition.transition_id)
            if transition.tries >= self._max_tries:
                error = "Unexpected error: search promotion's log for the id of this transition"
                self._finish(transition, TransitionStatus.FAILED, error)
            raise
        else:
            self._finish(transition, TransitionStatus.SUCCEEDED, gates=gates)

    def _hold(self, transition: Transition, waiting: AwaitingApproval) -> None:
        """Note what is to be decided. Other transitions of the model go on; what this one replaces is decided again."""
        noted = self._transitions.note(
            transition,
            status=TransitionStatus.AWAITING_APPROVAL,
            binding=waiting.binding,
            gates=waiting.seen.gates,
            approvals_needed=waiting.needed,
            comparison=waiting.seen.comparison,
            decisions=(),
            void=waiting.void,
            waiting_since=now(),
        )
        self._wait(noted)

    def _wait(self, transition: Transition) -> None:
        """Tell, once, that the transition waits; end it if it has waited for too long."""
        since = str(transition.waiting_since)
        if has_expired(since):
            self._finish(transition, TransitionStatus.REJECTED, f"Nobody has decided since {since}; request it again")
            return
        if transition.announced_waiting != since:
            owners = self._history.settings(transition.model_name).settings.owners
            self._events.approval_requested(transition, owners)
        self._transitions.note(transition, announced_waiting=since, tries=0)

    def _over(self, transition: Transition) -> str | None:
        """Return why there is nothing to move any more: its rollout has ended; None if it goes on, or is none's."""
        if transition.sha256 is not None:  # its version may be half moved
            return None
        rollout = self._rollouts.of(transition)
        if rollout is None or not rollout.status.has_ended:
            return None
        return f"The rollout {rollout.rollout_id} has ended before its last step: {rollout.note or rollout.status}"

    def _refused(self, transition: Transition) -> TransitionStatus:
        """Return rejected if nothing has changed; after the admission the alias may have moved, which is failed."""
        now = self._transitions.get(transition.model_name, transition.transition_id)
        return TransitionStatus.REJECTED if now.sha256 is None else TransitionStatus.FAILED

    def _finish(
        self, transition: Transition, status: TransitionStatus, error: str | None = None, gates: Gates | None = None
    ) -> None:
        self._transitions.finish(transition, status, error=error, gates=gates)
        name, transition_id = transition.model_name, transition.transition_id
        logger.info("transition ended", transition_id=transition_id, status=status, model=name)
        self._announce(self._transitions.get(name, transition_id))

    def _announce(self, transition: Transition) -> None:
        """Add the outcome to the history, and publish it on EventBridge. The transition stays open until then."""
        if transition.open:
            self._history.ended(transition)
            self._events.transition_ended(transition)
            self._transitions.close(transition)


def _too_old(transition: Transition) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(transition.since) > GIVE_UP_AFTER


@cache
def _promoter() -> Promoter:
    dependencies = Dependencies(
        Tracking.from_environment(),
        TransitionsTable.from_environment(),
        ServingStore.from_environment(),
        ArchiveTags.from_environment(),
        GateSettings.from_environment(),
        ConversionJobs.from_environment(),
        OpenRollouts.from_environment(),
        ModelHistory.from_environment(),
        FeedbackTable.from_environment().totals,
    )
    return Promoter(dependencies, Events.from_environment(), int(os.environ["MAX_RECEIVES"]))
