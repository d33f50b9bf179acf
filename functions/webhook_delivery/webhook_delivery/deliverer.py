"""One try to deliver a message."""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from mlops import __version__
from mlops.aws.webhook_queue import WebhookMessage, read_message
from mlops.aws.webhook_secrets import SecretMissing, WebhookSecrets
from mlops.aws.webhooks_table import WebhooksTable
from mlops.domain.webhooks.message import body_of
from mlops.domain.webhooks.signature import headers
from mlops.domain.webhooks.webhook import Webhook
from webhook_delivery.retries import Retries, RetrySettings
from webhook_delivery.transport import NotSent, Transport

logger = Logger(child=True)


class Deliverer:
    """Sends messages at least once: one whose success could not be recorded is sent again, with the same id."""

    def __init__(self, table: WebhooksTable, secrets: WebhookSecrets, transport: Transport, retries: Retries) -> None:
        self._table, self._secrets, self._transport, self._retries = table, secrets, transport, retries

    @classmethod
    def from_environment(cls) -> "Deliverer":
        return _deliverer()

    def deliver(self, record: dict[str, Any]) -> bool:
        """Send the message of a record of SQS; False if it has to come again.

        First the message is hidden until its next try is due. So a process that is killed changes no more than the
        try that it was at.

        Raises:
            MalformedMessage: It is no message of ours. The queue delivers it some more times, and then sets it aside.
            ClientError, BotoCoreError: AWS refuses, or does not answer.
        """
        message = read_message(record["body"])
        attempt = self._retries.begin(record)
        webhook = self._table.find(message.webhook_id)
        if webhook is None:
            logger.info("webhook was deleted", webhook_id=message.webhook_id, message_id=message.message_id)
            return True
        if not self._table.begin(message, attempt.number, attempt.next_attempt_at):
            logger.info("delivered before", webhook_id=message.webhook_id, message_id=message.message_id)
            return True
        status, error = self._send(webhook, message)
        logger.info(
            "webhook",
            webhook_id=webhook.webhook_id,
            message_id=message.message_id,
            attempt=attempt.number,
            status=status,
            error=error,
        )
        if error is None and status is not None:
            self._table.delivered(message, status)
            return True
        self._table.failed(message, str(error), status)
        self._retries.postpone(record, attempt)
        return False

    def _send(self, webhook: Webhook, message: WebhookMessage) -> tuple[int | None, str | None]:
        """Sign a message as of now, and send it; returns the status of the answer, and why it is no success."""
        moment = time.time()
        body = body_of(message.event, webhook.format)
        try:
            url, secrets = self._secrets.read(webhook.webhook_id, webhook.signing_secret_ids(moment))
            signed = headers(message.message_id, int(moment), body, secrets)
            plain = {"content-type": "application/json", "user-agent": f"mlops-webhooks/{__version__}"}
            status = self._transport.post(url, {**plain, **signed}, body)
        except (NotSent, SecretMissing) as error:
            return None, str(error)
        if 200 <= status < 300:
            return status, None
        if 300 <= status < 400:
            return status, f"the answer was {status}, and redirects are not followed: give the address that it leads to"
        return status, f"the answer was {status}, and not one from 200 to 299"


@cache
def _deliverer() -> Deliverer:
    return Deliverer(
        WebhooksTable.from_environment(),
        WebhookSecrets.from_environment(),
        Transport(),
        Retries(RetrySettings.from_environment()),
    )
