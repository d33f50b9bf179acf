"""POST /models/transition: ask for a version to be moved, and see what came of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from transition_requests import TransitionRequests

from mlops.idempotency import once
from mlops.schemas import ModelName, RollbackRequest, Transition, TransitionRequest
from mlops.transitions import TransitionsTable
from mlops.web import CurrentCaller, IdempotencyKey, lambda_handler

router = APIRouter(tags=["models"])
Wait = Annotated[
    int, Query(ge=0, le=20, description="Wait up to so many seconds for the outcome, and answer 200 with it")
]


@router.post("/models/transition", status_code=202)
def request_transition(
    body: TransitionRequest,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    wait: Wait = 0,
    key: IdempotencyKey = None,
) -> Transition:
    """Move a model version to Staging, Production or Archived. The move is queued, then gated, then carried out."""
    requests = TransitionRequests.from_environment()
    asked = once(
        lambda: requests.move(body, caller.name, _request_id(request)),
        caller=caller.name,
        route="transition",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )
    return _answer(asked, wait, response)


@router.post("/models/{name}/rollback", status_code=202)
def roll_back(
    name: ModelName,
    body: RollbackRequest,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    wait: Wait = 0,
    key: IdempotencyKey = None,
) -> Transition:
    """Move the version back to Production that was there before."""
    requests = TransitionRequests.from_environment()
    asked = once(
        lambda: requests.roll_back(name, body.reason, caller.name, _request_id(request)),
        caller=caller.name,
        route=f"rollback/{name}",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )
    return _answer(asked, wait, response)


@router.get("/models/transitions/{transition_id}")
def transition_status(transition_id: str) -> Transition:
    """What came of a transition, with the gate's results."""
    return Transition.model_validate(TransitionsTable.from_environment().find(transition_id))


def _answer(asked: dict[str, Any], wait: int, response: Response) -> Transition:
    transition, ended = TransitionRequests.from_environment().outcome(asked["model_name"], asked["transition_id"], wait)
    if ended:
        response.status_code = 200
    return Transition.model_validate(transition)


def _request_id(request: Request) -> str:
    request_id: str = request.scope["aws.event"]["requestContext"]["requestId"]
    return request_id


handler = lambda_handler(router)
