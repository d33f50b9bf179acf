"""Check a request against the registry, record it and queue it. Promotion carries it out."""

import time
from functools import cache
from typing import Any

from mlops.api.auth import Caller
from mlops.api.schemas.transitions import TransitionRequest
from mlops.aws.model_history import ModelHistory
from mlops.aws.promotion_queue import PromotionQueue, request_transition
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.bin import in_bin
from mlops.domain.errors import Conflict, NotFound, TransitionNotAllowed, ValidationFailed
from mlops.domain.stages import ALIASES, Stage, allowed_from, refusal
from mlops.domain.transition import Transition, TransitionStatus, new_transition_id
from mlops.domain.transition_history import rollback_targets
from mlops.registry.rest import Tracking

POLL_SECONDS = 0.1


class TransitionRequests:
    def __init__(
        self, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue, history: ModelHistory
    ) -> None:
        self._tracking, self._transitions, self._queue, self._history = tracking, transitions, queue, history

    @classmethod
    def from_environment(cls) -> "TransitionRequests":
        return _transition_requests()

    def needs_approval(self, request: TransitionRequest) -> bool:
        """Return whether somebody else has to approve a transition. Raises DependencyUnavailable."""
        if Stage(request.stage) not in ALIASES:
            return False
        settings = self._history.settings(request.model_name).settings
        return settings.approvals_for(request.stage, request.force) > 0

    def move(self, request: TransitionRequest, caller: Caller, request_id: str) -> dict[str, Any]:
        """Request a transition, and return its id and the model's name.

        Raises:
            NotFound: There is no such model or version.
            Conflict: The version is in the bin.
            TransitionNotAllowed: The lifecycle does not allow the step.
            ValidationFailed: `force` has no reason.
            DependencyUnavailable: MLflow or the table does not answer.
        """
        if request.force and not request.reason:
            raise ValidationFailed(
                "reason: force needs a reason, which is kept in the history",
                errors=[{"field": "reason", "message": "force needs a reason"}],
            )
        return self._queue_up(
            Transition(
                transition_id=new_transition_id(),
                model_name=request.model_name,
                version=request.version,
                stage=Stage(request.stage),
                reason=request.reason,
                force=request.force,
                actor=caller.name,
                actor_owner=caller.owner,
                actor_key=caller.key_id,
                request_id=request_id,
            )
        )

    def roll_back(self, model_name: str, reason: str | None, caller: Caller, request_id: str) -> dict[str, Any]:
        """Request the rollback to the version that was in Production before; if none is now, to the last one that was.

        Raises:
            NotFound: There is no such model.
            Conflict: No earlier version is left: there was none, it was deleted, or it was rolled back from; or the
                version is in the bin.
            DependencyUnavailable: MLflow or the table does not answer.
        """
        present = self._tracking.model(model_name).holder(Stage.PRODUCTION)
        version = self._version_before(model_name, present)
        return self._queue_up(
            Transition(
                transition_id=new_transition_id(),
                model_name=model_name,
                version=version,
                stage=Stage.PRODUCTION,
                reason=reason or ("rolled back" if present is None else f"rolled back from version {present}"),
                force=True,
                actor=caller.name,
                actor_owner=caller.owner,
                actor_key=caller.key_id,
                request_id=request_id,
            )
        )

    def outcome(self, model_name: str, transition_id: str, wait_seconds: float) -> tuple[Transition, bool]:
        """Return the transition after at most `wait_seconds`, and whether it has ended in this time.

        Without waiting the second value is False, so that a request and its repetition get the same answer.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            transition = self._transitions.get(model_name, transition_id)
            ended = transition.status.has_ended
            waits = transition.status is TransitionStatus.AWAITING_APPROVAL
            if ended or waits or time.monotonic() >= deadline:
                return transition, ended and wait_seconds > 0
            time.sleep(POLL_SECONDS)

    def _version_before(self, model_name: str, present: int | None) -> int:
        """Return the version that was in Production before, by the history. Raises Conflict."""
        productions = self._transitions.productions(model_name)
        for version in rollback_targets(productions, present):
            if self._still_exists(model_name, version, productions):
                return version
        remedy = "to serve another version, move it to Production with POST /models/transition"
        others = sorted({transition.version for transition in productions} - {present})
        if not others:
            raise Conflict(f"No other version of {model_name!r} was in Production before; {remedy}")
        raise Conflict(
            f"No version of {model_name!r} is left to go back to: {', '.join(map(str, others))} were rolled back from "
            f"or deleted; {remedy}"
        )

    def _still_exists(self, model_name: str, version: int, productions: list[Transition]) -> bool:
        """Return whether the version still exists.

        If a model was deleted and registered again, the same number is another version.
        """
        try:
            registered = self._tracking.version(model_name, version).created_at
        except NotFound:
            return False
        return any(past.version == version and past.created_at >= registered for past in productions)

    def _queue_up(self, transition: Transition) -> dict[str, Any]:
        """Record and queue a transition that the lifecycle allows; return its id and the model's name."""
        name, version = transition.model_name, transition.version
        registered = self._tracking.version(name, version)
        binned = self._history.bin.version(name, version, registered.created_at)
        if binned is not None:
            raise in_bin(binned)
        present = self._tracking.model(name).stage_of(registered)
        if (reason := refusal(present, transition.stage)) is not None:
            raise TransitionNotAllowed(
                f"Version {version} of {name!r} is {reason}", allowed=[str(stage) for stage in allowed_from(present)]
            )
        request_transition(self._transitions, self._queue, transition)
        return {"transition_id": transition.transition_id, "model_name": name}


@cache
def _transition_requests() -> TransitionRequests:
    return TransitionRequests(
        Tracking.from_environment(),
        TransitionsTable.from_environment(),
        PromotionQueue.from_environment(),
        ModelHistory.from_environment(),
    )
