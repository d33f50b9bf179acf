"""Records of drift checks: typed, the same in the table and in events, readable across versions of the platform."""

import json
import time

import pytest

from mlops.domain.drift.counts import Summary
from mlops.domain.drift.record import DriftRecord
from mlops.domain.drift.verdict import DriftThresholds, Verdict, detect
from mlops.domain.timestamps import now

EVEN = Summary(1000, {str(label): 100 for label in range(10)}, {})
TWO = Summary(400, {"0": 200, "1": 200}, {})
OLD = {
    "series": "drift",
    "slot": "digits",
    "expires": 2_000_000_000,
    "model_name": "digits",
    "model_version": 3,
    "status": "alert",
    "psi": 0.31,
    "signal": "confidence",
    "against": "reference",
    "message": "confidence differs",
    "samples": 400,
    "checked_at": "2026-01-01T00:00:00.000Z",
    "signals": [{"against": "reference", "signal": "confidence", "psi": 0.31, "p": 1e-9}],
    "told_at": 1_767_225_600.5,
}
"""As the version before wrote it."""


def record(current=TWO, name="digits"):
    return DriftRecord.of(name, 3, detect(current, EVEN, EVEN, DriftThresholds()), now())


@pytest.mark.parametrize("current", [TWO, EVEN, Summary(0, {}, {})], ids=["alert", "stable", "insufficient data"])
def test_a_record_is_read_as_it_was_saved(records, current):
    saved = record(current)
    records.save(saved)
    assert records.last("digits") == saved
    assert records.all() == [saved]
    assert records.last("other") is None


def test_a_check_that_replaces_another_leaves_nothing_of_it(records):
    records.save(DriftRecord.from_record(OLD))
    quiet = record(EVEN)
    records.save(quiet)
    assert records.last("digits") == quiet
    assert quiet.alerted_at is None


def test_the_record_of_the_version_before_is_read_and_that_version_reads_ours(records, client, stats_table):
    from mlops.aws.dynamodb_requests import to_item

    stats_table.put_item(Item=to_item(OLD))
    read = records.last("digits")
    assert (read.status, read.alerted_at, read.signals[0].p) == (Verdict.ALERT, 1_767_225_600.5, 1e-9)
    records.save(read)
    item = stats_table.get_item(Key={"series": "drift", "slot": "digits"})["Item"]
    assert {name: value for name, value in item.items() if name != "expires"} == {
        name: value for name, value in to_item(OLD).items() if name != "expires"
    }
    assert abs(float(item["expires"]) - time.time() - 100 * 24 * 3600) < 60


@pytest.mark.parametrize(
    "change",
    [
        {"status": "catastrophe"},
        {"signals": [{"signal": "predictions", "against": "reference", "psi": None, "p": 0.5}]},
        {"signals": [{"signal": "predictions", "against": "yesterday", "psi": 0.1, "p": 0.5}]},
        {"signals": "packed"},
        {"model_version": "three"},
        {"checked_at": "yesterday"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_cannot_be_read_is_left_out_and_keeps_no_other_from_being_read(records, stats_table, change):
    from mlops.aws.dynamodb_requests import to_item

    whole = record(name="other")
    records.save(whole)
    stats_table.put_item(Item=to_item({**OLD, **change}))
    stats_table.put_item(Item={"series": "drift", "slot": "later", "verdicts": "as a newer version has them"})
    assert records.all() == [whole]
    assert records.last("digits") is None


def test_what_a_newer_version_adds_to_a_record_is_ignored(records, stats_table):
    from mlops.aws.dynamodb_requests import to_item

    columns = {"columns": {"age": 0.5}, "signals": [{**OLD["signals"][0], "column": "age"}]}
    stats_table.put_item(Item=to_item({**OLD, **columns}))
    assert records.last("digits") == DriftRecord.from_record(OLD)


def test_the_detail_of_events_has_the_fields_that_the_docs_list():
    detail = json.loads(json.dumps(record().detail()))
    assert list(detail) == [
        *("model_name", "model_version", "status", "psi", "signal", "against", "message", "samples"),
        *("checked_at", "signals", "column", "columns"),
    ]
    assert detail["status"] == "alert"
    assert {tuple(signal) for signal in detail["signals"]} == {("against", "signal", "psi", "p")}
