"""From a request to the alert that names the column: predict, prediction_log and the drift check on one AWS."""

import base64
import gzip
import json
import time
import uuid
from typing import Any

import boto3
import pytest

import drift.check
import drift.report
import prediction_log.app
from drift.app import handler as drift_handler
from mlops.aws import drift_events
from mlops.aws.dynamodb import table_named
from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
from mlops.domain.drift.column_drift import NO_REFERENCE
from mlops_contract import Column, ColumnType, Task
from tests.support.table_models import served_table
from tests.support.tables import make_table
from tests.support.watched_tables import Row, customers, numbers, rows_of_numbers, watched_table

MODEL, ROWS_PER_REQUEST = "churn", 100
HELD_OUT = customers(1000, seed=1)


class Platform:
    """The three functions as they are deployed, with what comes out of topic and bus."""

    def __init__(self, store: Any, start: Any, lines: Any, context: Any) -> None:
        self.store, self._start, self._lines, self._context = store, start, lines, context
        self.predict: Any = None
        self.sqs = boto3.client("sqs")
        self.mail = self.sqs.create_queue(QueueName=f"mail-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.mail, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("sns").subscribe(TopicArn=context["topic"], Protocol="sqs", Endpoint=arn)

    @property
    def stats(self) -> PredictionStats:
        return prediction_log.app.stats()

    def serve(self, served: Any) -> None:
        self.store.promote(served)
        self.predict = self._start()
        self._lines()

    def ask(self, rows: list[Row], model: str = MODEL) -> list[dict[str, Any]]:
        """Send the rows in batches, and return the log lines."""
        for first in range(0, len(rows), ROWS_PER_REQUEST):
            batch = rows[first : first + ROWS_PER_REQUEST]
            answer = self.predict.call({"rows": batch, "model_name": model}, "/predict/batch")
            assert answer.status == 200, answer.text
        return [line for line in self._lines() if line["event"] == "mlops.prediction"]

    def deliver(
        self, lines: list[dict[str, Any]], *, ids: list[str] | None = None, seconds: float | None = None
    ) -> Any:
        """Hand lines to prediction_log, as the subscription does."""
        at = int((time.time() if seconds is None else seconds) * 1000)
        names = ids or [uuid.uuid4().hex for _ in lines]
        events = [
            {"id": name, "timestamp": at, "message": json.dumps(line)} for name, line in zip(names, lines, strict=True)
        ]
        message = {"messageType": "DATA_MESSAGE", "logGroup": "predict", "logStream": "s", "logEvents": events}
        data = base64.b64encode(gzip.compress(json.dumps(message).encode())).decode()
        answer = prediction_log.app.handler({"awslogs": {"data": data}}, self._context["lambda"])
        self._lines()
        return answer

    def check(self) -> Any:
        verdicts = drift_handler({"source": "aws.events"}, self._context["lambda"])
        self._lines()
        return verdicts

    def alerts(self) -> list[str]:
        texts = []
        while messages := self.sqs.receive_message(QueueUrl=self.mail, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                texts.append(json.loads(message["Body"])["Message"])
                self.sqs.delete_message(QueueUrl=self.mail, ReceiptHandle=message["ReceiptHandle"])
        return texts

    def watch(self, rows: list[Row]) -> str:
        """Send rows, check, and return the text of the alert."""
        self.deliver(self.ask(rows))
        assert self.check() == {MODEL: "alert"}
        (text,) = self.alerts()
        return text

    def columns(self, **query: Any) -> Any:
        return drift.report.DriftReport.from_environment().columns(
            query.get("model"), 24, query.get("column"), query.get("moved", False)
        )


class LambdaContext:
    function_name = function_version = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"


@pytest.fixture
def platform(store: Any, start: Any, lines: Any, monkeypatch: pytest.MonkeyPatch) -> Platform:
    name, feedback, governance = (f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("stats", "feedback", "governance"))
    make_table("PredictionStatsTable", name)
    make_table("FeedbackTable", feedback)
    make_table("GovernanceTable", governance)
    topic = boto3.client("sns").create_topic(Name=f"alerts-{uuid.uuid4().hex[:8]}")["TopicArn"]
    for variable, value in {
        "PREDICTION_STATS_TABLE": name,
        "FEEDBACK_TABLE": feedback,
        "GOVERNANCE_TABLE": governance,
        "ALERTS_TOPIC": topic,
        "EVENT_BUS": "default",
        "DEFAULT_MODEL_NAME": MODEL,
        "ACCESS_KEYS_TABLE": "keys",
    }.items():
        monkeypatch.setenv(variable, value)
    cached = (
        prediction_log.app.stats,
        prediction_log.app.keep,
        drift.check._check,
        drift.report._report,
        drift_events._events,
        table_named,
    )
    for made in cached:
        made.cache_clear()
    return Platform(store, start, lines, {"topic": topic, "lambda": LambdaContext()})


@pytest.fixture
def watched(platform: Platform) -> Platform:
    platform.serve(watched_table(HELD_OUT))
    return platform


def test_rows_like_the_held_out_ones_are_stable(watched: Platform) -> None:
    watched.deliver(watched.ask(customers(600, seed=2)))
    assert watched.check() == {MODEL: "stable"}
    assert watched.alerts() == []
    answer = watched.columns()
    assert (answer.rows, answer.reference_rows, answer.status) == (600, 1000, "stable")
    assert {column.name for column in answer.columns} == set(HELD_OUT[0])
    assert all(sum(column.counts) == 600 and column.message is None for column in answer.columns)


def test_a_unit_error(watched: Platform) -> None:
    text = watched.watch([row | {"income": row["income"] * 100} for row in customers(300, seed=2)])
    assert "income: 100 % of the rows are above the training range (0 % of the held-out rows); were units" in text
    assert "age" not in text
    first = watched.columns().columns[0]
    assert (first.name, first.changes) == ("income", ["above_range", "distribution"])
    assert first.bins[-1].startswith("above ")
    assert first.counts[-1] == 300


@pytest.mark.parametrize("row", [{"age": None}, {}], ids=["null", "left out"])
def test_a_dropped_column(watched: Platform, row: Row) -> None:
    without = [{name: value for name, value in one.items() if name != "age"} | row for one in customers(300, seed=2)]
    text = watched.watch(without)
    assert "age: all rows have no value (2.4 % of the held-out rows); is the column still sent?" in text


def test_a_new_category(watched: Platform) -> None:
    rows = [row | {"job": "astronaut"} if place % 20 == 0 else row for place, row in enumerate(customers(1000, 2))]
    text = watched.watch(rows)
    assert "job: 5 % of the rows have a value that training did not see (0 % of the held-out rows)" in text
    assert "astronaut" not in text  # no value of a request is kept anywhere
    assert watched.columns(column="job").columns[0].unseen == 0.05


def test_a_burst_of_missing_values(watched: Platform) -> None:
    rows = customers(500, seed=2)
    text = watched.watch([row | {"age": None} for row in rows[:100]] + rows[100:])
    assert "age: 21 % of the rows have no value (2.4 % of the held-out rows)" in text


def test_a_constant_column_that_changes(watched: Platform) -> None:
    text = watched.watch([row | {"country": "BE"} for row in customers(300, seed=2)])
    assert "country: 100 % of the rows have a value that training did not see" in text


def test_deliveries_that_come_twice_late_and_with_another_clock_count_once_in_their_hour(watched: Platform) -> None:
    now = time.time()
    rows = customers(800, seed=2)
    early, late = watched.ask(rows[:400]), watched.ask(rows[400:])
    names = [uuid.uuid4().hex for _ in early]
    moments = [now - 2 * 24 * 3600, now + 3600]  # a stream from two days ago, and a clock that is an hour fast
    for _ in range(3):
        for seconds, lines, suffix in zip(moments, (early, late), ("a", "b"), strict=True):
            watched.deliver(lines, ids=[name + suffix for name in names], seconds=seconds)
            # The same lines again, in other deliveries.
            watched.deliver(lines[:2], ids=[name + suffix for name in names[:2]], seconds=seconds)
    series = Series(MODEL, 1, "Production")
    first = hours_before(hour_of(now), 72)
    counted = dict(watched.stats.columns.hours(series, first))
    assert sorted(counted) == sorted(hour_of(seconds) for seconds in moments)
    for counts in counted.values():
        ((_, bins),) = counts.items()
        assert sum(bins) == 400 * len(HELD_OUT[0])
    assert watched.columns().rows == 400  # of the window, which has the last 24 hours and fast clocks


def test_the_alert_after_repeated_deliveries_of_a_fast_clock_has_the_share_of_the_rows(watched: Platform) -> None:
    rows = customers(400, seed=2)
    broken = [row | {"income": row["income"] * 100} for row in rows[:100]]
    watched.deliver(watched.ask(rows[100:]))
    lines = watched.ask(broken)
    names, fast = [uuid.uuid4().hex for _ in lines], time.time() + 3600
    for _ in range(6):  # if each delivery counted, 67 % of the rows would be broken
        watched.deliver(lines, ids=names, seconds=fast)
    assert watched.check() == {MODEL: "alert"}
    (text,) = watched.alerts()
    assert "income: 25 % of the rows are above the training range (0 % of the held-out rows); were units" in text
    watched.deliver(lines, ids=names, seconds=fast)
    assert watched.check() == {MODEL: "alert"}
    assert watched.alerts() == [], "it is told once"


def test_a_few_wrong_rows_that_are_delivered_again_and_again_are_no_alert(watched: Platform) -> None:
    rows = customers(600, seed=2)
    watched.deliver(watched.ask(rows[2:]))
    lines = watched.ask([row | {"income": row["income"] * 100} for row in rows[:2]])
    names, fast = [uuid.uuid4().hex for _ in lines], time.time() + 3600
    for _ in range(60):
        watched.deliver(lines, ids=names, seconds=fast)
    assert watched.check() == {MODEL: "stable"}
    assert watched.alerts() == []
    assert watched.columns().rows == 600


class TestQuantities:
    def test_an_input_in_another_unit_moves_the_answers_too(self, platform: Platform) -> None:
        columns = numbers(3)
        platform.serve(watched_table(rows_of_numbers(3, 1000), columns=columns, task=Task.REGRESSION))
        platform.deliver(platform.ask(rows_of_numbers(3, 300, seed=1)))
        assert platform.check() == {MODEL: "stable"}
        rows = [row | {"c1": row["c1"] * 1000} for row in rows_of_numbers(3, 300, seed=2)]
        text = platform.watch(rows)
        assert "c1: " in text
        assert "the model's answers: " in text
        roles = {column.name: column.role for column in platform.columns(moved=True).columns}
        assert roles == {"c1": "input", "prediction": "prediction"}

    def test_a_version_trained_on_a_target_of_another_unit_is_compared_with_its_own_answers(
        self, platform: Platform
    ) -> None:
        platform.serve(watched_table(rows_of_numbers(2, 500), columns=numbers(2), task=Task.REGRESSION))
        platform.deliver(platform.ask(rows_of_numbers(2, 300, seed=1)))
        assert platform.check() == {MODEL: "stable"}
        scaled = [{name: 100 * value for name, value in row.items()} for row in rows_of_numbers(2, 500)]
        platform.serve(watched_table(scaled, 2, columns=numbers(2), task=Task.REGRESSION))
        assert platform.check() == {MODEL: "insufficient_data"}  # version 1's counts are not version 2's
        platform.deliver(
            platform.ask([{n: 100 * v for n, v in row.items()} for row in rows_of_numbers(2, 300, seed=3)])
        )
        assert platform.check() == {MODEL: "stable"}


class TestUnusualModels:
    def test_without_a_reference_the_answer_says_what_to_do(self, platform: Platform) -> None:
        platform.serve(served_table(1))
        row = {"age": 41.5, "job": "baker", "visits": 1, "member": True, "since": "2024-05-17", "plan": "gold"}
        lines = platform.ask([row] * 300)
        assert all("columns" not in line for line in lines)
        platform.deliver(lines)
        assert platform.check() == {MODEL: "insufficient_data"}
        assert (platform.columns().columns, platform.columns().message) == ([], f"{NO_REFERENCE}.")

    def test_one_column_that_is_constant(self, platform: Platform) -> None:
        platform.serve(watched_table([{"c0": 7.0}] * 500, columns=numbers(1)))
        platform.deliver(platform.ask([{"c0": 7.0}] * 300))
        assert platform.check() == {MODEL: "stable"}
        assert platform.columns().columns[0].bins == ["missing", "below 7", "7 to 7", "above 7"]
        text = platform.watch([{"c0": 6.5}] * 300)
        assert "c0: 50 % of the rows are below the training range" in text

    def test_500_columns(self, platform: Platform) -> None:
        platform.serve(watched_table(rows_of_numbers(500, 400), columns=numbers(500)))
        lines = platform.ask(rows_of_numbers(500, 300, seed=1))
        assert max(len(json.dumps(line)) for line in lines) < 20_000
        platform.deliver(lines)
        assert platform.check() == {MODEL: "stable"}
        text = platform.watch([row | {"c123": None, "c7": 1e6} for row in rows_of_numbers(500, 300, seed=2)])
        assert text.index("c7: ") < text.index("GET /drift/status")
        assert {column.name for column in platform.columns(moved=True).columns} == {"c7", "c123"}

    def test_a_column_without_any_value(self, platform: Platform) -> None:
        platform.serve(watched_table([{"c0": None, "c1": 1.0}] * 300, columns=numbers(2)))
        text = platform.watch([{"c0": 5.0, "c1": 1.0}] * 300)
        assert "c0: the values are distributed differently" in text


def test_free_text_stands_nowhere(platform: Platform) -> None:
    held_out = [{"note": f"called {place} times"} for place in range(300)] + [{"note": "no answer"}] * 100
    served = watched_table(held_out, columns=(Column("note", ColumnType.STRING, 0),))
    assert "called 7 times" not in json.dumps(served.manifest.column_reference)
    platform.serve(served)
    platform.deliver(platform.ask([{"note": f"visited {place} times"} for place in range(300)] + held_out[-100:]))
    assert platform.check() == {MODEL: "stable"}
    assert platform.columns().columns[0].bins == ["missing", "no answer", "other", "unseen"]


def test_lines_of_a_version_that_is_gone_count_for_that_version(watched: Platform) -> None:
    lines = watched.ask([row | {"income": 1e9} for row in customers(300, seed=2)])
    watched.serve(watched_table(customers(900, seed=5), 2))
    watched.deliver(lines)
    assert watched.check() == {MODEL: "insufficient_data"}
    watched.deliver(watched.ask(customers(300, seed=3)))
    assert watched.check() == {MODEL: "stable"}
    assert watched.stats.columns.window(Series(MODEL, 1, "Production"), hour_of(time.time()))


def test_counts_in_bins_that_the_manifest_no_longer_has_are_left_out(watched: Platform) -> None:
    watched.deliver(watched.ask([row | {"income": 1e9} for row in customers(300, seed=2)]))
    watched.serve(watched_table(customers(900, seed=5)))  # the same version, with another reference
    watched.deliver(watched.ask(customers(300, seed=3)))
    assert watched.columns().rows == 300
    assert watched.check() == {MODEL: "stable"}


def test_lines_of_the_version_before_have_no_columns(watched: Platform) -> None:
    lines = watched.ask(customers(300, seed=2))
    watched.deliver([{name: value for name, value in line.items() if name != "columns"} for line in lines])
    answer = watched.columns()
    assert (answer.rows, answer.status) == (0, "insufficient_data")
    assert "there are 0 counted rows in the current window of the 200" in answer.message


def test_a_further_column_is_an_alert_of_its_own_and_the_end_is_told_once(watched: Platform) -> None:
    broken = [row | {"income": row["income"] * 100} for row in customers(300, seed=2)]
    assert "income" in watched.watch(broken)
    assert watched.check() == {MODEL: "alert"}
    assert watched.alerts() == []
    assert "age: " in watched.watch([row | {"age": None} for row in broken])
    assert watched.check() == {MODEL: "alert"}
    assert watched.alerts() == []


def test_repeated_requests_count_each_time(watched: Platform) -> None:
    lines = watched.ask(customers(10, seed=2))
    for _ in range(2):
        lines += watched.ask(customers(10, seed=2))
    assert [line["cache"] for line in lines] == ["miss", "hit", "hit"]
    watched.deliver(lines)
    counts = watched.stats.columns.window(Series(MODEL, 1, "Production"), hour_of(time.time()))
    assert sum(next(iter(counts.values()))) == 30 * len(HELD_OUT[0])
