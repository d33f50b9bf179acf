"""What the local AWS makes of the state that an earlier process has saved."""

import asyncio
import time

import pytest

pytest.importorskip("ministack")

from ministack.core.responses import request_scope
from ministack.services import sqs

from infra.local.aws.patches import services

QUEUE = "flight.fifo"


@pytest.fixture
def restart(monkeypatch):
    """Load the saved state of SQS into an empty service, as a new process does."""
    monkeypatch.setattr(sqs, "load_persisted_state", sqs.load_persisted_state)
    services.messages_in_flight()
    with request_scope("000000000000", "us-east-1"):
        yield _restart
        for name in list(sqs._queues):
            del sqs._queues[name]
        sqs._queue_name_to_url.clear()


def _restart():
    state = sqs.get_state()
    for name in list(sqs._queues):
        del sqs._queues[name]
    sqs.load_persisted_state(state)


def create(**attributes):
    request = {"QueueName": QUEUE, "Attributes": {"FifoQueue": "true", **attributes}}
    return sqs._act_create_queue(request, "")["QueueUrl"]


def send(url, body, group="model"):
    message = {"QueueUrl": url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body}
    sqs._act_send_message(message, url)


def receive(url):
    request = {"QueueUrl": url, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 0}
    return [each["Body"] for each in asyncio.run(sqs._act_receive_message(request, url)).get("Messages", [])]


def test_a_message_in_flight_comes_back_first_in_its_group(restart):
    url = create(VisibilityTimeout="3600")
    send(url, "first")
    send(url, "second")
    assert receive(url) == ["first"]
    assert receive(url) == [], "its group waits"
    restart()
    assert receive(url) == ["first"]


def test_a_message_that_nobody_has_received_stays_delayed(restart):
    url = create(DelaySeconds="600")
    send(url, "later")
    restart()
    assert receive(url) == []
    (message,) = sqs._queues[url]["messages"]
    assert message["visible_at"] > time.time() + 500
