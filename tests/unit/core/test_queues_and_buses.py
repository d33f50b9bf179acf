"""What the platform sends is taken by SQS, and told from what another stack sends."""

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mlops.aws.eventbridge import Events
from mlops.aws.promotion_queue import PromotionQueue, group_of, repair_message


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.mark.parametrize("name", ["digit-classifier", "credit risk", "Bonit\u00e4t", "x" * 129, "\u4fe1\u7528"])
def test_each_name_that_mlflow_takes_has_a_group_that_sqs_takes(name: str) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="promotion.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    PromotionQueue(url).send(repair_message(name, "tr_1"))
    answer = sqs.receive_message(QueueUrl=url, AttributeNames=["MessageGroupId"])
    (message,) = answer["Messages"]
    group = message["Attributes"]["MessageGroupId"]
    assert group == group_of(name)
    assert group.isascii()
    assert 1 <= len(group) <= 128
    assert " " not in group
    assert json.loads(message["Body"])["model_name"] == name


def test_a_name_that_sqs_takes_is_the_group_so_that_its_order_survives_an_update() -> None:
    assert group_of("digit-classifier") == "digit-classifier"
    assert group_of("credit risk") != group_of("credit  risk")


@pytest.mark.parametrize("stack", ["arn:aws:cloudformation:us-east-1:1:stack/mlops-dev/1", None])
def test_an_event_names_its_stack(monkeypatch: pytest.MonkeyPatch, stack: str | None) -> None:
    if stack:
        monkeypatch.setenv("STACK_ID", stack)
    else:
        monkeypatch.delenv("STACK_ID", raising=False)
    events, sent = Events("default"), list[dict[str, Any]]()
    monkeypatch.setattr(events._events, "put_events", lambda Entries: sent.extend(Entries) or {"FailedEntryCount": 0})
    events.put("Retrain Requested", {"model_name": "churn"})
    assert sent[0].get("Resources") == ([stack] if stack else None)
    assert json.loads(sent[0]["Detail"]) == {"model_name": "churn"}
