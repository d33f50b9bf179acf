"""Deliveries: counted right, once, in their own hour; what is unreadable is counted as skipped."""

import base64
import gzip
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.stats_table import (
    NAMES_PER_UPDATE,
    REFUSED,
    SKIPPED,
    Marker,
    PredictionStats,
    Series,
    combined,
    hour_of,
    hours_before,
)
from mlops.domain.drift.counts import counts_of, lifetime
from prediction_log import app
from prediction_log.waiting_answers import keep_in
from tests.support.fuzzing import budget
from tests.support.tables import make_table

SERIES = Series("digit-classifier", 3, "Production")


class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "test"


@pytest.fixture
def deliver(stats, monkeypatch):
    monkeypatch.setattr(app, "stats", lambda: stats)
    monkeypatch.setattr(app, "keep", lambda: lambda kept, samples: None)
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
    assert deliver(data) == {"delivered": 5, "lines": 0, "skipped": 0}
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


@pytest.mark.slow
def test_a_delivery_broken_off_in_the_middle_is_completed_by_the_next(
    deep, stats, client, deliver, make_line, make_delivery
):
    """Two versions and many classes: several transactions, of which the second fails at first."""
    lines = [
        make_line(1, seed=n, predictions=[f"class {n}"], model_version=1 + n % 2) for n in range(2 * NAMES_PER_UPDATE)
    ]
    data = make_delivery(*lines)
    original, calls = client.transact_write_items, []

    def failing(**request):
        calls.append(request)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "?"}}, "TransactWriteItems")
        return original(**request)

    client.transact_write_items = failing
    with pytest.raises(ClientError, match="InternalServerError"):
        deliver(data)
    deliver(data)
    client.transact_write_items = original
    found = [window(stats, Series("digit-classifier", version, "Production")) for version in (1, 2)]
    assert [counts["n"] for counts in found] == [NAMES_PER_UPDATE] * 2
    assert sum(counts[f"p:class {n}"] for counts in found for n in range(2 * NAMES_PER_UPDATE)) == len(lines)
    for request in calls:
        for write in request["TransactItems"]:
            update = write.get("Update")
            assert update is None or len(update["UpdateExpression"]) <= 4096
            assert update is None or len(update["ExpressionAttributeValues"]) <= 300


EVENTS = 7
FATES = ("taken", "refused", "taken, but the answer is lost")


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.generate],  # an example takes a while, and is small as it is
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    deliveries=st.lists(st.lists(st.integers(0, EVENTS - 1), max_size=EVENTS + 2), max_size=5),
    fates=st.lists(st.sampled_from(FATES), max_size=5),
)
def test_whatever_parts_are_delivered_again_each_line_counts_once(
    stats, client, deliver, make_line, make_delivery, deliveries, fates
):
    """Any parts of the same lines, with other neighbours, in any order, whole deliveries and parts of them again."""
    unique = uuid.uuid4().hex
    series = [Series(unique, version, "Production") for version in (1, 2)]
    now = time.time()
    lines = [
        make_line(1 + n % 3, seed=n, model_name=unique, model_version=1 + n % 2, signals_permille=None)
        for n in range(EVENTS - 1)
    ]
    events = [
        {"id": f"{unique}-{n}", "timestamp": int((now - 20 * n) * 1000), "message": line}
        for n, line in enumerate([*map(json.dumps, lines), "{cut"])
    ]
    skipped = stats.totals("-").get(SKIPPED, {})
    waiting = [*deliveries, range(EVENTS)]
    transact, left = client.transact_write_items, list(fates)

    def fated(**request):
        fate = left.pop() if left else "taken"
        if fate != "refused":
            transact(**request)
        if fate != "taken":
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "?"}}, "TransactWriteItems")

    with patch.object(client, "transact_write_items", fated):
        while waiting:
            chosen = waiting.pop(0)
            try:
                deliver(make_delivery(logStream=unique, logEvents=[events[n] for n in chosen]))
            except ClientError:
                waiting.append(chosen)
    expected = {each: combined(counts_of(line) for line in lines[number::2]) for number, each in enumerate(series)}
    assert {each: window(stats, each) for each in series} == expected
    assert stats.totals(unique) == {each: lifetime(counts) for each, counts in expected.items()}
    assert stats.totals("-")[SKIPPED] == Counter(skipped) + Counter(not_json=1)


@pytest.mark.parametrize("times", [1, 3])
def test_deliveries_that_overlap_at_the_same_time_count_each_line_once(
    stats, deliver, make_line, make_delivery, monkeypatch, times
):
    """Another delivery with one of our lines comes in between our look at what was counted, and our writing."""
    now, line = time.time(), make_line(1)
    markers, others = stats.markers, list(range(1, times + 1))

    def slow(group):
        found = markers(group)
        if others:
            other = others.pop()
            deliver(make_delivery(line, line, ids=["shared", f"other-{other}"], seconds=now))
        return found

    monkeypatch.setattr(stats, "markers", slow)
    deliver(make_delivery(line, line, ids=["shared", "ours"], seconds=now))
    assert window(stats)["n"] == 2 + times


