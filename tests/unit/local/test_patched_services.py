"""What the local AWS makes of saved state, and of a function's variables in a template."""

import asyncio
import time

import pytest

pytest.importorskip("ministack")

from ministack.core.responses import request_scope
from ministack.services import s3, sqs
from ministack.services.cloudformation import provisioners

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


def test_a_part_of_a_version_is_that_part(monkeypatch):
    monkeypatch.setattr(
        s3, "_get_object", lambda *asked: (200, {"x-amz-checksum-crc32": "c", "ETag": "e"}, b"0123456789")
    )
    services.ranges_of_versions()
    status, headers, body = s3._get_object("bucket", "key", {"range": "bytes=2-4"}, {"versionId": "v"})
    assert (status, body) == (206, b"234")
    assert headers == {"ETag": "e", "Content-Length": "3", "Content-Range": "bytes 2-4/10"}
    assert s3._get_object("bucket", "key", {}, {"versionId": "v"})[0] == 200


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


@pytest.mark.parametrize("action", ["create", "update"])
def test_the_variables_of_a_function_are_text_as_cloudformation_makes_them(monkeypatch, action):
    seen = []
    table = {"AWS::Lambda::Function": {name: lambda *given, **_: seen.append(given) for name in ("create", "update")}}
    monkeypatch.setattr(provisioners, "_RESOURCE_HANDLERS", table)
    services.function_variables()
    properties = {"MemorySize": 1769, "Environment": {"Variables": {"SECONDS": 90, "ON": True, "NAME": "90"}}}
    table["AWS::Lambda::Function"][action]("id", properties, "stack", logical_id="Function")
    table["AWS::Lambda::Function"][action]("id", {"MemorySize": 128}, "stack")
    text = {"MemorySize": 1769, "Environment": {"Variables": {"SECONDS": "90", "ON": "true", "NAME": "90"}}}
    assert seen == [("id", text, "stack"), ("id", {"MemorySize": 128}, "stack")]
