"""The routes that request a transition, a rollback or a conversion, and show the outcome."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from mlops.api.auth import Caller, require, require_name
from mlops.api.http import CurrentCaller, IdempotencyKey, lambda_handler, request_id_of
from mlops.api.idempotency import once
from mlops.api.schemas.conversions import Conversion
from mlops.api.schemas.history import PromotionExport
from mlops.api.schemas.transitions import DecisionRequest, RollbackRequest, Transition, TransitionRequest
from mlops.aws.decisions import Decisions
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.conversion import ConversionStatus
from mlops.domain.names import ModelName
from transitions.conversion_requests import ConversionRequests
from transitions.export import PromotionExports
from transitions.transition_requests import TransitionRequests

router = APIRouter(tags=["models"])
# Kept of the function's time, to answer before API Gateway gives up: a cold start is part of its time only.
RESERVE_SECONDS = 6.0
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="Version of the model")]
Wait = Annotated[
    int,
    Query(
        ge=0,
        le=20,
        description="Wait at most this many seconds for the outcome. With it the answer is 200, otherwise 202",
    ),
]


class Submission:
    """The common part of the routes: submit once per Idempotency-Key, and wait for the outcome if requested."""

    def __init__(
        self, request: Request, response: Response, caller: CurrentCaller, wait: Wait = 0, key: IdempotencyKey = None
    ) -> None:
        self.requests, self.caller = TransitionRequests.from_environment(), caller
        self.requested_by: tuple[Caller, str] = (caller, request.scope["aws.event"]["requestContext"]["requestId"])
        self._context, self._response, self._wait, self._key = request.scope["aws.context"], response, wait, key

    def answer(
        self,
        route: str,
        body: TransitionRequest | RollbackRequest | DecisionRequest,
        submit: Callable[[], dict[str, Any]],
    ) -> Transition:
        """Submit the transition, and return its record."""
        submitted = once(
            submit,
            caller=self.caller.name,
            route=route,
            key=self._key,
            body=body.model_dump(mode="json"),
            context=self._context,
        )
        # If the tracking server had to start, less is left to wait than was asked for.
        left = self._context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
        wait_seconds = max(0.0, min(self._wait, left))
        transition, ended = self.requests.outcome(submitted["model_name"], submitted["transition_id"], wait_seconds)
        if ended:
            self._response.status_code = 200
        return Transition.model_validate(transition, from_attributes=True)


@router.post("/models/transition", status_code=202)
def request_transition(body: TransitionRequest, submission: Annotated[Submission, Depends()]) -> Transition:
    """Move a model version to Staging, Production or Archived. The gates check it before it is moved.

    If the model's settings ask for approval, it then waits until somebody else approves it. A key with the role
    `train` can ask for such transitions; others need the role `approve`.
    """
    require_name(submission.caller, body.model_name)
    if not submission.caller.grant.has("approve") and not submission.requests.needs_approval(body):
        require(submission.caller, "approve", "a transition that nobody else has to approve")
    return submission.answer("transition", body, lambda: submission.requests.move(body, *submission.requested_by))


@router.post("/models/{name}/rollback", status_code=202)
def roll_back(name: ModelName, body: RollbackRequest, submission: Annotated[Submission, Depends()]) -> Transition:
    """Move the version that was in Production before back to Production.

    It serves the file that was admitted at the time. Versions that were rolled back from are skipped, so a second
    rollback goes further back. A rollback to a version that was approved before does not wait for approval.
    """
    require(submission.caller, "approve", "a rollback")
    require_name(submission.caller, name)
    return submission.answer(
        f"rollback/{name}", body, lambda: submission.requests.roll_back(name, body.reason, *submission.requested_by)
    )


@router.get("/models/transitions/{transition_id}")
def transition_status(transition_id: str, caller: CurrentCaller) -> Transition:
    """Get a transition: its status and the results of the gate."""
    transition = TransitionsTable.from_environment().find(transition_id)
    require_name(caller, transition.model_name)
    return Transition.model_validate(transition, from_attributes=True)


@router.post("/models/transitions/{transition_id}/approve", status_code=202)
def approve_transition(
    transition_id: str, body: DecisionRequest, submission: Annotated[Submission, Depends()]
) -> Transition:
    """Approve a transition that waits. Who has asked for it cannot approve it, with any key.

    An approval is for the file, the gate's results, the settings and the version in the stage as they are now. If one
    of them changes before the version is moved, the approval is void, and the transition waits again.
    """
    return _decide(transition_id, body, submission, approved=True)


@router.post("/models/transitions/{transition_id}/reject", status_code=202)
def reject_transition(
    transition_id: str, body: DecisionRequest, submission: Annotated[Submission, Depends()]
) -> Transition:
    """Reject a transition that waits. Who has asked for it cannot reject it, with any key."""
    return _decide(transition_id, body, submission, approved=False)


def _decide(transition_id: str, body: DecisionRequest, submission: Submission, *, approved: bool) -> Transition:
    transitions, decisions = TransitionsTable.from_environment(), Decisions.from_environment()

    def decide() -> dict[str, Any]:
        transition = transitions.find(transition_id)
        decisions.decide(transition, submission.caller, approved=approved, comment=body.comment)
        return {"transition_id": transition_id, "model_name": transition.model_name}

    return submission.answer(f"{'approve' if approved else 'reject'}/{transition_id}", body, decide)


@router.get("/models/transitions/{transition_id}/export")
def export_transition(transition_id: str, caller: CurrentCaller) -> PromotionExport:
    """Get one document about a transition: data, code, parameters, gate, proof, decisions, place in the history."""
    transition = TransitionsTable.from_environment().find(transition_id)
    require_name(caller, transition.model_name)
    return PromotionExports.from_environment().document(transition)


@router.post("/models/{name}/versions/{version}/conversion", status_code=202)
def convert_version(
    name: ModelName, version: VersionNumber, request: Request, response: Response, caller: CurrentCaller
) -> Conversion:
    """Convert a version that was logged with plain MLflow to ONNX, and prove that it answers as the model does.

    A transition to Staging or Production does this by itself. If a conversion of the version runs or has succeeded, it
    is returned, and nothing is started. One that has failed is tried again.
    """
    require(caller, "approve", "a conversion")
    require_name(caller, name)
    requests = ConversionRequests.from_environment()
    conversion = requests.start(name, version, caller.name, request_id_of(request))
    if conversion.status is ConversionStatus.SUCCEEDED:
        response.status_code = 200
    return Conversion.model_validate(conversion, from_attributes=True)


@router.get("/models/{name}/versions/{version}/conversion")
def conversion_status(name: ModelName, version: VersionNumber, caller: CurrentCaller) -> Conversion:
    """Get the last conversion of a version: its status, and why it failed."""
    require_name(caller, name)
    conversion = ConversionRequests.from_environment().state(name, version)
    return Conversion.model_validate(conversion, from_attributes=True)


handler = lambda_handler(router, changes="train")