def test_a_delivery_writes_as_many_items_whatever_the_number_of_lines(stats, client, deliver, make_line, make_delivery):
    transact, written = client.transact_write_items, []

    def noted(**request):
        written.append(len(request["TransactItems"]))
        return transact(**request)

    now = time.time()
    with patch.object(client, "transact_write_items", noted):
        for count in (1, 10, 100):
            deliver(make_delivery(*[make_line(1, seed=seed) for seed in range(count)], seconds=now))
    assert written == [3, 3, 3]  # the marker, the hour and the totals


def test_throttling_and_conflicts_are_tried_again_and_nothing_is_lost(stats, client, deliver, make_line, make_delivery):
    original, failures = client.transact_write_items, ["TransactionConflict", "ThrottlingError"]

    def throttled(**request):
        if failures:
            reasons = [{"Code": "None"}, {"Code": failures.pop()}]
            error = {"Error": {"Code": "TransactionCanceledException", "Message": "?"}, "CancellationReasons": reasons}
            raise ClientError(error, "TransactWriteItems")
        return original(**request)

    client.transact_write_items = throttled
    deliver(make_delivery(make_line(3)))
    assert window(stats)["n"] == 3


def test_throttling_without_end_is_raised_so_that_the_delivery_comes_again(stats_table, make_line, client):
    stats = PredictionStats(DynamoTable(stats_table), max_wait_seconds=0.1)

    def throttled(**request):
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "?"}}, "TransactWriteItems")

    client.transact_write_items = throttled
    with pytest.raises(ClientError):
        stats.add([Marker("d")], {(SERIES, "2026-01-01T00"): {"n": 1}}, {})


@pytest.mark.parametrize("hours", [-1, 0, 1, 5, 24])
def test_late_and_early_lines_land_in_their_own_hour(stats, deliver, make_line, make_delivery, hours):
    """An hour late, a day late, or an hour ahead by a clock that is fast."""
    deliver(make_delivery(make_line(1), seconds=time.time() - hours * 3600))
    assert [hour for hour, _ in stats.hours(SERIES, "2000-01-01T00")] == [hours_before(hour_of(time.time()), hours)]


def test_lines_of_two_hours_in_one_delivery_are_told_apart(stats, deliver, make_line, make_delivery, monkeypatch):
    from prediction_log import delivery as delivery_module

    now = time.time()
    first = delivery_module.Line("a", now - 3600, json.dumps(make_line(1)))
    second = delivery_module.Line("b", now, json.dumps(make_line(2)))
    from prediction_log.line_counts import count_lines

    counted = count_lines([first, second])
    assert {hour: counts["n"] for (_, hour), counts in counted.hours.items()} == {
        hour_of(now - 3600): 1,
        hour_of(now): 2,
    }
    assert counted.totals[SERIES]["n"] == 3


def test_what_cannot_be_counted_is_skipped_and_counted_as_such(stats, deliver, make_line, make_delivery):
    line = make_line(2)
    cut = json.dumps(line)[:100]
    answer = deliver(
        make_delivery(
            line,
            cut,
            "",
            "[1]",
            {"event": "mlops.cold"},
            {**line, "n": 5},
            make_line(1, model_version="3"),
            "{" * 5000,
            make_line(NAMES_PER_UPDATE, predictions=list(range(NAMES_PER_UPDATE))),
        )
    )
    assert answer == {"delivered": 9, "lines": 1, "skipped": 8}
    assert stats.totals()[SKIPPED] == {"not_json": 3, "another_event": 2, "malformed": 3}
    assert window(stats)["n"] == 2
    deliver(make_delivery(line, seconds=time.time() + 3 * 3600))
    deliver(make_delivery(line, seconds=time.time() - 15 * 24 * 3600))
    assert stats.totals()[SKIPPED]["time"] == 2


def test_what_a_newer_predict_writes_besides_changes_no_count(stats, deliver, make_line, make_delivery):
    line = make_line(3)
    newer = {
        **line,
        "request_id": "another",
        "min_reader": 1,
        "variant": None,
        "prediction_id": "p_1",
        "columns": {"age": [1, 2, 3]},
        "signals_permille": {**line["signals_permille"], "sharpness": [1, 2, 3]},
    }
    assert deliver(make_delivery(line, newer, surprise=True)) == {"delivered": 2, "lines": 2, "skipped": 0}
    assert window(stats) == combined([counts_of(line)] * 2)
    assert SKIPPED not in stats.totals()


