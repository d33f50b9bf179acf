"""The scheduled check: who is told that a model does worse, when, and when it is over; and what is retrained."""

import json
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from feedback import app, check
from mlops.aws import performance_events
from mlops.aws.drift_records import DriftRecords, RetrainLimits
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.eventbridge import Events, _events_on
from mlops.aws.governance_table import GovernanceTable
from mlops.aws.performance_records import PerformanceRecords
from mlops.domain.drift.retrain import RetrainRequest
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.feedback.verdict import Performance
from mlops.domain.model_settings import LabelRules, ModelSettings, StoredSettings
from mlops.domain.recipe import recipe_of
from tests.support import gateway
from tests.support.tables import make_table
from training.retraining import sweep_of

DAY = 24 * 3600
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def received(queue: str) -> list[dict[str, Any]]:
    """Take all messages out of a queue, and return their bodies."""
    sqs, bodies = boto3.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return bodies


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
    governance = make_table("GovernanceTable", f"governance-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("GOVERNANCE_TABLE", governance.name)
    for made in (check._check, performance_events._events, _events_on):
        made.cache_clear()

    def texts() -> list[str]:
        return [body["Message"] for body in received(queue)]

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


class TestRetrains:
    """From labels to the training that is asked for."""

    @pytest.fixture
    def bus(self, mail: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
        """The requests that came to the bus since the last call; retrains are switched on."""
        sqs, events = boto3.client("sqs"), boto3.client("events")
        queue = sqs.create_queue(QueueName="bus")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="retrains", EventPattern=json.dumps({"detail-type": ["Retrain Requested"]}))
        events.put_targets(Rule="retrains", Targets=[{"Id": "bus", "Arn": arn}])
        monkeypatch.setenv("RETRAIN_ON_PERFORMANCE", "true")

        def requests() -> list[dict[str, Any]]:
            return [body["detail"] for body in received(queue)]

        return requests

    @pytest.fixture
    def records(self, mail: Any) -> DriftRecords:
        return DriftRecords(DynamoTable(boto3.resource("dynamodb").Table(os.environ["PREDICTION_STATS_TABLE"])))

    def test_a_loss_asks_once_for_a_training_like_the_last_one(self, platform: Any, bus: Any) -> None:
        label(platform, 20, 20)
        for _ in range(2):
            assert run() == {"churn": "degraded"}
        (detail,) = bus()
        assert detail["reason"].startswith(
            "performance: 50.0% of 40 labels are right; of 1,000 held-out rows 90.0% were"
        )
        request = RetrainRequest.model_validate(detail)
        assert str(request.retrain_id).startswith("performance-churn-")
        trained = {
            "model_type": "linear",
            "dataset": "s3://bucket/churn.csv",
            "target": "left",
            "task": "classification",
            "hyperparameters": {"C": 2.0},
            "seed": 42,
        }
        sweep = sweep_of(request, recipe_of(trained), str(request.retrain_id), ())
        assert (sweep.model_name, sweep.num_runs, sweep.stage) == ("churn", 1, "Staging")
        assert (sweep.dataset, sweep.target, sweep.hyperparameters) == ("s3://bucket/churn.csv", "left", {"C": 2.0})
        assert sweep.seed != 42

    def test_what_is_as_good_as_before_or_has_few_labels_asks_for_nothing(self, platform: Any, bus: Any) -> None:
        run()
        label(platform, 38, 2)
        assert run() == {"churn": "ok"}
        assert bus() == []

    def test_it_is_off_by_default_and_a_model_may_switch_it_on(
        self, platform: Any, mail: Any, bus: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("RETRAIN_ON_PERFORMANCE")
        label(platform, 20, 20)
        run()
        assert (len(mail()), bus()) == (1, [])
        own = ModelSettings.model_validate({"retrain": {"on_performance": True, "runs": 3, "stage": "none"}})
        stored = StoredSettings(1, own, "ann", "ann", "2026-01-01T00:00:00Z", "because")
        GovernanceTable.from_environment().change_settings("churn", stored, dict)
        run()
        (detail,) = bus()
        assert (detail["num_runs"], detail["stage"]) == (3, None)

    def test_retrains_because_of_drift_and_of_labels_share_their_limits(
        self, platform: Any, bus: Any, records: DriftRecords
    ) -> None:
        label(platform, 20, 20)
        asked = RetrainRequest(model_name="churn", retrain_id="drift-churn-1")
        assert records.claim_retrain(asked, RetrainLimits(24 * 3600, 2), time.time() - 3600) == "claimed"
        records.retrain_sent("churn")
        run()
        assert bus() == []

    def test_a_request_that_was_claimed_but_not_sent_is_sent_by_the_next_check(
        self, platform: Any, bus: Any, records: DriftRecords, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        label(platform, 20, 20)

        def refused(self: Any, request: RetrainRequest) -> None:
            raise DependencyUnavailable("EventBridge is away")

        with monkeypatch.context() as patch:
            patch.setattr(Events, "request_retrain", refused)
            with pytest.raises(RuntimeError, match="churn"):
                run()
        check._check.cache_clear()
        claimed = records.unsent_retrain("churn")
        assert claimed is not None
        run()
        assert [detail["retrain_id"] for detail in bus()] == [claimed.retrain_id]
        assert records.unsent_retrain("churn") is None


def test_the_verdict_is_by_the_models_own_rules(platform: Any, mail: Callable[[], list[str]]) -> None:
    for _ in range(6):
        prediction = platform.answered([(0.25, 0.75)], seconds=time.time() - 2 * DAY)
        assert platform.give(prediction_id=prediction, label="no")[0] == 200
    before = platform.status()
    assert (before["minimum_labels"], before["delay_hours"]) == (40, 24)
    assert before["versions"][0]["verdict"]["status"] == "insufficient_data"
    assert check.PerformanceCheck.from_environment().run() == {"churn": Performance.INSUFFICIENT_DATA}
    rules = ModelSettings(labels=LabelRules(min_labels=5, delay_hours=40, min_coverage=1.0))
    stored = StoredSettings(1, rules, "ann", "ann", "2026-01-01T00:00:00.000Z", "few labels")
    GovernanceTable.from_environment().change_settings("churn", stored, lambda: "0" * 64)
    after = platform.status()
    assert (after["minimum_labels"], after["delay_hours"], after["minimum_coverage"]) == (5, 40, 1.0)
    assert after["versions"][0]["verdict"]["status"] == "degraded"
    assert check.PerformanceCheck.from_environment().run() == {"churn": Performance.DEGRADED}
