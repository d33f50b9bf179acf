"""Metrics within log lines, read as CloudWatch reads them; alarms and the dashboard name only what is written."""

import io
import json
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from samtranslator.yaml_helper import yaml_parse

from metrics.sources import Reading
from mlops.aws.embedded_metrics import embedded
from mlops.domain.drift.counts import Summary
from mlops.domain.drift.record import DriftRecord
from mlops.domain.drift.verdict import DriftThresholds, detect
from mlops.domain.job import Job, JobStatus
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops.domain.transition import Transition
from predict import records
from prediction_log import app as log
from tests.template.reading import NESTED

CONTEXT = SimpleNamespace(function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="r")
UNITS = {"None", "Count", "Seconds", "Milliseconds", "Percent", "Bytes"}
Metrics = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics_of(line: dict[str, Any]) -> Metrics:
    """What CloudWatch makes of a line: (name, dimensions) → value. The rules are the embedded metric format's."""
    found: Metrics = {}
    assert type(line["_aws"]["Timestamp"]) is int
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
        assert 0 < len(directive["Namespace"]) <= 255
        for names in directive["Dimensions"]:
            dimensions = tuple((name, line[name]) for name in names)
            assert all(isinstance(value, str) and value for _, value in dimensions)
            for metric in directive["Metrics"]:
                assert metric["Unit"] in UNITS
                assert type(line[metric["Name"]]) in (int, float)
                found[metric["Name"], dimensions] = line[metric["Name"]]
    return found


def lines_of(monkeypatch: pytest.MonkeyPatch, module: Any) -> Any:
    """A module's log lines from here on, as the function writes them."""
    stream = io.StringIO()
    monkeypatch.setattr(module, "logger", Logger(service=f"{module.__name__}-{time.time_ns()}", stream=stream))
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def reading(**changes: Any) -> Reading:
    return Reading(**{"at": time.time(), "totals": {}, "serving": {"digits": {}}, **changes})


