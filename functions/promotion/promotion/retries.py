"""How long a received message stays hidden: while it is worked on, and until its next try after a failure."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from mlops.settings import Settings

logger = Logger(child=True)

NOT_OF_THE_QUEUE = "ReceiptHandleIsInvalid"
"""SQS's code for a handle that it never gave out. That of a handle whose time is over is InvalidParameterValue."""


@dataclass(frozen=True)
class RetrySettings(Settings):
    """Settings of the queue's messages.

    Attributes:
        promotion_queue_url: The queue.
        max_receives: How often the queue delivers a message.
        visibility_seconds: How long a message stays hidden from when it is begun; longer than the function's timeout.
        retry_seconds: The delay after the first failure; each further one is four times as long.
    """

    promotion_queue_url: str
    max_receives: int
    visibility_seconds: int
    retry_seconds: int = 15


class Retries:
    def __init__(self, settings: RetrySettings) -> None:
        self._settings = settings
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "Retries":
        return _retries()

    def begin(self, record: dict[str, Any]) -> None:
        """Keep the message hidden for longer than the function can run, from now on.

        The queue's own visibility timeout runs since the delivery, also while Lambda throttles or starts the function.

        Raises:
            ClientError: the message's time was over, so that it is delivered again; or SQS refuses.
            BotoCoreError: SQS does not answer.
        """
        try:
            self._hide(record, self._settings.visibility_seconds)
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_OF_THE_QUEUE:
                raise
            logger.warning("not a message of the queue; somebody has called the function directly")

    def postpone(self, record: dict[str, Any]) -> None:
        """Let a received message come again after a delay.

        After the last try there is no delay, so that the queue moves the message to the dead-letter queue at once.
        """
        received = int(record["attributes"]["ApproximateReceiveCount"])
        last = received >= self._settings.max_receives
        delay = 0 if last else self._settings.retry_seconds * 4 ** (received - 1)
        try:
            self._hide(record, delay)
        except (BotoCoreError, ClientError) as error:
            # The message still comes again, after the queue's visibility timeout.
            logger.warning("not postponed", error=repr(error))

    def _hide(self, record: dict[str, Any], seconds: int) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._settings.promotion_queue_url,
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=seconds,
        )


@cache
def _retries() -> Retries:
    return Retries(RetrySettings.from_environment())
