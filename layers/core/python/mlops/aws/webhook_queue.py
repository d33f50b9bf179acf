"""The queue of messages to webhooks: one message for each event and webhook."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import boto3

from mlops.domain.webhooks.event import PlatformEvent


class MalformedMessage(ValueError):
    """What lies in the queue is no message of ours. The text names the field."""


@dataclass(frozen=True)
class WebhookMessage:
    """An event for a webhook. The body that is sent is made from it at each try, and is the same each time."""

    webhook_id: str
    event: PlatformEvent

    @property
    def message_id(self) -> str:
        return self.event.message_id(self.webhook_id)


def read_message(body: str) -> WebhookMessage:
    """Read a message off the queue. Fields of a later version are left out.

    Raises:
        MalformedMessage: It is not JSON, or a field is missing or of another type.
    """
    try:
        message = json.loads(body)
        event = message["event"]
        texts = {name: event[name] for name in ("type", "identity", "name", "timestamp")}
        webhook_id, data = message["webhook_id"], event["data"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedMessage(f"the message cannot be read: {error!r}") from error
    for field, value in {"webhook_id": webhook_id, **texts}.items():
        if not isinstance(value, str) or not value:
            raise MalformedMessage(f"the field {field} must be text, and is {value!r}")
    if not isinstance(data, Mapping):
        raise MalformedMessage("the field data must be an object")
    return WebhookMessage(webhook_id, PlatformEvent(**texts, data=data))


class WebhookQueue:
    """The SQS queue `WEBHOOK_QUEUE_URL` of the function webhook_delivery."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "WebhookQueue":
        return _queue_at(os.environ["WEBHOOK_QUEUE_URL"])

    def send(self, message: WebhookMessage) -> None:
        """Send a message."""
        body: dict[str, Any] = asdict(message)
        self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps(body))


@cache
def _queue_at(url: str) -> WebhookQueue:
    return WebhookQueue(url)