@pytest.mark.parametrize(
    "change",
    [
        {"variant": "another"},
        {"variant": "shadow"},
        {"variant": ["canary"]},
        {"variant": ""},
        {"min_reader": 99},
        {"kind": "shadow"},
        {"kind": {}},
        {"variant": "canary", "status": 500, "code": "internal_error"},
        {"variant": "canary", "kind": "sample", "inputs": "AAAA"},
        {"min_reader": 99, "predictions": "in a way that nobody knows yet"},
    ],
    ids=str,
)
def test_a_line_that_only_a_newer_version_understands_is_nobodys_own(stats, deliver, make_line, make_delivery, change):
    line = make_line(2)
    answer = deliver(make_delivery(line, {**line, "request_id": "another", **change}))
    assert answer == {"delivered": 2, "lines": 1, "skipped": 1}
    assert window(stats) == counts_of(line)
    assert stats.totals() == {SERIES: lifetime(counts_of(line)), SKIPPED: {"newer": 1}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    *("event", "status", "cache", "latency_ms", "model_name", "model_version", "stage", "n", "predictions", "code"),
    *("confidences", "signals_permille", "kind", "variant", "min_reader", "surprise"),
)


@pytest.mark.fuzz
@budget(100)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3), st.sets(st.sampled_from(FIELDS), max_size=2))
def test_whatever_a_line_says_it_is_counted_or_skipped(make_line, changes, missing):
    from prediction_log.delivery import Line
    from prediction_log.line_counts import count_lines

    line = {name: value for name, value in {**make_line(2), **changes}.items() if name not in missing}
    counted = count_lines([Line("id", time.time(), json.dumps(line))])
    assert counted.lines + counted.skipped.total() + len(counted.samples) == 1
    assert counted.skipped.keys() <= {"another_event", "malformed", "newer"}
    if line.get("variant") is not None:
        assert set(counted.totals) <= {SKIPPED}
    for series, counts in counted.totals.items():  # what DynamoDB takes
        series.total_slot.encode()
        "".join(counts).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"predictions": ["\ud800"]},
        {"model_name": "\ud800"},
        {"model_name": "m" * 3000},
        {"model_version": 10**400},
        {"predictions": ["x" * 70_000]},
    ],
    ids=["a label", "a name", "a long name", "a version", "a long label"],
)
def test_what_dynamodb_would_refuse_is_malformed(stats, deliver, make_line, make_delivery, change):
    """Else the whole delivery would come again and again, and its other lines with it."""
    deliver(make_delivery(make_line(1), make_line(1, **change)))
    assert window(stats)["n"] == 1
    assert stats.totals()[SKIPPED] == {"malformed": 1}


def test_what_a_newer_version_keeps_beside_the_counts_is_passed_over(
    stats, stats_table, deliver, make_line, make_delivery
):
    line = make_line(2)
    deliver(make_delivery(line))
    hour = hour_of(time.time())
    for series, slot in (
        ("totals", f"{SERIES.key}/Production/canary"),
        ("totals", "a name of another form"),
        (SERIES.key, f"{hour}/Production/canary"),
        (f"cols#{SERIES.key}#{hour}", "stream-1-0"),
    ):
        stats_table.put_item(Item={"series": series, "slot": slot, "n": 5, "packed": b"zlib"})
    stats_table.update_item(
        Key={"series": SERIES.key, "slot": f"{hour}/Production"},
        UpdateExpression="SET packed = :packed, folded = :folded, generation = :g",
        ExpressionAttributeValues={":packed": b"zlib", ":folded": ["00000001"], ":g": "g7"},
    )
    assert window(stats) == counts_of(line)
    assert stats.totals() == {SERIES: lifetime(counts_of(line))}


@pytest.mark.parametrize(
    "data",
    [
        "not base64!",
        base64.b64encode(b"not gzip").decode(),
        base64.b64encode(gzip.compress(b"x" * 1000, mtime=0)[:-9]).decode(),
        base64.b64encode(gzip.compress(b"not json", mtime=0)).decode(),
        base64.b64encode(gzip.compress(b'{"messageType": "DATA_MESSAGE"}', mtime=0)).decode(),
        base64.b64encode(gzip.compress(b'{"messageType": "DATA_MESSAGE", "logEvents": [{"id": 1}]}', mtime=0)).decode(),
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
    from prediction_log import input_samples

    monkeypatch.setenv("ARTIFACT_BUCKET", "artifacts")
    input_samples._s3.cache_clear()
    feedback = FeedbackTable(DynamoTable(make_table("FeedbackTable", "feedback")))
    monkeypatch.setattr(app, "keep", lambda: keep_in(feedback))
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
        counts = {name: value for name, value in item.items() if name not in ("series", "slot", "content")}
        assert all(value == int(value) for value in counts.values())
        assert len(str(item)) < 10_000
