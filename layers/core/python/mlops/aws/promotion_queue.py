"""Request a transition: write a record to the table, then a message to the model's FIFO group.

If the process dies between the two, or the queue does not answer, the record stays queued and reconcile sends the
message.
"""

import hashlib
import json
import logging
import os
import re
from functools import cache
from typing import NotRequired, TypedDict, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.dynamodb import MAX_KEY_BYTES
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.stages import ALIASES
from mlops.domain.transition import Transition, TransitionKind

CACHE_EPOCH = "cache_epoch"
"""The kind of message that has predict load a model again."""

GROUP_ID = re.compile("[!-~]{1,128}")
"""What SQS takes as a message group: letters, digits and punctuation of ASCII."""

logger = logging.getLogger(__name__)


class PromotionMessage(TypedDict):
    """A message of the queue. It names the step and the model; the table has everything else."""

    kind: str
    transition_id: str
    model_name: str
    request_id: NotRequired[str | None]
    stage: NotRequired[str]
    actor: NotRequired[str]


class MalformedMessage(ValueError):
    """What lies in the queue is no message of ours. The text names the field."""


def read_message(body: str) -> PromotionMessage:
    """Read a message off the queue. Anything may lie there, and nothing of it may reach a manifest or a table unread.

    Raises:
        MalformedMessage: The body is not JSON, or a field is missing or not text that a table takes as a key.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("the message is not JSON") from error
    if not isinstance(message, dict):
        raise MalformedMessage("the message is not a JSON object")
    wanted = {"kind", "transition_id", "model_name"} | ({"stage"} if message.get("kind") == CACHE_EPOCH else set())
    for field in sorted(wanted):
        if not _is_key(message.get(field)):
            raise MalformedMessage(f"the field {field} must be text of 1 to {MAX_KEY_BYTES} bytes")
    if "stage" in wanted and message["stage"] not in ALIASES:
        raise MalformedMessage(f"the field stage must be one of {', '.join(ALIASES)}")
    return cast(PromotionMessage, message)


def _is_key(value: object) -> bool:
    try:
        return isinstance(value, str) and 1 <= len(value.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON can spell it
        return False


class PromotionQueue:
    """The SQS FIFO queue of the function promotion, with one message group per model."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sqs = boto3.client("sqs")

    @classmethod
    def from_environment(cls) -> "PromotionQueue":
        return _queue_at(os.environ["PROMOTION_QUEUE_URL"])

    def send(self, message: PromotionMessage, deduplication_id: str | None = None) -> None:
        """Send a message. The same id, by default the transition's, counts once within five minutes."""
        self._sqs.send_message(
            QueueUrl=self._url,
            MessageBody=json.dumps(message),
            MessageGroupId=group_of(message["model_name"]),
            MessageDeduplicationId=deduplication_id or message["transition_id"],
        )


def group_of(model_name: str) -> str:
    """Return a model's message group: its name, or the name's SHA-256 if SQS does not take the name.

    MLflow takes names with spaces and of any alphabet from people who register models by hand.
    """
    return model_name if GROUP_ID.fullmatch(model_name) else hashlib.sha256(model_name.encode()).hexdigest()


def request_transition(transitions: TransitionsTable, queue: PromotionQueue, transition: Transition) -> None:
    """Record a transition and queue it. Idempotent by `transition_id`.

    A recorded transition is always carried out: if the queue does not answer, it is only delayed.
    """
    transitions.create(transition)
    _send(queue, transition, transition.transition_id)


def queue_again(queue: PromotionQueue, transition: Transition) -> None:
    """Queue a recorded transition that goes on after a decision. If the queue does not answer, it is only delayed."""
    _send(queue, transition, f"{transition.transition_id}#{transition.since}")


def _send(queue: PromotionQueue, transition: Transition, deduplication_id: str) -> None:
    message = transition_message(transition.model_name, transition.transition_id, transition.request_id)
    try:
        queue.send(message, deduplication_id)
    except (BotoCoreError, ClientError):
        logger.warning("the queue refused the message of %s; reconcile sends it again", transition.transition_id)


def transition_message(model_name: str, transition_id: str, request_id: str | None) -> PromotionMessage:
    """Return the message that lets promotion carry out a transition."""
    return {
        "kind": TransitionKind.TRANSITION,
        "transition_id": transition_id,
        "model_name": model_name,
        "request_id": request_id,
    }


def repair_message(model_name: str, transition_id: str) -> PromotionMessage:
    """Ask promotion to bring a model's manifests, tags and stages in line with its aliases, and to examine what serves
    again where that is due."""
    return {"kind": TransitionKind.REPAIR, "transition_id": transition_id, "model_name": model_name}


@cache
def _queue_at(url: str) -> PromotionQueue:
    return PromotionQueue(url)
