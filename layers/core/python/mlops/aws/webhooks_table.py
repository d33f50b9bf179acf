"""The table of webhooks, and of what became of the messages to each of them."""

import os
import time

from boto3.dynamodb.conditions import Attr, Key

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.dynamodb_requests import Item
from mlops.aws.webhook_queue import WebhookMessage
from mlops.domain.timestamps import now
from mlops.domain.webhooks.delivery import KEPT_SECONDS, Delivery, DeliveryState
from mlops.domain.webhooks.webhook import Webhook

_WEBHOOKS = "webhooks"
_MOST_OPEN = 1000
"""Of the deliveries that have not succeeded, how many are looked through for dead ones."""


class WebhooksTable:
    """Adapter of the DynamoDB table `WEBHOOKS_TABLE` (key `series`, `part`).

    The series `webhooks` has the records of all webhooks, and the series of a webhook's id has its deliveries. The
    index `by_time` sorts these by time, and the sparse index `by_open` has those that have not succeeded.
    """

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "WebhooksTable":
        return cls(table_named(os.environ["WEBHOOKS_TABLE"]))

    def create(self, webhook: Webhook) -> None:
        """Write the record of a new webhook."""
        self._table.put({**webhook.to_record(), **_webhook_key(webhook.webhook_id)})

    def find(self, webhook_id: str) -> Webhook | None:
        """Return a webhook; None if there is none."""
        item = self._table.get(_webhook_key(webhook_id))
        return Webhook.from_record(item) if item is not None else None

    def all(self) -> list[Webhook]:
        """Return all webhooks, the oldest first."""
        items = self._table.query(Key("series").eq(_WEBHOOKS), ConsistentRead=True)
        return [Webhook.from_record(item) for item in items]

    def rotate(self, webhook: Webhook, secret_id: str, previous_until: float) -> Webhook | None:
        """Let another secret sign, and the present one until a Unix time; None if somebody else was faster."""
        values = {"secret_id": secret_id, "previous_secret_id": webhook.secret_id, "previous_until": previous_until}
        item = self._table.update(
            _webhook_key(webhook.webhook_id), values, condition=Attr("secret_id").eq(webhook.secret_id)
        )
        return Webhook.from_record(item) if item is not None else None

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook. Idempotent. The records of its deliveries expire."""
        self._table.delete(_webhook_key(webhook_id))

    # Deliveries

    def add_delivery(self, message: WebhookMessage) -> None:
        """Record a message that is about to be queued, unless it is recorded already."""
        item = {**_delivery_key(message), **_first_fields(message)}
        self._table.put(item, Attr("part").not_exists())

    def begin(self, message: WebhookMessage, attempt: int, next_attempt_at: str | None) -> bool:
        """Record that a try begins; False if the message was delivered before."""
        values = {"attempts": attempt, "last_attempt_at": now(), "next_attempt_at": next_attempt_at}
        item = self._table.update(
            _delivery_key(message),
            values,
            once=_first_fields(message),
            remove=("error", "response_status") if next_attempt_at else ("error", "response_status", "next_attempt_at"),
            condition=Attr("delivered_at").not_exists(),
        )
        return item is not None

    def delivered(self, message: WebhookMessage, status: int) -> None:
        """Record that the receiver has accepted a message."""
        values = {"delivered_at": now(), "response_status": status}
        self._table.update(_delivery_key(message), values, remove=("open", "error", "next_attempt_at"))

    def failed(self, message: WebhookMessage, error: str, status: int | None) -> None:
        """Record why a try has failed, and the status of the answer if there was one."""
        self._table.update(_delivery_key(message), {"error": error, "response_status": status})

    def last_deliveries(self, webhook_id: str, limit: int) -> list[Delivery]:
        """Return the last deliveries, the newest first."""
        page = self._table.page(Key("series").eq(webhook_id), limit, IndexName="by_time", ScanIndexForward=False)
        return list(map(Delivery.from_record, page.items))

    def dead_letters(self, webhook_id: str, limit: int) -> list[Delivery]:
        """Return the last deliveries whose tries have all failed, the newest first."""
        page = self._table.page(Key("open").eq(webhook_id), _MOST_OPEN, IndexName="by_open", ScanIndexForward=False)
        dead = [delivery for item in page.items if (delivery := Delivery.from_record(item)).state is DeliveryState.DEAD]
        return dead[:limit]


def _webhook_key(webhook_id: str) -> dict[str, str]:
    return {"series": _WEBHOOKS, "part": webhook_id}


def _delivery_key(message: WebhookMessage) -> dict[str, str]:
    return {"series": message.webhook_id, "part": message.message_id}


def _first_fields(message: WebhookMessage) -> Item:
    return {
        "created_at": now(),
        "message_id": message.message_id,
        "event_type": message.event.type,
        "open": message.webhook_id,
        "expires": int(time.time()) + KEPT_SECONDS,
    }
