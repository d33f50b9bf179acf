"""The scheduled check: one alert per episode, one retrain within the limits, whatever runs at the same time."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import pytest

from drift.check import CheckSettings, DriftCheck
from mlops.aws.drift_events import DriftEvents
from mlops.aws.drift_records import DriftRecords, RetrainLimits
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import Marker, Series, hour_of, hours_before
from mlops.domain.drift.retrain import RetrainRequest
from mlops.domain.drift.verdict import DriftThresholds
from tests.support.governance import FakeHistory
from tests.support.serving import served
from tests.support.steps import as_a_newer_version_writes

MODEL = "digit-classifier"
REFERENCE = {
    "count": 1000,
    "predictions": {"counts": [100] * 10},
    "confidence": {"edges": [], "counts": [0] * 9 + [1000]},
    "mean_intensity": None,
    "ink_share": None,
    "block_means": None,
}
EVEN, TWO = {str(label): 40 for label in range(10)}, {"0": 200, "1": 200}


class Platform:
    """The check with its tables, topic and bus, and what came out of topic and bus."""

    def __init__(self, stats, table, bucket):
        self.stats, self.table, self.bucket = stats, table, bucket
        self.history = FakeHistory()
        self.records = DriftRecords(DynamoTable(table))
        self.s3, self.sqs = boto3.client("s3"), boto3.client("sqs")
        self.s3.create_bucket(Bucket=bucket)
        sns, events = boto3.client("sns"), boto3.client("events")
        self.topic = sns.create_topic(Name="alerts")["TopicArn"]
        self.queues = {name: self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("mail", "bus")}
        arns = {
            name: self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            for name, url in self.queues.items()
        }
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arns["mail"])
        events.put_rule(Name="all", EventPattern=json.dumps({"source": ["mlops"]}))
        events.put_targets(Rule="all", Targets=[{"Id": "bus", "Arn": arns["bus"]}])
        self.serve(1)

    def serve(self, version, reference=REFERENCE):
        self.manifest = replace(served(version).manifest, reference=reference)
        self.s3.put_object(Bucket=self.bucket, Key=f"serving/{MODEL}/Production.json", Body=self.manifest.to_json())

    def predicted(self, classes, hours_ago=0):
        n = sum(classes.values())
        counts = {"n": n, "r": n, "c9": n, **{f"p:{label}": count for label, count in classes.items()}}
        series = Series(MODEL, self.manifest.model_version, "Production")
        hour = hours_before(hour_of(time.time()), hours_ago)
        self.stats.add([Marker(str(time.time_ns()))], {(series, hour): counts}, {series: counts})

    def check(self, **settings):
        made = DriftCheck(
            self.stats,
            ServedModels(self.bucket),
            self.records,
            DriftEvents(self.topic, "default"),
            DriftThresholds(),
            CheckSettings(**settings),
            self.history,
        )
        return made.run()

    def sent(self, name):
        bodies = []
        while messages := self.sqs.receive_message(QueueUrl=self.queues[name], MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queues[name], ReceiptHandle=message["ReceiptHandle"])
        return [body["Subject"] if name == "mail" else body["detail-type"] for body in bodies]


@pytest.fixture
def platform(stats, stats_table):
    return Platform(stats, stats_table, "artifacts")


def test_stable_is_kept_and_told_to_nobody(platform):
    platform.predicted(EVEN)
    assert platform.check() == {MODEL: "stable"}
    assert (platform.sent("mail"), platform.sent("bus")) == ([], [])
    record = platform.records.last(MODEL)
    assert (record.status, record.samples) == ("stable", 400)
    assert {signal.signal for signal in record.signals} == {"predictions", "confidence"}


def test_nothing_predicted_is_insufficient_data(platform):
    assert platform.check() == {MODEL: "insufficient_data"}


def test_an_alert_is_told_when_it_begins_and_again_while_it_lasts_and_when_it_is_over(platform):
    platform.predicted(TWO)
    assert platform.check() == platform.check() == {MODEL: "alert"}
    assert platform.sent("mail") == [f"Drift alert: {MODEL} version 1"]
    assert platform.sent("bus") == ["Drift Alert"]
    platform.check(drift_repeat_hours=0)
    assert platform.sent("bus") == ["Drift Alert"]
    platform.predicted(dict.fromkeys(EVEN, 100000))
    assert platform.check() == {MODEL: "stable"}
    assert platform.sent("bus") == ["Drift Recovered"]
    platform.check()
    assert platform.sent("bus") == []


def test_silence_is_no_recovery(platform):
    platform.predicted(TWO)
    platform.check()
    platform.sent("bus")
    item = {"series": f"{MODEL}#1", "slot": f"{hour_of(time.time())}/Production"}
    platform.table.delete_item(Key=item)
    assert platform.check() == {MODEL: "insufficient_data"}
    assert platform.sent("bus") == []


def test_another_version_begins_another_episode(platform):
    platform.predicted(TWO)
    platform.check()
    platform.serve(2)
    platform.predicted(TWO)
    platform.check()
    assert platform.sent("mail") == [f"Drift alert: {MODEL} version {version}" for version in (1, 2)]


def test_a_version_without_reference_is_compared_with_its_past_alone(platform):
    platform.serve(1, reference=None)
    platform.predicted(EVEN, hours_ago=30)
    platform.predicted(TWO)
    assert platform.check() == {MODEL: "alert"}
    record = platform.records.last(MODEL)
    assert record.against == "baseline"
    assert "without a reference" in record.message


def test_drift_does_not_retrain_unless_told_to(platform):
    platform.predicted(TWO)
    platform.check()
    assert platform.sent("bus") == ["Drift Alert"]


def test_a_retrain_is_asked_for_once_in_the_cool_down(platform):
    platform.predicted(TWO)
    for _ in range(3):
        platform.check(retrain_on_drift=True)
    assert platform.sent("bus").count("Retrain Requested") == 1
    platform.check(retrain_on_drift=True, retrain_cooldown_hours=0)
    assert platform.sent("bus").count("Retrain Requested") == 1


def request(model_name, retrain_id="1"):
    return RetrainRequest(model_name=model_name, retrain_id=retrain_id)


def test_the_daily_budget_is_of_all_models_together(records):
    limits = RetrainLimits(0, 2)
    noon = 1_800_000_000.0
    claims = [records.claim_retrain(request(f"model-{n}"), limits, noon) for n in range(4)]
    assert claims == ["claimed", "claimed", "budget_spent", "budget_spent"]
    assert records.claim_retrain(request("model-3"), limits, noon + 24 * 3600) == "claimed"
    assert records.claim_retrain(request("model-9"), RetrainLimits(0, 0), noon) == "budget_spent"


def test_the_cool_down_is_of_each_model_alone(records):
    limits = RetrainLimits(3600, 9)
    noon = 1_800_000_000.0
    moments = ((MODEL, noon), (MODEL, noon + 3599.5), ("other", noon + 3599.5), (MODEL, noon + 3600))
    claims = [records.claim_retrain(request(name), limits, moment) for name, moment in moments]
    assert claims == ["claimed", "cooling_down", "claimed", "claimed"]


def test_of_checks_at_the_same_time_one_may_ask(records, client, monkeypatch):
    transact, one_at_a_time = client.transact_write_items, threading.Lock()

    def serialised(**writes):
        with one_at_a_time:  # as DynamoDB's transactions are; moto's are not, between threads
            return transact(**writes)

    monkeypatch.setattr(client, "transact_write_items", serialised)
    with ThreadPoolExecutor(8) as pool:
        claims = list(
            pool.map(
                lambda n: records.claim_retrain(request(MODEL, str(n)), RetrainLimits(3600, 5), time.time()),
                range(16),
            )
        )
    assert claims.count("claimed") == 1
    assert records.unsent_retrain(MODEL).retrain_id == str(claims.index("claimed"))


def test_a_retrain_that_was_claimed_but_not_sent_is_sent_by_the_next_check(platform, monkeypatch):
    platform.predicted(TWO)
    with monkeypatch.context() as patch:
        patch.setattr(DriftEvents, "request_retrain", lambda self, detail: 1 / 0)
        with pytest.raises(RuntimeError, match=MODEL):
            platform.check(retrain_on_drift=True)
    claimed = platform.records.unsent_retrain(MODEL)
    platform.sent("bus")
    platform.check(retrain_on_drift=True)
    assert platform.sent("bus") == ["Retrain Requested"]
    assert claimed.stage == "Staging"
    assert platform.records.unsent_retrain(MODEL) is None


def test_one_model_that_cannot_be_checked_does_not_keep_the_others_waiting(platform, monkeypatch):
    broken = replace(platform.manifest, model_name="broken", key=f"serving/broken/{platform.manifest.sha256}.onnx")
    body = replace(broken, reference={"count": 1}).to_json()
    platform.s3.put_object(Bucket=platform.bucket, Key="serving/broken/Production.json", Body=body)
    platform.predicted(TWO)
    with pytest.raises(RuntimeError, match="broken"):
        platform.check()
    assert platform.sent("bus") == ["Drift Alert"]


@pytest.mark.parametrize("body", [b"not a manifest", b"[" * 100_000, b'{"schema":1,"min_reader":99}'])
def test_a_manifest_that_cannot_be_read_is_told_and_keeps_no_other_model_waiting(platform, body):
    platform.s3.put_object(Bucket=platform.bucket, Key="serving/a-torn-one/Production.json", Body=body)
    platform.predicted(TWO)
    with pytest.raises(RuntimeError, match="the drift check of a-torn-one failed"):
        platform.check()
    assert platform.sent("bus") == ["Drift Alert"]


def test_the_manifest_of_a_newer_version_is_checked(platform):
    body = as_a_newer_version_writes(platform.manifest.to_json())
    platform.s3.put_object(Bucket=platform.bucket, Key=f"serving/{MODEL}/Production.json", Body=body)
    platform.predicted(TWO)
    assert platform.check() == {MODEL: "alert"}


def test_a_model_has_thresholds_and_retrains_of_its_own(platform):
    """The stack asks for 200 predictions and retrains nothing; this model asks for more, then for a retrain."""
    platform.predicted(TWO)
    platform.history.set(drift={"minimum_samples": 401})
    assert platform.check() == {MODEL: "insufficient_data"}
    assert platform.sent("bus") == []
    platform.history.set(drift={"alert": 9.0, "warning": 0.1})
    assert platform.check() == {MODEL: "warning"}
    platform.history.set(retrain={"on_drift": True, "runs": 3, "stage": "none"})
    assert platform.check() == {MODEL: "alert"}
    assert platform.sent("bus") == ["Drift Alert", "Retrain Requested"]
    platform.history.set(retrain={"on_drift": False})
    assert platform.check(retrain_on_drift=True) == {MODEL: "alert"}
    assert platform.sent("bus") == [], "the model's settings win over the stack's"
