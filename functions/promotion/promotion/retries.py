"""When a message that was not dealt with comes again.

The queue's own visibility timeout has to outlast the longest promotion; a short outage should not cost a model's whole
group that long. So a message that failed is given back with a delay of its own.
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
    """`retry_seconds`: the delay after the first failure; each further one is four times as long."""

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
        """Have a received message come again after a while; one that has had its last try goes to the dead-letter
        queue at once, as the next look at the queue finds it, and its group goes on."""
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
            # It comes again all the same, only later: after the queue's visibility timeout.
            logger.warning("not postponed", error=repr(error))


@cache
def _retries() -> Retries:
    return Retries(RetrySettings.from_environment())