def before(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


def waiting(seconds: float) -> Transition:
    return Transition("tr_1", "digits", 3, Stage.PRODUCTION, "ann", created_at=before(seconds))


def job(seconds: float, status: str) -> Job:
    return Job("job_000001", status=JobStatus(status), created_at=before(seconds))


def test_a_metric_without_dimensions_is_there_for_an_alarm(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "mlops-prod")
    line = embedded({"Waiting": (2.5, "Seconds"), "Jobs": (3, "Count")})
    assert metrics_of(line) == {("Waiting", ()): 2.5, ("Jobs", ()): 3}
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "mlops-prod"
    assert [metric["Unit"] for metric in directive["Metrics"]] == ["Seconds", "Count"]


def test_a_metric_is_there_once_for_each_set_of_dimensions(monkeypatch):
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    line = embedded({"Psi": (0.3, "None")}, [["model"], ["model", "signal"], []], model="digits", signal="confidence")
    model, signal = ("model", "digits"), ("signal", "confidence")
    assert metrics_of(line) == {("Psi", (model,)): 0.3, ("Psi", (model, signal)): 0.3, ("Psi", ()): 0.3}
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "mlops"


def test_the_health_report_says_who_waits_longest_and_what_serves(monkeypatch):
    from metrics import health_report

    lines = lines_of(monkeypatch, health_report)
    jobs = [job(100, "pending"), job(4000, "pending"), job(9000, "running")]
    jobs += [job(0, status) for status in ("failed", "failed", "completed", "cancelled")]
    serving = {"digits": {"Production": 3, "Staging": 4}, "other": {"Staging": 1}}
    health_report.report(reading(jobs=jobs, open_transitions=[waiting(60), waiting(30)], serving=serving))
    found: Metrics = {}
    for line in lines():
        found |= metrics_of(line)
    assert found.pop(("OldestPendingJob", ())) == pytest.approx(4000, abs=10)
    assert found.pop(("OldestQueuedTransition", ())) == pytest.approx(60, abs=10)
    assert found.pop(("ProductionModels", ())) == 1
    states = {"pending": 2, "running": 1, "completed": 1, "failed": 2}
    assert found == {("Jobs", (("state", state),)): count for state, count in states.items()}


def test_the_health_report_of_an_empty_platform_is_zero_and_not_silence(monkeypatch):
    """An alarm on what nobody reports would never come back to OK."""
    from metrics import health_report

    lines = lines_of(monkeypatch, health_report)
    health_report.report(reading())
    values = [value for line in lines() for value in metrics_of(line).values()]
    assert values == [0] * 7


def test_the_schedule_reports_health_and_an_event_counts_a_transition(monkeypatch):
    from metrics import app, health_report

    lines, counted = lines_of(monkeypatch, health_report), []
    monkeypatch.setattr(app, "count_transition", counted.append)
    sources = SimpleNamespace(read=lambda: reading(jobs=[job(50, "pending")]))
    monkeypatch.setattr(app, "Sources", SimpleNamespace(from_environment=lambda: sources))
    transition = {"transition_id": "tr_1"}
    app.handler({"detail-type": "Model Transition", "source": "mlops", "detail": transition}, CONTEXT)
    assert (counted, lines()) == ([transition], [])
    app.handler({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}, CONTEXT)
    assert counted == [transition]
    assert metrics_of(lines()[0])["OldestPendingJob", ()] == pytest.approx(50, abs=10)


@pytest.fixture
def written(monkeypatch, stats, make_delivery) -> set[tuple[str, frozenset[str]]]:
    """Every metric that the functions and the metric filters write: its name and its dimensions' names."""
    from drift import check as drift_check
    from metrics import health_report

    monkeypatch.setattr(log, "stats", lambda: stats)
    monkeypatch.setattr(log, "keep", lambda: lambda kept, samples: None)
    logs = [lines_of(monkeypatch, module) for module in (health_report, drift_check, log)]
    health_report.report(reading())
    even, two = Summary(400, {str(n): 40 for n in range(10)}, {}), Summary(400, {"0": 200, "1": 200}, {})
    drift_check._log(DriftRecord.of("digits", 3, detect(two, even, even, DriftThresholds()), now()))
    log.handler.__wrapped__({"awslogs": {"data": make_delivery("cut off")}}, None)
    names = {
        (name, frozenset(dict(dimensions)))
        for lines in logs
        for line in lines()
        for name, dimensions in metrics_of(line)
    }
    names |= {(name, frozenset(("model_name", "stage"))) for name in records.COUNTED.values()}
    for resource in observability()["Resources"].values():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            for each in resource["Properties"]["MetricTransformations"]:
                dimensions = frozenset(dimension["Key"] for dimension in each.get("Dimensions", []))
                names.add((each["MetricName"], dimensions))
    return names


def observability() -> dict[str, Any]:
    document: dict[str, Any] = yaml_parse(NESTED["Observability"].read_text())
    return document


def test_every_alarm_watches_a_metric_that_is_written(written):
    alarms = [
        (
            each["Properties"]["MetricName"],
            frozenset(dimension["Name"] for dimension in each["Properties"].get("Dimensions", [])),
        )
        for each in observability()["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm" and each["Properties"].get("Namespace") == {"Ref": "Namespace"}
    ]
    assert {"OldestPendingJob", "DriftAlert", "LinesSkipped", "PredictionLatency"} <= {name for name, _ in alarms}
    assert set(alarms) - written == set()


def test_the_dashboard_shows_metrics_that_are_written(written):
    body = observability()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    searched = re.findall(r'\{\\"\$\{Namespace\}\\",([\w,]+)\} MetricName=\\"(\w+)\\"', body)
    shown = {(name, frozenset(dimensions.split(","))) for dimensions, name in searched}
    for name, rest in re.findall(r'\["\$\{Namespace\}", "(\w+)"((?:, "\w+")*)', body):
        shown.add((name, frozenset(re.findall(r'"(\w+)"', rest)[::2])))
    assert len(shown) >= 10
    assert shown - written == set()
