"""Make, show, test and delete webhooks."""

import time
from functools import cache

from mlops.api.auth import Caller, require_patterns
from mlops.api.schemas.webhooks import (
    CreatedWebhook,
    WebhookDetail,
    WebhookList,
    WebhookSecret,
    WebhookState,
    WebhookTestAccepted,
)
from mlops.aws.webhook_queue import WebhookMessage, WebhookQueue
from mlops.aws.webhook_secrets import WebhookSecrets
from mlops.aws.webhooks_table import WebhooksTable
from mlops.domain.errors import Conflict, NotFound
from mlops.domain.timestamps import from_milliseconds, now
from mlops.domain.webhooks.event import TEST, PlatformEvent
from mlops.domain.webhooks.request import WebhookRequest
from mlops.domain.webhooks.signature import new_secret
from mlops.domain.webhooks.webhook import MOST_WEBHOOKS, OVERLAP_SECONDS, Webhook, host_of, new_webhook_id
from webhooks.views import delivery_of, state_of

SHOWN_DELIVERIES = 20


class Administration:
    """What the routes do."""

    def __init__(self, table: WebhooksTable, secrets: WebhookSecrets, queue: WebhookQueue) -> None:
        self._table, self._secrets, self._queue = table, secrets, queue

    @classmethod
    def from_environment(cls) -> "Administration":
        return _administration()

    def create(self, request: WebhookRequest, caller: Caller) -> CreatedWebhook:
        """Make a webhook.

        The record comes last: if the process dies before, there is no webhook, and the caller makes another one.

        Raises:
            Forbidden: The key is not for all models that the request names.
            Conflict: There are too many.
        """
        models = tuple(request.models or caller.models)
        require_patterns(caller, models, "`models`")
        if len(self._table.all()) >= MOST_WEBHOOKS:
            raise Conflict(f"There are {MOST_WEBHOOKS} webhooks, which is the limit; delete one that nobody needs")
        webhook_id, secret = new_webhook_id(), new_secret()
        self._secrets.add_url(webhook_id, request.url)
        webhook = Webhook(
            webhook_id=webhook_id,
            host=host_of(request.url),
            events=tuple(request.events),
            models=models,
            key_models=caller.models,
            actor=caller.name,
            secret_id=self._secrets.add_secret(webhook_id, secret),
            format=request.format,
            description=request.description,
        )
        self._table.create(webhook)
        return CreatedWebhook(**state_of(webhook).model_dump(), secret=secret)

    def list(self, caller: Caller) -> WebhookList:
        """Return the webhooks that the key may see."""
        return WebhookList(webhooks=[state_of(webhook) for webhook in self._table.all() if _is_for(caller, webhook)])

    def detail(self, webhook_id: str, caller: Caller) -> WebhookDetail:
        """Return a webhook with its deliveries. Raises NotFound, and Forbidden if the key is not for its models."""
        webhook = self._of(webhook_id, caller)
        return WebhookDetail(
            **state_of(webhook).model_dump(),
            deliveries=list(map(delivery_of, self._table.last_deliveries(webhook_id, SHOWN_DELIVERIES))),
            dead_letters=list(map(delivery_of, self._table.dead_letters(webhook_id, SHOWN_DELIVERIES))),
        )

    def delete(self, webhook_id: str, caller: Caller) -> WebhookState:
        """Delete a webhook. The record goes last, so that whoever was interrupted can delete the rest.

        Raises:
            NotFound: There is none of this id.
            Forbidden: The key is not for its models.
        """
        webhook = self._of(webhook_id, caller)
        known = (webhook.secret_id, webhook.previous_secret_id)
        self._secrets.delete_all(webhook_id, [secret_id for secret_id in known if secret_id is not None])
        self._table.delete(webhook_id)
        return state_of(webhook)

    def test(self, webhook_id: str, caller: Caller, request_id: str) -> WebhookTestAccepted:
        """Queue a message for a webhook. Raises NotFound, and Forbidden if the key is not for its models."""
        self._of(webhook_id, caller)
        data = {"webhook_id": webhook_id, "actor": caller.name}
        message = WebhookMessage(webhook_id, PlatformEvent(TEST, request_id, webhook_id, now(), data))
        self._table.add_delivery(message)
        self._queue.send(message)
        return WebhookTestAccepted(webhook_id=webhook_id, message_id=message.message_id)

    def rotate(self, webhook_id: str, caller: Caller) -> WebhookSecret:
        """Make a new secret, and let the present one sign for a day. One that was older signs no more.

        Raises:
            NotFound: There is none of this id.
            Forbidden: The key is not for its models.
            Conflict: Somebody else has rotated it at the same time.
        """
        webhook, secret = self._of(webhook_id, caller), new_secret()
        secret_id = self._secrets.add_secret(webhook_id, secret)
        until = time.time() + OVERLAP_SECONDS
        if self._table.rotate(webhook, secret_id, until) is None:
            self._secrets.delete_secret(webhook_id, secret_id)
            raise Conflict(
                f"Somebody else has rotated the secret of {webhook_id} at the same time; use theirs, or repeat"
            )
        if webhook.previous_secret_id is not None:
            self._secrets.delete_secret(webhook_id, webhook.previous_secret_id)
        return WebhookSecret(
            webhook_id=webhook_id, secret=secret, previous_secret_until=from_milliseconds(int(until * 1000))
        )

    def _of(self, webhook_id: str, caller: Caller) -> Webhook:
        webhook = self._table.find(webhook_id)
        if webhook is None:
            raise NotFound(f"There is no webhook {webhook_id!r}; GET /webhooks lists them")
        require_patterns(caller, webhook.models, "this webhook")
        return webhook


def _is_for(caller: Caller, webhook: Webhook) -> bool:
    return all(map(caller.grant.covers_pattern, webhook.models))


@cache
def _administration() -> Administration:
    return Administration(
        WebhooksTable.from_environment(), WebhookSecrets.from_environment(), WebhookQueue.from_environment()
    )
