"""The routes of rollouts, and the look at them each minute."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from mlops.api.auth import require_name
from mlops.api.http import CurrentCaller, IdempotencyKey, lambda_handler, request_id_of
from mlops.api.idempotency import once
from mlops.api.schemas.rollouts import Rollout, RolloutAction, RolloutCounts, RolloutList, RolloutRequest
from mlops.api.schemas.transitions import DecisionRequest, Transition
from mlops.domain.names import ModelName
from mlops.domain.rollout import rollout as records
from rollout.conductor import Conductor
from rollout.rollout_requests import RolloutRequests

router = APIRouter(prefix="/models/{name}/rollouts", tags=["rollouts"])
RolloutId = Annotated[str, Path(pattern="^ro_[0-9a-f]{20}$", description="Id of a rollout")]


class Decided:
    """The common part of the routes of decisions: decide once per Idempotency-Key."""

    def __init__(self, request: Request, caller: CurrentCaller, key: IdempotencyKey = None) -> None:
        self._requests, self._caller = RolloutRequests.from_environment(), caller
        self._context, self._key = request.scope["aws.context"], key

    def of(self, name: str, rollout_id: str, body: DecisionRequest, *, approved: bool) -> Rollout:
        """Decide, and return the rollout."""
        require_name(self._caller, name)

        def decide() -> dict[str, Any]:
            self._requests.decide(name, rollout_id, self._caller, approved=approved, comment=body.comment)
            return {}

        once(
            decide,
            caller=self._caller.name,
            route=f"{'approve' if approved else 'reject'}/{name}/{rollout_id}",
            key=self._key,
            body=body.model_dump(mode="json"),
            context=self._context,
        )
        return _whole(self._requests, self._requests.get(name, rollout_id))


@router.post("", status_code=202)
def start_rollout(
    name: ModelName, body: RolloutRequest, request: Request, caller: CurrentCaller, key: IdempotencyKey = None
) -> Rollout:
    """Roll a version out: first in the shadow of Production, then for a growing share of the callers.

    The version must be in Staging, whose gates have checked it. A guardrail that is broken ends the rollout by itself.
    The last step is the transition to Production. If the model's settings ask for an approval of that, the rollout
    waits until somebody else approves it, and its last step then needs no other one.
    """
    require_name(caller, name)
    requests = RolloutRequests.from_environment()
    started = once(
        lambda: {"rollout_id": requests.start(name, body, caller, request_id_of(request)).rollout_id},
        caller=caller.name,
        route=f"rollouts/{name}",
        key=key,
        body=body.model_dump(mode="json"),
        context=request.scope["aws.context"],
    )
    return _whole(requests, requests.get(name, started["rollout_id"]))


@router.get("")
def list_rollouts(
    name: ModelName,
    caller: CurrentCaller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(description="The next_cursor of the previous page")] = None,
) -> RolloutList:
    """List the rollouts of a model, the newest first."""
    require_name(caller, name)
    page = RolloutRequests.from_environment().page(name, limit, cursor)
    return RolloutList(rollouts=[_shown(rollout) for rollout in page.rollouts], next_cursor=page.next_cursor)


@router.get("/{rollout_id}")
def rollout_status(name: ModelName, rollout_id: RolloutId, caller: CurrentCaller) -> Rollout:
    """Get a rollout: how far it is, what is known about each guardrail, and how it ended."""
    require_name(caller, name)
    requests = RolloutRequests.from_environment()
    return _whole(requests, requests.get(name, rollout_id))


@router.post("/{rollout_id}/pause")
def pause_rollout(name: ModelName, rollout_id: RolloutId, caller: CurrentCaller) -> Rollout:
    """Let a rollout keep its phase. Its guardrails still end it."""
    require_name(caller, name)
    return _shown(RolloutRequests.from_environment().pause(name, rollout_id))


@router.post("/{rollout_id}/resume")
def resume_rollout(name: ModelName, rollout_id: RolloutId, caller: CurrentCaller) -> Rollout:
    """Let a paused rollout go on. The time of its phase begins anew."""
    require_name(caller, name)
    return _shown(RolloutRequests.from_environment().resume(name, rollout_id))


@router.post("/{rollout_id}/abort")
def abort_rollout(
    name: ModelName, rollout_id: RolloutId, caller: CurrentCaller, body: RolloutAction | None = None
) -> Rollout:
    """End a rollout. Only the version in Production answers then, at predict's next refresh."""
    require_name(caller, name)
    reason = body.reason if body else None
    return _shown(RolloutRequests.from_environment().abort(name, rollout_id, reason, caller.name))


@router.post("/{rollout_id}/complete", status_code=202)
def complete_rollout(name: ModelName, rollout_id: RolloutId, caller: CurrentCaller) -> Rollout:
    """Skip what is left of a rollout, and move its version to Production. The gates of the transition remain."""
    require_name(caller, name)
    return _shown(RolloutRequests.from_environment().complete(name, rollout_id))


@router.post("/{rollout_id}/approve", status_code=202)
def approve_rollout(
    name: ModelName, rollout_id: RolloutId, body: DecisionRequest, decision: Annotated[Decided, Depends()]
) -> Rollout:
    """Approve a rollout that waits. Who has asked for it cannot approve it, with any key.

    It begins within a minute. The approval is for its last step too, as that of a transition: for the file, the gate's
    results, the settings and the version in Production as they are now. If one of them changes, it waits again.
    """
    return decision.of(name, rollout_id, body, approved=True)


@router.post("/{rollout_id}/reject", status_code=202)
def reject_rollout(
    name: ModelName, rollout_id: RolloutId, body: DecisionRequest, decision: Annotated[Decided, Depends()]
) -> Rollout:
    """Reject a rollout that waits. Who has asked for it cannot reject it, with any key."""
    return decision.of(name, rollout_id, body, approved=False)


def on_schedule(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Take every rollout that has not ended one step on, and return their statuses."""
    return Conductor.from_environment().run()


def _shown(rollout: records.Rollout) -> Rollout:
    return Rollout.model_validate(rollout, from_attributes=True)


def _whole(requests: RolloutRequests, rollout: records.Rollout) -> Rollout:
    phases = [RolloutCounts.model_validate(counts, from_attributes=True) for counts in requests.counts(rollout)]
    transition = requests.approval(rollout)
    approval = None if transition is None else Transition.model_validate(transition, from_attributes=True)
    return _shown(rollout).model_copy(update={"phases": phases, "approval": approval})


handler = lambda_handler(router, changes="approve", on_event=on_schedule)
