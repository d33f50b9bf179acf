"""The routes of webhooks. The function also makes messages for them from the platform's events."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from mlops.api.auth import require
from mlops.api.http import CurrentCaller, IdentifiedCaller, lambda_handler, request_id_of
from mlops.api.schemas.webhooks import (
    CreatedWebhook,
    WebhookDetail,
    WebhookList,
    WebhookSecret,
    WebhookState,
    WebhookTestAccepted,
)
from mlops.aws.approval_notices import REQUESTED, ApprovalNotices
from mlops.domain.webhooks.request import WebhookId, WebhookRequest
from webhooks.administration import Administration
from webhooks.fan_out import FanOut


def require_admin(caller: IdentifiedCaller) -> None:
    """Refuse callers who are no admins, who could also not make a webhook."""
    require(caller, "admin", "webhooks")


router = APIRouter(tags=["webhooks"], dependencies=[Depends(require_admin)])
Webhooks = Annotated[Administration, Depends(Administration.from_environment)]


@router.post("/webhooks", status_code=201)
def create_webhook(body: WebhookRequest, caller: CurrentCaller, webhooks: Webhooks) -> CreatedWebhook:
    """Send events to an address from now on. The answer has the secret that signs them, which is not shown again."""
    return webhooks.create(body, caller)


@router.get("/webhooks")
def list_webhooks(caller: CurrentCaller, webhooks: Webhooks) -> WebhookList:
    """List the webhooks of models that the key is for, the oldest first."""
    return webhooks.list(caller)


@router.get("/webhooks/{webhook_id}")
def get_webhook(webhook_id: WebhookId, caller: CurrentCaller, webhooks: Webhooks) -> WebhookDetail:
    """Get a webhook with its last deliveries, and those whose tries have all failed."""
    return webhooks.detail(webhook_id, caller)


@router.delete("/webhooks/{webhook_id}")
def delete_webhook(webhook_id: WebhookId, caller: CurrentCaller, webhooks: Webhooks) -> WebhookState:
    """Delete a webhook and its secrets. Messages that wait for another try are not sent any more."""
    return webhooks.delete(webhook_id, caller)


@router.post("/webhooks/{webhook_id}/test", status_code=202)
def test_webhook(
    webhook_id: WebhookId, request: Request, caller: CurrentCaller, webhooks: Webhooks
) -> WebhookTestAccepted:
    """Send an event of the type webhook.test, as any other event is sent."""
    return webhooks.test(webhook_id, caller, request_id_of(request))


@router.post("/webhooks/{webhook_id}/secret")
def rotate_webhook_secret(webhook_id: WebhookId, caller: CurrentCaller, webhooks: Webhooks) -> WebhookSecret:
    """Make a new secret. For 24 hours the one before signs too, so that receivers can change theirs meanwhile."""
    return webhooks.rotate(webhook_id, caller)


def on_event(event: dict[str, Any], context: Any) -> None:
    """Make messages from one of the platform's events, and tell people if it is their turn.

    The notice comes last, as it alone is not the same when the event comes again.
    """
    FanOut.from_environment().handle(event)
    if event["detail-type"] == REQUESTED:
        ApprovalNotices.from_environment().requested(event["detail"])


handler = lambda_handler(router, on_event=on_event)
