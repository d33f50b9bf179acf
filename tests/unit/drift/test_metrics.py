"""What /metrics says, and that dashboards, alert rules and docs name only what it says."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from metrics.exposition import render
from metrics.sources import MetricsSettings, QueueDepth, Reading, Sources
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.label_place import LabelPlace
from mlops.aws.performance_records import PerformanceRecords
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import TRANSITIONS, Marker
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.drift.counts import counts_of, lifetime
from mlops.domain.feedback.kept_answers import KeptAnswers
from mlops.domain.feedback.prediction_id import Mint
from mlops.domain.feedback.record import PerformanceRecord
from mlops.domain.feedback.verdict import Performance
from mlops.domain.job import Job, JobStatus
from mlops.domain.rollout.rollout import RolloutStatus
from mlops.domain.timestamps import now
from mlops.domain.transition import TransitionStatus
from tests.support.metrics_scene import SERIES, rollout, transition, whole_reading
from tests.support.serving import served
from tests.support.steps import as_a_newer_version_writes
from tests.support.tables import make_table

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "infra" / "monitoring"


@pytest.fixture(scope="module")
def reading(make_line):
    return whole_reading(make_line(100, seed=1, cache="hit"))


@pytest.fixture(scope="module")
def samples(reading):
    families = text_string_to_metric_families(render(reading).decode())
    return [sample for family in families for sample in family.samples]


def value(samples: Any, name: str, **labels: str) -> float:
    (found,) = [each.value for each in samples if each.name == name and labels.items() <= each.labels.items()]
    return found


def test_the_counts_come_out_as_they_were_kept(samples):
    labels = {"model": "digits", "version": "3", "stage": "Production"}
    assert value(samples, "mlops_prediction_confidence_count", **labels) == 100
    assert value(samples, "mlops_prediction_confidence_bucket", le="+Inf", **labels) == 100
    assert value(samples, "mlops_prediction_latency_seconds_bucket", le="0.0025", **labels) == 1
    assert value(samples, "mlops_prediction_latency_seconds_sum", **labels) == pytest.approx(0.00125)
    assert sum(each.value for each in samples if each.name == "mlops_predictions_total") == 100
    assert value(samples, "mlops_prediction_refused_total", status="422", code="validation_failed") == 2
    assert value(samples, "mlops_prediction_lines_skipped_total", reason="not_json") == 1
    assert value(samples, "mlops_transitions_total", outcome="succeeded") == 3
    assert value(samples, "mlops_dead_letters", queue="promotion") == 4
    assert value(samples, "mlops_production_model", model="other") == 0
    assert value(samples, "mlops_manifest_unreadable", model="digits", stage="Production") == 0
    assert value(samples, "mlops_manifest_unreadable", model="torn", stage="Production") == 1
    assert value(samples, "mlops_admission_lapsed", model="regressor", stage="Production") == 1
    assert value(samples, "mlops_admission_lapsed", model="digits", stage="Production") == 0
    assert value(samples, "mlops_production_model", model="torn") == 1
    assert value(samples, "mlops_drift_psi", signal="confidence", against="reference") == 0.31
    assert value(samples, "mlops_drift_status", status="alert") == 1
    assert value(samples, "mlops_column_psi", model="digits", version="3", column="income") == 1.5
    assert value(samples, "mlops_column_missing_ratio", column="income") == 0.02
    assert value(samples, "mlops_column_unseen_ratio", column="job") == 0.003
    assert value(samples, "mlops_column_out_of_range_ratio", column="income") == 0.38
    assert [value(samples, "mlops_column_alert", column=name) for name in ("income", "job")] == [1, 0]
    assert value(samples, "mlops_feedback_total", model="digits", version="3", outcome="counted") == 200
    assert value(samples, "mlops_feedback_total", outcome="refused") == 4
    assert value(samples, "mlops_live_accuracy", model="digits", version="3") == 0.71
    assert value(samples, "mlops_estimated_accuracy", model="digits") == 0.87
    assert value(samples, "mlops_live_mean_error", model="regressor") == 2.5
    assert value(samples, "mlops_performance_degraded", model="digits") == 1
    assert value(samples, "mlops_performance_degraded", model="regressor") == 0
    assert value(samples, "mlops_rollout_weight", model="digits", version="4") == 5
    assert value(samples, "mlops_jobs", state="pending") == 1
    assert value(samples, "mlops_job_oldest_pending_seconds") > 86400
    assert value(samples, "mlops_transitions_queued") == 1
    assert value(samples, "mlops_transition_oldest_queued_seconds") > 86400
    assert value(samples, "mlops_queue_messages", queue="promotion", state="in_flight") == 2


def test_a_verdict_on_a_version_that_no_longer_serves_is_not_shown(samples):
    shown = {
        (each.labels["model"], each.labels["version"])
        for each in samples
        if each.name.startswith(("mlops_drift", "mlops_column"))
    }
    assert shown == {("digits", "3")}


def test_buckets_are_cumulative(samples):
    found = [each.value for each in samples if each.name == "mlops_prediction_confidence_bucket"]
    assert found == sorted(found)


def test_the_first_scrape_of_an_empty_platform_is_complete():
    text = render(Reading(at=0.0, totals={}, serving={"digits": {}})).decode()
    assert 'mlops_production_model{model="digits"} 0.0' in text
    assert 'mlops_jobs{state="failed"} 0.0' in text


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\bmlops_[a-z_]+", expression))


def test_dashboards_and_rules_name_only_what_is_exported(samples):
    exported = {each.name for each in samples}
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    expressions = [rule["expr"] for rule in rules]
    for path in (MONITORING / "grafana" / "dashboards").glob("*.json"):
        expressions += dashboard_expressions(json.loads(path.read_text()))
    named = set().union(*map(names_in, expressions))
    assert len(named) > 15
    assert named - exported == set()


def test_every_alert_says_what_happened_what_it_means_and_what_to_do():
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert list(rule["annotations"]) == ["summary", "impact", "remedy"], rule["alert"]
        assert all(len(text) > 20 for text in rule["annotations"].values()), rule["alert"]
        assert rule["annotations"]["remedy"].endswith("."), rule["alert"]


def dashboard_expressions(dashboard: Any) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [each["expr"] for each in dashboard["annotations"]["list"]]
    return found + [each["definition"] for each in dashboard["templating"]["list"] if "definition" in each]


@pytest.mark.parametrize("name", ["model", "platform"])
def test_dashboards_are_what_grafana_takes(name):
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / f"{name}.json").read_text())
    assert {"uid", "title", "panels", "templating", "time", "schemaVersion"} <= dashboard.keys()
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & own, f"{panel['title']} overlaps another panel"
        cells |= own
        if panel["type"] != "row":
            assert panel["description"]
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references)


def test_every_metric_stands_in_the_docs(reading):
    families = {family.name for family in text_string_to_metric_families(render(reading).decode())}
    written = set(re.findall(r"`(mlops_[a-z_]+)`", (ROOT / "docs" / "monitoring.md").read_text()))
    assert {name.removesuffix("_total") for name in written} == families


def test_the_tables_are_read(stats, records, stats_table, make_line):
    dynamodb, sqs = boto3.resource("dynamodb"), boto3.client("sqs")
    make_table("JobsTable", "jobs")
    history = make_table("TransitionsTable", "transitions")
    boto3.client("s3").create_bucket(Bucket="artifacts")
    url = sqs.create_queue(QueueName="promotion")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    jobs = JobsTable(DynamoTable(dynamodb.Table("jobs")))
    for number in range(1, 4):
        jobs.create(Job(f"job_{number:06d}"))
    jobs.move("job_000003", JobStatus.FAILED, 1)
    old = {"job_id": "job_000000", "kind": "job", "created_at": "2020-01-01T00:00:00.000Z"}
    dynamodb.Table("jobs").put_item(Item={**old, "status": "pending"})
    dynamodb.Table("jobs").put_item(Item={**old, "job_id": "job_000000x", "status": "failed"})
    foreign = {"kind": "job", "started_at": now()}  # as the version before kept events of others' jobs
    dynamodb.Table("jobs").put_item(Item={**foreign, "job_id": "job_000009", "status": "running"})
    dynamodb.Table("jobs").put_item(Item={**foreign, "job_id": "nightly", "status": "pending"})
    line = counts_of(make_line(5))
    stats.add([Marker("d")], {(SERIES, "2026-01-01T00"): line}, {SERIES: lifetime(line)})
    transitions = TransitionsTable(DynamoTable(history))
    queued = transition("tr_1", now())
    transitions.create(queued)
    history.put_item(Item={"model_name": "digits", "transition_id": "tr_2", "open": "1"})
    feedback = FeedbackTable(DynamoTable(make_table("FeedbackTable", "feedback")))
    place = LabelPlace("digits", Mint().make(1).text, 0, time.time())
    feedback.keep({place: KeptAnswers(4, "Production", "2026-01-01T00", ((0.25, 0.75),), (0, 1))})
    feedback.give(place, 1, "ann", None, replace=False)
    PerformanceRecords(feedback._table).save(
        PerformanceRecord("digits", 4, Performance.OK, "accuracy", 1.0, "fine", 1, 1.0, now())
    )
    transitions.create(replace(transition("tr_3", now()), status=TransitionStatus.AWAITING_APPROVAL))
    rollouts = RolloutsTable(DynamoTable(make_table("RolloutsTable", "rollouts")))
    for open_one in (rollout(), rollout(model_name="other")):
        assert rollouts.create(open_one)
    assert rollouts.end(open_one, RolloutStatus.ABORTED), "it stays in the index until its end is told"
    sources = Sources(
        MetricsSettings("digits", json.dumps({"promotion": url})),
        *(stats, ServedModels("artifacts"), records, jobs, transitions, feedback, PerformanceRecords(feedback._table)),
        rollouts,
    )
    found = sources.read()
    assert found.open_transitions == [queued]
    assert [each.model_name for each in found.rollouts] == ["digits"]
    assert sorted(job.job_id for job in found.jobs) == [f"job_{number:06d}" for number in range(4)]
    assert found.totals[SERIES]["n"] == 5
    assert found.labels["digits", 4]["n"] == 1
    assert [record.status for record in found.performance] == [Performance.OK]
    assert (found.serving, found.unreadable) == ({"digits": {}}, [])
    s3 = boto3.client("s3")
    for name in ("digits", "other"):
        body = served(4, model_name=name).manifest.to_json()
        s3.put_object(Bucket="artifacts", Key=f"serving/{name}/Production.json", Body=as_a_newer_version_writes(body))
    for name, body in (("deep", b"[" * 100_000), ("later", b'{"schema":1,"min_reader":99}'), ("torn", b"{")):
        s3.put_object(Bucket="artifacts", Key=f"serving/{name}/Production.json", Body=body)
    again = sources.read()
    assert again.serving == {
        "deep": {},
        "digits": {"Production": 4},
        "later": {},
        "other": {"Production": 4},
        "torn": {},
    }
    assert again.unreadable == [(name, "Production") for name in ("deep", "later", "torn")]
    assert again.refused == []
    refused = served(4, model_name="digits").with_manifest(refusal="no probabilities").manifest.to_json()
    s3.put_object(Bucket="artifacts", Key="serving/digits/Production.json", Body=refused)
    assert sources.read().refused == [("digits", "Production")]
    assert found.queues == {"promotion": QueueDepth(1, 0)}
    assert b"mlops_predictions_total" in render(found)


def test_a_transition_whose_event_comes_twice_counts_once(stats, monkeypatch):
    from metrics import transition_events

    monkeypatch.setattr(transition_events, "_stats", lambda: stats)
    detail = {"transition_id": "tr_1", "model_name": "digits", "stage": "Production", "status": "rejected"}
    for identifier in ("tr_1", "tr_1", "tr_2"):
        transition_events.count_transition({**detail, "transition_id": identifier})
    assert stats.totals()[TRANSITIONS] == {"digits/Production/rejected": 2}
