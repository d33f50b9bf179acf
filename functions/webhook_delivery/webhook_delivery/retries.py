"""When a message comes again: SQS hides it until its next try is due."""

import time
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from mlops.domain.timestamps import from_milliseconds
from mlops.settings import Settings

NOT_OF_THE_QUEUE = "ReceiptHandleIsInvalid"
"""SQS's code for a handle that it never gave out: somebody has called the function directly."""


@dataclass(frozen=True)
class RetrySettings(Settings):
    """Settings of the queue's messages.

    Attributes:
        webhook_queue_url: The queue.
        visibility_seconds: How long a message stays hidden while a try runs; longer than the function's timeout.
        retry_seconds: The pauses after the tries, comma-separated. After the last one there is one more try.
    """

    webhook_queue_url: str
    visibility_seconds: int
    retry_seconds: str

    @property
    def pauses(self) -> tuple[int, ...]:
        return tuple(map(int, self.retry_seconds.split(",")))


@dataclass(frozen=True)
class Attempt:
    """A try of a message.

    Attributes:
        number: From 1.
        pause: Seconds until the next try; None if none follows.
    """

    number: int
    pause: int | None

    @property
    def next_attempt_at(self) -> str | None:
        return None if self.pause is None else from_milliseconds(int((time.time() + self.pause) * 1000))


class Retries:
    def __init__(self, settings: RetrySettings) -> None:
        self._settings = settings
        self._sqs = boto3.client("sqs")

    def begin(self, record: dict[str, Any]) -> Attempt:
        """Hide the message of a record for the try that begins, and until the next one is due if that is later.

        Raises:
            ClientError: The message's time was over, so that it is delivered again; or SQS refuses.
            BotoCoreError: SQS does not answer.
        """
        number = int(record["attributes"]["ApproximateReceiveCount"])
        pauses = self._settings.pauses
        attempt = Attempt(number, pauses[number - 1] if number <= len(pauses) else None)
        self._hide(record, max(self._settings.visibility_seconds, attempt.pause or 0))
        return attempt

    def postpone(self, record: dict[str, Any], attempt: Attempt) -> None:
        """Let a message come again when its next try is due.

        After the last try there is no pause, so that the queue moves the message to the dead-letter queue at once.
        """
        self._hide(record, attempt.pause or 0)

    def _hide(self, record: dict[str, Any], seconds: int) -> None:
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._settings.webhook_queue_url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=seconds,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_OF_THE_QUEUE:
                raise
