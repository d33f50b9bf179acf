"""The queue of promotions is stopped while a stack is copied, and started again in every case."""

import io
import json
import os
import signal
import socket
import time
import zipfile
from typing import Any

import boto3
import pytest

from mlops_client.cli.backups import _end_in_order
from mlops_client.errors import MlopsError
from mlops_client.operator.backups import queue as queue_module
from mlops_client.operator.backups.queue import NOTE, PromotionQueue
from mlops_client.operator.backups.stack import StackResources

NO_PROCESS = 2**22 + 1
"""More than Linux gives out."""


@pytest.fixture
def stack(aws: None, monkeypatch: pytest.MonkeyPatch) -> StackResources:
    """A queue, a function that takes messages from it, and a bucket."""
    monkeypatch.setattr(queue_module, "PAUSE_SECONDS", 0.01)
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "")
    client = boto3.client("lambda")
    client.create_function(
        FunctionName="promotion",
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client.create_event_source_mapping(FunctionName="promotion", EventSourceArn=arn)
    boto3.client("s3").create_bucket(Bucket="bucket")
    names = {"PromotionFunction": "promotion", "PromotionQueue": url, "ArtifactBucket": "bucket"}
    return StackResources("s", "arn:s", names, ())


def state() -> str:
    return str(
        boto3.client("lambda").list_event_source_mappings(FunctionName="promotion")["EventSourceMappings"][0]["State"]
    )


def note(**of: Any) -> None:
    body = {"at": "2026-01-31T00:00:00+00:00", "host": socket.gethostname(), "pid": NO_PROCESS, **of}
    boto3.client("s3").put_object(Bucket="bucket", Key=NOTE, Body=json.dumps(body).encode())


def noted() -> int:
    return int(boto3.client("s3").list_objects_v2(Bucket="bucket", Prefix=NOTE)["KeyCount"])


def set_enabled(enabled: bool) -> None:
    client = boto3.client("lambda")
    (mapping,) = client.list_event_source_mappings(FunctionName="promotion")["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


def test_it_is_stopped_within_and_started_afterwards_also_after_an_error(stack: StackResources):
    told: list[str] = []
    with PromotionQueue(stack).stopped(told.append):
        assert (state(), noted()) == ("Disabled", 1)
    assert (state(), noted()) == ("Enabled", 0)
    with pytest.raises(RuntimeError), PromotionQueue(stack).stopped(told.append):
        raise RuntimeError
    assert (state(), noted()) == ("Enabled", 0)


def test_what_a_killed_process_has_left_is_repaired(stack: StackResources):
    set_enabled(False)
    note()
    told: list[str] = []
    with PromotionQueue(stack).stopped(told.append):
        assert state() == "Disabled"
    assert "was killed" in told[0]
    assert (state(), noted()) == ("Enabled", 0)
    set_enabled(False)
    note()
    assert PromotionQueue(stack).resume()
    assert not PromotionQueue(stack).resume()
    assert (state(), noted()) == ("Enabled", 0)


def test_one_that_an_operator_has_stopped_stays_so(stack: StackResources):
    set_enabled(False)
    told: list[str] = []
    with PromotionQueue(stack).stopped(told.append):
        pass
    assert told == ["the promotion queue was stopped by somebody else, and stays so"]
    assert (state(), PromotionQueue(stack).resume()) == ("Disabled", False)


@pytest.mark.parametrize("of", [{"host": "elsewhere"}, {"pid": os.getppid()}])
def test_two_do_not_copy_a_stack_at_once(stack: StackResources, of: dict[str, Any]):
    set_enabled(False)
    note(**of)
    with (
        pytest.raises(MlopsError, match=r"wait for its end.*mlops backup --resume-queue"),
        PromotionQueue(stack).stopped(print),
    ):
        pass
    assert (state(), noted()) == ("Disabled", 1), "the other one goes on"


def test_a_transition_that_does_not_end_stops_the_copy_and_not_the_queue(
    stack: StackResources, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queue_module, "DRAIN_SECONDS", 0.3)
    queue = PromotionQueue(stack)
    under_way = {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "1"}}
    monkeypatch.setattr(queue._sqs, "get_queue_attributes", lambda **_: under_way)
    with pytest.raises(MlopsError, match="a transition does not end"), queue.stopped(print):
        pytest.fail("it copies while a transition is carried out")
    assert (state(), noted()) == ("Enabled", 0)


def test_a_command_that_is_told_to_end_starts_it_first(stack: StackResources):
    before = signal.getsignal(signal.SIGTERM)

    def copy() -> None:
        _end_in_order()
        with PromotionQueue(stack).stopped(print):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    try:
        with pytest.raises(SystemExit) as ended:
            copy()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert (state(), noted()) == ("Enabled", 0)
