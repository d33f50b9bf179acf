"""How a transition is asked for: a record in the table, then a message in the model's FIFO group.

If the process dies between the two, or the queue is away, the record stays queued and reconcile sends the message.
"""

import json
import logging
import os
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.transition import Transition, TransitionKind

logger = logging.getLogger(__name__)


class PromotionQueue:
    """The SQS FIFO queue in front of the promotion function: one message group per model."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "PromotionQueue":
        return _queue_at(os.environ["PROMOTION_QUEUE_URL"])

    def send(self, message: dict[str, Any], deduplication_id: str | None = None) -> None:
        """Send a message that carries `model_name` and `transition_id`; the same id within five minutes counts once."""
        self._sqs.send_message(
            QueueUrl=self._url,
            MessageBody=json.dumps(message),
            MessageGroupId=message["model_name"],
            MessageDeduplicationId=deduplication_id or message["transition_id"],
        )


def request_transition(transitions: TransitionsTable, queue: PromotionQueue, transition: Transition) -> None:
    """Record a transition and queue it. Idempotent by `transition_id`.

    Once it is recorded it will be carried out: a queue that does not answer only makes it later.
    """
    transitions.create(transition)
    try:
        queue.send(transition_message(transition))
    except (BotoCoreError, ClientError):
        logger.warning("transition %s is left to reconcile: the queue did not take it", transition.transition_id)


def transition_message(transition: Transition) -> dict[str, Any]:
    """What the queue carries of a transition: which one; everything else is in the table."""
    return {
        "kind": TransitionKind.TRANSITION,
        "transition_id": transition.transition_id,
        "model_name": transition.model_name,
        "request_id": transition.request_id,
    }


def repair_message(model_name: str, transition_id: str) -> dict[str, Any]:
    """Asks promotion to bring a model's manifests, tags and stages in line with its aliases."""
    return {"kind": TransitionKind.REPAIR, "transition_id": transition_id, "model_name": model_name}


@cache
def _queue_at(url: str) -> PromotionQueue:
    return PromotionQueue(url)
