"""Deliveries: counted right, once, in their own hour; what is unreadable is counted as skipped."""

import base64
import gzip
import json
import sys
import time
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.openapi import load_function
from mlops.prediction_counts import counts_of
from mlops.prediction_stats import NAMES_AN_UPDATE, REFUSED, SKIPPED, PredictionStats, Series, hour_of, hours_before

SERIES = Series("digit-classifier", 3, "Production")


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"


@pytest.fixture
def deliver(stats):
    app = load_function("prediction_log")
    app.stats = lambda: stats
    return lambda data: app.handler({"awslogs": {"data": data}}, Context())


def window(stats, series=SERIES):
    return stats.window(series, "2000-01-01T00")


def test_lines_are_added_to_their_hour_and_to_the_totals(stats, deliver, make_line, make_delivery):
    lines = [make_line(4, seed=seed) for seed in range(10)]
    expected = sum((counts_of(line) for line in lines[1:]), start=counts_of(lines[0]))
    assert deliver(make_delivery(*lines))["lines"] == 10
    assert dict(stats.hours(SERIES, "2000-01-01T00")) == {hour_of(time.time()): expected}
    totals = stats.totals("digit-classifier")[SERIES]
    assert totals["n"] == 40
    assert "s00" not in totals


def test_a_delivery_that_comes_twice_counts_once(stats, deliver, make_line, make_delivery):
    data = make_delivery(*[make_line(2, seed=seed) for seed in range(5)])
    deliver(data)
    before = window(stats), stats.totals()
    assert deliver(data)["new_pieces"] == 0
    assert (window(stats), stats.totals()) == before


def test_the_same_line_twice_in_a_delivery_counts_once(stats, deliver, make_line, make_delivery):
    line = make_line(2)
    deliver(make_delivery(line, line, ids=["same", "same"]))
    assert window(stats)["n"] == 2


