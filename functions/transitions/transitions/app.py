"""POST /models/transition: ask for a version to be moved, and see what came of it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from mlops.api.http import CurrentCaller, IdempotencyKey, lambda_handler
from mlops.api.idempotency import once
from mlops.api.schemas.transitions import RollbackRequest, Transition, TransitionRequest
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.names import ModelName
from transitions.transition_requests import TransitionRequests

router = APIRouter(tags=["models"])
Wait = Annotated[
    int, Query(ge=0, le=20, description="Wait up to so many seconds for the outcome, and answer 200 with it")
]


class Asking:
    """What both ways to ask have in common: done once for an Idempotency-Key, and its outcome waited for if wanted."""

    def __init__(
        self, request: Request, response: Response, caller: CurrentCaller, wait: Wait = 0, key: IdempotencyKey = None
    ) -> None:
        self.requests = TransitionRequests.from_environment()
        self.by: tuple[str, str] = (caller.name, request.scope["aws.event"]["requestContext"]["requestId"])
        self._context, self._response, self._wait, self._key = request.scope["aws.context"], response, wait, key

    def answer(
        self, route: str, body: TransitionRequest | RollbackRequest, ask: Callable[[], dict[str, Any]]
    ) -> Transition:
        asked = once(
            ask,
            caller=self.by[0],
            route=route,
            key=self._key,
            body=body.model_dump(mode="json"),
            context=self._context,
        )
        transition, ended = self.requests.outcome(asked["model_name"], asked["transition_id"], self._wait)
        if ended:
            self._response.status_code = 200
        return Transition.model_validate(transition, from_attributes=True)


@router.post("/models/transition", status_code=202)
def request_transition(body: TransitionRequest, asking: Annotated[Asking, Depends()]) -> Transition:
    """Move a model version to Staging, Production or Archived. The move is queued, then gated, then carried out."""
    return asking.answer("transition", body, lambda: asking.requests.move(body, *asking.by))


@router.post("/models/{name}/rollback", status_code=202)
def roll_back(name: ModelName, body: RollbackRequest, asking: Annotated[Asking, Depends()]) -> Transition:
    """Move the version back to Production that was there before."""
    return asking.answer(f"rollback/{name}", body, lambda: asking.requests.roll_back(name, body.reason, *asking.by))


@router.get("/models/transitions/{transition_id}")
def transition_status(transition_id: str) -> Transition:
    """What came of a transition, with the gate's results."""
    return Transition.model_validate(TransitionsTable.from_environment().find(transition_id), from_attributes=True)


handler = lambda_handler(router)
