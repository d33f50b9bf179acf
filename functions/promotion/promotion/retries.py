"""Decide when a failed message comes again.

The queue's visibility timeout is six times the longest promotion, as AWS recommends. A short outage should not block a
model's group for that long, so a failed message gets a shorter delay.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from mlops.settings import Settings

logger = Logger(child=True)


@dataclass(frozen=True)
class RetrySettings(Settings):
    """Settings of the retries. `retry_seconds` is the delay after the first failure; each further one is four times as
    long."""

    promotion_queue_url: str
    max_receives: int
    retry_seconds: int = 15


class Retries:
    def __init__(self, settings: RetrySettings) -> None:
        self._settings = settings
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "Retries":
        return _retries()

    def postpone(self, record: dict[str, Any]) -> None:
        """Let a received message come again after a delay.

        After the last try there is no delay, so that the queue moves the message to the dead-letter queue at once.
        """
        received = int(record["attributes"]["ApproximateReceiveCount"])
        last = received >= self._settings.max_receives
        delay = 0 if last else self._settings.retry_seconds * 4 ** (received - 1)
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._settings.promotion_queue_url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=delay,
            )
        except (BotoCoreError, ClientError) as error:
            # The message still comes again, after the queue's visibility timeout.
            logger.warning("not postponed", error=repr(error))


@cache
def _retries() -> Retries:
    return Retries(RetrySettings.from_environment())
