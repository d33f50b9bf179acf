"""From predict's log lines to the feedback table: what is kept, once, and what a line must look like for it."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_place import LabelPlace
from mlops.aws.stats_table import PredictionStats, Series, hour_of
from mlops.domain.feedback.kept_answers import KeptAnswers, Malformed, kept_of
from mlops.domain.feedback.own_id import hashed
from mlops.domain.feedback.prediction_id import Mint
from prediction_log import app
from prediction_log.waiting_answers import keep_in
from tests.support.tables import make_table
from tests.unit.drift.conftest import make_delivery  # noqa: F401

SERIES = Series("churn", 3, "Production")


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"


def line_of(outputs: Any, /, **feedback: Any) -> dict[str, Any]:
    """The line of rows with these probabilities of no and yes."""
    numbers = np.array(outputs, "<f4")
    kept = {
        "id": Mint().make(1).text,
        "n": len(numbers),
        "outputs": base64.b64encode(numbers.tobytes()).decode(),
        "labels": ["no", "yes"],
        **feedback,
    }
    return {
        "event": "mlops.prediction",
        "request_id": "r",
        "status": 200,
        "cache": "miss",
        "latency_ms": 1.0,
        "model_name": "churn",
        "model_version": 3,
        "stage": "Production",
        "n": len(numbers),
        "predictions": [["no", "yes"][row.argmax()] for row in numbers],
        "confidences": [float(row.max()) for row in numbers],
        "feedback": {name: value for name, value in kept.items() if value is not None},
    }


@pytest.fixture
def stats(aws: None) -> PredictionStats:
    return PredictionStats(DynamoTable(make_table("PredictionStatsTable", f"stats-{time.time_ns()}")))


@pytest.fixture
def deliver(stats: PredictionStats, table: FeedbackTable, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.setattr(app, "stats", lambda: stats)
    monkeypatch.setattr(app, "keep", lambda: keep_in(table))
    return lambda data: app.handler({"awslogs": {"data": data}}, Context())


def place(id_: str, row: int = 0) -> LabelPlace:
    return LabelPlace("churn", id_, row, time.time())


def test_a_delivery_that_comes_twice_keeps_the_same(
    deliver: Any,
    table: FeedbackTable,
    stats: PredictionStats,
    make_delivery: Any,  # noqa: F811
) -> None:
    line = line_of([[0.25, 0.75], [0.9, 0.1]])
    data = make_delivery(line)
    assert deliver(data)["lines"] == deliver(data)["lines"] + 1
    assert table.give(place(line["feedback"]["id"], 1), "yes", "test", None, replace=False) == "counted"
    assert deliver(data)["lines"] == 0
    ((_, totals),) = table.totals.hours("churn", 3, "0000")
    assert (totals["n"], totals["h"]) == (1, 0)
    assert stats.window(SERIES, "0000")["f"] == 2


def test_own_ids_find_their_rows(deliver: Any, table: FeedbackTable, make_delivery: Any) -> None:  # noqa: F811
    own = [hashed("order 1"), hashed("order 2")]
    table.give(place(own[1]), "no", "test", None, replace=False)
    deliver(make_delivery(line_of([[0.25, 0.75], [0.9, 0.1]], own=own)))
    assert table.give(place(own[0]), "no", "test", None, replace=False) == "counted"
    ((_, totals),) = table.totals.hours("churn", 3, "0000")
    assert (totals["n"], totals["h"]) == (2, 1)


def test_a_function_killed_before_the_lines_count_counts_them_at_the_next_delivery(
    deliver: Any,
    table: FeedbackTable,
    stats: PredictionStats,
    make_delivery: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = line_of([[0.25, 0.75]])
    table.give(place(line["feedback"]["id"]), "yes", "test", None, replace=False)
    data, add = make_delivery(line), stats.add

    def killed(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(stats, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        deliver(data)
    monkeypatch.setattr(stats, "add", add)
    assert deliver(data)["lines"] == 1
    ((_, totals),) = table.totals.hours("churn", 3, "0000")
    assert (totals["n"], totals["h"]) == (1, 1)
    assert stats.window(SERIES, "0000")["f"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "short"},
        {"id": 7},
        {"outputs": "no base64"},
        {"outputs": base64.b64encode(b"123").decode()},
        {"outputs": base64.b64encode(np.array([np.nan, 1], "<f4").tobytes()).decode()},
        {"labels": ["no"]},
        {"labels": ["no", "no"]},
        {"labels": "no"},
        {"labels": ["no", None]},
        {"labels": ["no", ["yes"]]},
        {"labels": None},
        {"n": 0},
        {"n": True},
        {"n": None},
        {"own": ["A" * 20, "B" * 20]},
        {"own": [7]},
        {"own": "A"},
        {"labels": None, "unit": 400},
    ],
)
def test_a_line_that_predict_does_not_write_is_refused(
    wrong: dict[str, Any],
    deliver: Any,
    make_delivery: Any,  # noqa: F811
) -> None:
    line = line_of([[0.25, 0.75]], **wrong)
    with pytest.raises(Malformed):
        kept_of(line, "2026-01-31T23")
    assert deliver(make_delivery(line))["skipped"] == 1


def test_a_field_that_is_no_object_is_refused() -> None:
    with pytest.raises(Malformed):
        kept_of({**line_of([[0.25, 0.75]]), "feedback": [1]}, "2026-01-31T23")


def test_content_is_read_as_it_was_written() -> None:
    kept = kept_of(line_of([[0.25, 0.75], [0.125, 0.875]]), hour_of(0))
    assert kept is not None
    again = KeptAnswers.from_content(3, "Production", hour_of(0), kept.answers.to_content())
    assert again == kept.answers
    assert len(json.dumps(again.labels)) < len(kept.answers.to_content()) < 200
