"""Make one message for each webhook that wants an event."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from mlops.aws.webhook_queue import WebhookMessage, WebhookQueue
from mlops.aws.webhooks_table import WebhooksTable
from mlops.domain.webhooks.event import NotAnEvent, read_event

logger = Logger(child=True)


class FanOut:
    """Events come at least once. A repeated one makes the same messages, and those that were delivered are not sent
    again."""

    def __init__(self, table: WebhooksTable, queue: WebhookQueue) -> None:
        self._table, self._queue = table, queue

    @classmethod
    def from_environment(cls) -> "FanOut":
        return _fan_out()

    def handle(self, event: Mapping[str, Any]) -> list[str]:
        """Record and queue the messages of an event, and return their ids.

        If the process dies in between, Lambda calls it again with the event, and it does all of it again.

        Raises:
            NotAnEvent: It cannot be read: others in the account may publish with our source. Lambda sets it aside.
        """
        try:
            happened = read_event(event)
        except NotAnEvent:
            logger.error("not an event for webhooks", event_id=event.get("id"))
            raise
        sent = []
        for webhook in self._table.all():
            if webhook.wants(happened):
                message = WebhookMessage(webhook.webhook_id, happened)
                self._table.add_delivery(message)
                self._queue.send(message)
                sent.append(message.message_id)
        logger.info("event for webhooks", type=happened.type, model=happened.name, messages=len(sent))
        return sent


@cache
def _fan_out() -> FanOut:
    return FanOut(WebhooksTable.from_environment(), WebhookQueue.from_environment())
