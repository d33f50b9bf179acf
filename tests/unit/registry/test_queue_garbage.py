"""Whatever lies in the promotion queue: it ends in the dead-letter queue, and no other message is lost or spoiled."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.aws.promotion_queue import MalformedMessage, read_message
from mlops.domain.stages import Stage
from promotion import app
from promotion.examination import Examined, Limits, Placement, examine
from promotion.promoter import Promoter
from promotion.retries import Retries, RetrySettings
from promotion.serving_store import ServingStore
from tests.support.fuzzing import JSON, budget
from tests.support.gateway import CONTEXT
from tests.support.tables import make_table
from tests.unit.registry import fakes
from tests.unit.registry.fakes import MODEL, ONNX, World

pytestmark = pytest.mark.fuzz

MAX_RECEIVES = 3
FIELDS = ("kind", "transition_id", "model_name", "stage", "request_id")
NEAR = {
    "kind": ["transition", "mend", "cache_epoch", "rollout"],
    "transition_id": ["tr_000001", "tr_000002", "tr_~", "", "\ud800", "x" * 1025, 5],
    "model_name": [MODEL, "other", "", "\ud800", "m" * 1025, ["m"]],
    "stage": ["Production", "Archived", "../../x", None],
}
near = st.builds(
    lambda values, missing: json.dumps({name: value for name, value in values.items() if name not in missing}),
    st.fixed_dictionaries({name: st.sampled_from(values) | JSON for name, values in NEAR.items()}),
    st.sets(st.sampled_from(FIELDS), max_size=1),
)
MANIFEST = examine(ONNX, Placement(MODEL, 1, Stage.PRODUCTION, "run", {}, "tr_1"), Limits(memory_mb=1769)).manifest
# What SQS takes: it refuses an empty body and control characters.
bodies = near | JSON.map(json.dumps) | st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1)


class Queue:
    """A FIFO queue on moto with the template's dead-letter rule, and Lambda's way of working on it."""

    numbers = itertools.count()

    def __init__(self) -> None:
        self.sqs: Any = boto3.client("sqs")
        number = next(self.numbers)
        self._dead = self._make(f"dead-{number}.fifo")
        rule = {"deadLetterTargetArn": self._arn(self._dead), "maxReceiveCount": MAX_RECEIVES}
        self.url = self._make(f"promotion-{number}.fifo", RedrivePolicy=json.dumps(rule))
        self._sent = itertools.count()

    def send(self, body: str, group: str) -> None:
        self.sqs.send_message(
            QueueUrl=self.url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=str(next(self._sent))
        )

    def work_off(self) -> int:
        """Hand messages to the function until none is left. Return how many were done with."""
        done = 0
        while messages := list(self._received(self.url)):
            for message in messages:
                record = {
                    "body": message["Body"],
                    "receiptHandle": message["ReceiptHandle"],
                    "attributes": message["Attributes"],
                }
                try:
                    app.handler({"Records": [record]}, CONTEXT)
                except Exception:
                    continue
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                done += 1
        return done

    def dead(self) -> list[str]:
        found: list[str] = []
        while messages := list(self._received(self._dead)):
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self._dead, ReceiptHandle=message["ReceiptHandle"])
        return found

    def _received(self, url: str) -> Iterator[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, AttributeNames=["All"])
        yield from answer.get("Messages", ())

    def _make(self, name: str, **attributes: str) -> str:
        made = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", **attributes})
        return str(made["QueueUrl"])

    def _arn(self, url: str) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


@pytest.fixture
def made(aws: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[World, Queue]]:
    """A world whose promoter works on a queue of its own."""
    numbers = itertools.count()

    def examined(data: bytes, placement: Placement, limits: Limits, proof: bytes | None = None) -> Examined:
        """What the gate said of this file before: it takes most of a promotion's time, and is not what is tried."""
        given = {"model_version": placement.version, "stage": placement.stage, "transition_id": placement.transition_id}
        return Examined(replace(MANIFEST, **given), 1.0)

    monkeypatch.setattr(fakes, "examine", examined)

    def make() -> tuple[World, Queue]:
        world, queue = World(table=make_table("TransitionsTable", f"transitions-{next(numbers)}")), Queue()
        retries = Retries(
            RetrySettings(
                promotion_queue_url=queue.url, max_receives=MAX_RECEIVES, visibility_seconds=90, retry_seconds=0
            )
        )
        monkeypatch.setattr(Promoter, "from_environment", lambda: world.promoter)
        monkeypatch.setattr(Retries, "from_environment", lambda: retries)
        return world, queue

    return make


@pytest.mark.slow
@budget(8)
@given(
    garbage=st.lists(st.tuples(bodies, st.sampled_from([MODEL, "other"]), st.integers(0, 3)), max_size=5),
)
@example(garbage=[("{", MODEL, 0), ("null", MODEL, 1), ('{"kind": "transition"}', MODEL, 2), ("[" * 5000, "other", 0)])
def test_garbage_ends_in_the_dead_letter_queue_and_no_other_message_is_lost(made, garbage) -> None:
    world, queue = made()
    asked = [world.ask(1, "Production"), world.ask(2, "Staging"), world.ask(2, "Production")]
    for place, message in enumerate([*asked, None]):
        for body, group, before in garbage:
            if before == place:
                queue.send(body, group)
        if message:
            queue.send(json.dumps(message), MODEL)
    done = queue.work_off()
    dead = queue.dead()
    assert done + len(dead) == len(asked) + len(garbage), "none is lost"
    assert not {json.dumps(message) for message in asked}.intersection(dead)
    ended = world.transitions.items
    assert [ended[message["transition_id"]]["status"] for message in asked] == ["succeeded"] * len(asked)
    assert world.tracking.aliases == {"production": 2}
    world.check()


@budget(40)
@given(body=bodies)
@example(body='{"kind": "cache_epoch", "transition_id": 5, "model_name": "m", "stage": "Production"}')
@example(body='{"kind": "cache_epoch", "transition_id": "\\ud800", "model_name": "m", "stage": "Production"}')
def test_no_message_leaves_a_manifest_that_predict_cannot_read(aws: None, body: str) -> None:
    boto3.client("s3").create_bucket(Bucket="artifacts")
    store = ServingStore("artifacts")
    store.write_manifest(MANIFEST)
    try:
        message = read_message(body)
    except MalformedMessage as error:
        str(error).encode()
        return
    if message["kind"] == "cache_epoch":
        store.raise_cache_epoch(message["model_name"], message["stage"], message["transition_id"])
    assert store.manifest(MODEL, Stage.PRODUCTION) is not None
