"""Checks a wish against the registry, records it and queues it. Nothing is moved here: promotion does that."""

import time
from functools import cache
from typing import Any

from mlops.api.schemas.transitions import TransitionRequest
from mlops.aws.dynamodb import Item
from mlops.aws.promotion_queue import PromotionQueue, request_transition
from mlops.aws.transitions_table import TransitionsTable, new_transition_id
from mlops.domain.errors import Conflict, NotFound, TransitionNotAllowed, ValidationFailed
from mlops.domain.stages import ALLOWED, Stage
from mlops.registry.rest import Tracking

POLL_SECONDS = 0.1


class TransitionRequests:
    def __init__(self, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue) -> None:
        self._tracking, self._transitions, self._queue = tracking, transitions, queue

    @classmethod
    def from_environment(cls) -> "TransitionRequests":
        return _transition_requests()

    def move(self, request: TransitionRequest, actor: str, request_id: str) -> dict[str, Any]:
        """Raises NotFound, TransitionNotAllowed, ValidationFailed (force without a reason), DependencyUnavailable."""
        if request.force and not request.reason:
            raise ValidationFailed(
                "reason: force takes a reason; it stands in the history",
                errors=[{"field": "reason", "message": "force takes a reason"}],
            )
        return self._queue_up({**request.model_dump(), "actor": actor, "request_id": request_id})

    def roll_back(self, model_name: str, reason: str | None, actor: str, request_id: str) -> dict[str, Any]:
        """Back to the version that was in Production before the present one; where none is, to the last one that was.

        Raises:
            NotFound: there is no such model.
            Conflict: no version that still exists was in Production before.
            DependencyUnavailable: MLflow or the table does not answer.
        """
        present = self._tracking.model(model_name).holder(Stage.PRODUCTION)
        version = self._version_before(model_name, present)
        return self._queue_up(
            {
                "model_name": model_name,
                "version": version,
                "stage": Stage.PRODUCTION,
                "reason": reason or ("rolled back" if present is None else f"rolled back from version {present}"),
                "force": True,
                "actor": actor,
                "request_id": request_id,
            }
        )

    def outcome(self, model_name: str, transition_id: str, wait_seconds: int) -> tuple[Item, bool]:
        """The transition as it stands after at most `wait_seconds`, and whether that is the outcome waited for.

        Without a wait it is not, so that a request and its repetition are answered alike.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            item = self._transitions.get(model_name, transition_id)
            ended = item["status"] != "queued"
            if ended or time.monotonic() >= deadline:
                return item, ended and wait_seconds > 0
            time.sleep(POLL_SECONDS)

    def _version_before(self, model_name: str, present: int | None) -> int:
        """The version that was in Production before the present one, by the history."""
        cursor, passed_over = None, {present}
        while True:
            items, cursor = self._transitions.history(model_name, 100, cursor)
            for item in items:
                if item["status"] != "succeeded" or item["stage"] != Stage.PRODUCTION:
                    continue
                version = int(item["version"])
                if version not in passed_over and self._exists(model_name, version):
                    return version
                passed_over.add(version)
            if cursor is None:
                raise Conflict(f"No version of {model_name!r} was in Production before, so there is none to go back to")

    def _exists(self, model_name: str, version: int) -> bool:
        try:
            self._tracking.version(model_name, version)
        except NotFound:  # deleted in MLflow since
            return False
        return True

    def _queue_up(self, wish: Item) -> dict[str, Any]:
        """Record and queue a wish that the lifecycle allows; which transition it has become."""
        model_name, version = wish["model_name"], wish["version"]
        present = self._tracking.model(model_name).stage_of(self._tracking.version(model_name, version))
        if wish["stage"] not in ALLOWED[present]:
            allowed = ", ".join(sorted(ALLOWED[present]))
            raise TransitionNotAllowed(
                f"Version {version} of {model_name!r} is in {present}; from there it may go to {allowed}",
                allowed=sorted(ALLOWED[present]),
            )
        transition_id = new_transition_id()
        request_transition(self._transitions, self._queue, {"transition_id": transition_id, **wish})
        return {"transition_id": transition_id, "model_name": model_name}


@cache
def _transition_requests() -> TransitionRequests:
    return TransitionRequests(
        Tracking.from_environment(), TransitionsTable.from_environment(), PromotionQueue.from_environment()
    )