@pytest.fixture
def deep() -> Iterator[None]:
    """moto parses an update expression by recursion, three frames a name; DynamoDB does not."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(limit)


def test_a_delivery_broken_off_in_the_middle_is_completed_by_the_next(deep, stats, deliver, make_line, make_delivery):
    """Two versions and many classes: several transactions, of which the second fails at first."""
    lines = [
        make_line(1, seed=n, predictions=[f"class {n}"], model_version=1 + n % 2) for n in range(2 * NAMES_AN_UPDATE)
    ]
    data = make_delivery(*lines)
    original, calls = stats._client.transact_write_items, []

    def failing(**request):
        calls.append(request)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "?"}}, "TransactWriteItems")
        return original(**request)

    stats._client.transact_write_items = failing
    with pytest.raises(ClientError, match="InternalServerError"):
        deliver(data)
    deliver(data)
    stats._client.transact_write_items = original
    found = [window(stats, Series("digit-classifier", version, "Production")) for version in (1, 2)]
    assert [counts["n"] for counts in found] == [NAMES_AN_UPDATE] * 2
    assert sum(counts[f"p:class {n}"] for counts in found for n in range(2 * NAMES_AN_UPDATE)) == len(lines)
    for request in calls:
        for write in request["TransactItems"]:
            update = write.get("Update")
            assert update is None or len(update["UpdateExpression"]) <= 4096
            assert update is None or len(update["ExpressionAttributeValues"]) <= 300


def test_throttling_and_conflicts_are_tried_again_and_nothing_is_lost(stats, deliver, make_line, make_delivery):
    original, failures = stats._client.transact_write_items, ["TransactionConflict", "ThrottlingError"]

    def throttled(**request):
        if failures:
            reasons = [{"Code": "None"}, {"Code": failures.pop()}]
            error = {"Error": {"Code": "TransactionCanceledException", "Message": "?"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        return original(**request)

    stats._client.transact_write_items = throttled
    deliver(make_delivery(make_line(3)))
    assert window(stats)["n"] == 3


def test_throttling_without_end_is_raised_so_that_the_delivery_comes_again(stats_table, make_line):
    stats = PredictionStats(stats_table, patience_seconds=0.1)

    def throttled(**request):
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "?"}}, "TransactWriteItems")

    stats._client.transact_write_items = throttled
    with pytest.raises(ClientError):
        stats.add("d", SERIES, "2026-01-01T00", {"n": 1}, {})


@pytest.mark.parametrize("hours", [-1, 0, 1, 5, 24])
def test_late_and_early_lines_land_in_their_own_hour(stats, deliver, make_line, make_delivery, hours):
    """An hour late, a day late, or an hour ahead by a clock that is fast."""
    deliver(make_delivery(make_line(1), seconds=time.time() - hours * 3600))
    assert [hour for hour, _ in stats.hours(SERIES, "2000-01-01T00")] == [hours_before(hour_of(time.time()), hours)]


def test_lines_of_two_hours_in_one_delivery_are_told_apart(stats, deliver, make_line, make_delivery, monkeypatch):
    import delivery as delivery_module

    now = time.time()
    first = delivery_module.Line("a", now - 3600, json.dumps(make_line(1)))
    second = delivery_module.Line("b", now, json.dumps(make_line(2)))
    from line_counts import count_lines

    counted = count_lines(delivery_module.Delivery("d", (first, second)))
    assert [(hour, counts["n"]) for _, hour, counts, _ in counted.pieces] == [
        (hour_of(now - 3600), 1),
        (hour_of(now), 2),
    ]


def test_what_cannot_be_counted_is_skipped_and_counted_as_such(stats, deliver, make_line, make_delivery):
    line = make_line(2)
    cut = json.dumps(line)[:100]
    answer = deliver(
        make_delivery(
            line, cut, "", "[1]", {"event": "mlops.cold"}, {**line, "n": 5}, make_line(1, model_version="3"), "{" * 5000
        )
    )
    assert answer == {"lines": 1, "skipped": 7, "new_pieces": 2}
    assert stats.totals()[SKIPPED] == {"not_json": 3, "another_event": 2, "malformed": 2}
    assert window(stats)["n"] == 2
    deliver(make_delivery(line, seconds=time.time() + 3 * 3600))
    deliver(make_delivery(line, seconds=time.time() - 15 * 24 * 3600))
    assert stats.totals()[SKIPPED]["time"] == 2


@pytest.mark.parametrize(
    "data",
    [
        "not base64!",
        base64.b64encode(b"not gzip").decode(),
        base64.b64encode(gzip.compress(b"x" * 1000)[:-9]).decode(),
        base64.b64encode(gzip.compress(b"not json")).decode(),
        base64.b64encode(gzip.compress(b'{"messageType": "DATA_MESSAGE"}')).decode(),
        base64.b64encode(gzip.compress(b'{"messageType": "DATA_MESSAGE", "logEvents": [{"id": 1}]}')).decode(),
    ],
)
def test_an_unreadable_delivery_is_skipped_once(stats, deliver, data):
    deliver(data)
    deliver(data)
    assert stats.totals()[SKIPPED] == {"undecodable": 1}


def test_a_control_message_counts_nothing(stats, deliver, make_line, make_delivery):
    deliver(make_delivery(make_line(1), messageType="CONTROL_MESSAGE"))
    assert stats.totals() == {}


def test_refused_requests_are_counted_by_status_and_code(stats, deliver, make_delivery):
    refused = {"event": "mlops.prediction", "status": 422, "code": "validation_failed", "n": 0, "latency_ms": 1}
    deliver(make_delivery(refused, refused, {**refused, "status": 409, "code": "no_model_in_stage"}))
    assert stats.totals()[REFUSED] == {"422/validation_failed": 2, "409/no_model_in_stage": 1}


def test_stages_are_counted_apart(stats, deliver, make_line, make_delivery):
    deliver(make_delivery(make_line(1), make_line(2, stage="Staging")))
    assert window(stats)["n"] == 1
    assert window(stats, Series("digit-classifier", 3, "Staging"))["n"] == 2


def test_sampled_inputs_go_to_the_bucket_and_are_not_counted(stats, deliver, make_line, make_delivery, monkeypatch):
    import input_samples

    monkeypatch.setenv("ARTIFACT_BUCKET", "artifacts")
    input_samples._s3.cache_clear()
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    sample = {name: value for name, value in make_line(1).items() if name.startswith("model") or name == "stage"}
    sample |= {"event": "mlops.prediction", "kind": "sample", "inputs": "AAAA", "dtype": "uint8", "n": 1}
    data = make_delivery(sample, make_line(2), {**sample, "model_version": "x"})
    deliver(data)
    deliver(data)
    (found,) = s3.list_objects_v2(Bucket="artifacts")["Contents"]
    assert found["Key"].startswith("samples/digit-classifier/3/")
    kept = json.loads(s3.get_object(Bucket="artifacts", Key=found["Key"])["Body"].read())
    assert (kept["inputs"], kept["stage"]) == ("AAAA", "Production")
    assert window(stats)["n"] == 2
    assert stats.totals()[SKIPPED] == {"malformed": 1}
    input_samples._s3.cache_clear()


def test_the_item_of_an_hour_shows_no_input(stats_table, deliver, make_line, make_delivery):
    deliver(make_delivery(make_line(1)))
    for item in stats_table.scan()["Items"]:
        assert all(isinstance(value, str) or value == int(value) for value in item.values())
        assert len(str(item)) < 10_000
