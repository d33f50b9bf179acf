"""The scheduled check: who is told that a model does worse, when, and when it is over."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from feedback import app, check
from mlops.aws import performance_events
from mlops.aws.performance_records import PerformanceRecords
from mlops.domain.feedback.verdict import Performance
from tests.support import gateway

DAY = 24 * 3600
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.fixture
def mail(platform: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The texts that the topic has sent since the last call."""
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="mail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    monkeypatch.setenv("ALERTS_TOPIC", topic)
    monkeypatch.setenv("EVENT_BUS", "default")
    monkeypatch.setenv("FEEDBACK_MIN_LABELS", "40")
    for made in (check._check, performance_events._events):
        made.cache_clear()

    def texts() -> list[str]:
        found = []
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    return texts


def label(platform: Any, right: int, wrong: int) -> str:
    """Let the model answer three days ago, with so many right and wrong answers. Returns the id."""
    prediction = platform.answered([(0.25, 0.75)] * (right + wrong), seconds=time.time() - 3 * DAY)
    labels = [
        {"prediction_id": prediction, "row": row, "label": "yes" if row < right else "no"}
        for row in range(right + wrong)
    ]
    status, body = platform.ask("POST", "/feedback/batch", {"model_name": "churn", "labels": labels})
    assert (status, body["counts"]) == (200, {"counted": right + wrong})
    return prediction


def run() -> Any:
    return app.handler(SCHEDULED, gateway.CONTEXT)


def test_a_loss_is_told_once_and_its_end_too(platform: Any, mail: Any, raw_table: Any) -> None:
    assert run() == {"churn": "insufficient_data"}
    prediction = label(platform, 20, 20)
    assert run() == {"churn": "degraded"}
    (text,) = mail()
    assert "churn version 3: degraded" in text
    assert "50.0% of 40 labels are right" in text
    assert run() == {"churn": "degraded"}
    assert mail() == []
    corrected = [{"prediction_id": prediction, "row": row, "label": "yes", "replace": True} for row in range(20, 37)]
    platform.ask("POST", "/feedback/batch", {"model_name": "churn", "labels": corrected})
    assert run() == {"churn": "ok"}
    (text,) = mail()
    assert "churn version 3: ok" in text
    assert run() == {"churn": "ok"}
    assert mail() == []


def test_a_loss_that_lasts_is_told_again(platform: Any, mail: Any, table: Any) -> None:
    label(platform, 20, 20)
    run()
    records = PerformanceRecords(table._table)
    (record,) = records.all().values()
    assert record.status is Performance.DEGRADED
    assert (record.metric, record.value, record.labels) == ("accuracy", 0.5, 40)
    records.save(record.__class__(**{**record.to_record(), "alerted_at": time.time() - 25 * 3600}))
    mail()
    run()
    assert len(mail()) == 1


def test_a_check_that_dies_before_it_saves_tells_twice_rather_than_never(
    platform: Any, mail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(platform, 20, 20)

    def killed(self: Any, record: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(PerformanceRecords, "save", killed)
        with pytest.raises(RuntimeError, match="churn"):
            run()
    run()
    assert len(mail()) == 2


def test_records_of_a_later_version_are_left_out(platform: Any, mail: Any, raw_table: Any) -> None:
    raw_table.put_item(Item={"series": "checks", "slot": "other", "status": "excellent"})
    assert PerformanceRecords.from_environment().all() == {}
    assert run() == {"churn": "insufficient_data"}
