"""Models that predict a quantity, without a reference of columns: drift says plainly that nothing is compared."""

import json
import time
from collections import Counter
from typing import Any

import pytest

from drift.check import CheckSettings, DriftCheck
from drift.report import DriftReport
from drift.statistics import PredictionReport
from mlops.domain.drift.column_drift import NO_REFERENCE
from mlops.domain.drift.counts import counts_of, lifetime, summary_of
from mlops.domain.drift.verdict import DriftThresholds
from mlops.domain.manifest import Manifest
from mlops_contract import Task
from prediction_log.delivery import Line, decode
from prediction_log.ledger import count_delivery
from prediction_log.line_counts import count_lines
from tests.support.governance import FakeHistory
from tests.support.table_models import served_table

MODEL = "price"
MANIFEST = served_table(3, model_name=MODEL, task=Task.REGRESSION).manifest
LINE: dict[str, Any] = {
    "event": "mlops.prediction",
    "status": 200,
    "cache": "miss",
    "latency_ms": 1.25,
    "min_reader": 2,
    "task": "regression",
    "model_name": MODEL,
    "model_version": 3,
    "stage": "Production",
    "n": 300,
}


class Served:
    """The bucket with one manifest."""

    def names(self) -> list[str]:
        return [MODEL]

    def find(self, name: str) -> Manifest | None:
        return MANIFEST

    def manifest(self, name: str) -> Manifest:
        return MANIFEST

    def holds(self, name: str, stage: str) -> bool:
        return True


@pytest.fixture
def counted(stats: Any, make_delivery: Any) -> Any:
    """The table, with the counts of one line."""
    (part,) = count_delivery(stats, lambda kept, samples: None, decode(make_delivery(LINE)))
    assert (part.lines, part.skipped) == (1, Counter())
    return stats


def test_its_line_counts_predictions_requests_and_latency() -> None:
    counts = counts_of(LINE)
    assert counts == {"n": 300, "r": 1, "l1": 1, "ls": 1250}
    assert lifetime(counts) == counts
    assert summary_of(counts).histograms == {}


def test_a_line_without_labels_that_does_not_say_so_is_malformed() -> None:
    line = {name: value for name, value in LINE.items() if name != "task"}
    assert count_lines([Line("1", time.time(), json.dumps(line))]).skipped == {"malformed": 1}


def test_the_status_and_the_history_say_that_nothing_is_watched(counted: Any) -> None:
    report = DriftReport(counted, Served(), DriftThresholds(), MODEL, FakeHistory())  # type: ignore[arg-type]
    status = report.status(None, 168, 24)
    assert (status.status, status.message, status.current.samples) == ("insufficient_data", f"{NO_REFERENCE}.", 300)
    assert (status.comparisons, status.columns.note) == ([], NO_REFERENCE)
    points = report.history(None, 24, 6).points
    assert {(point.status, point.note) for point in points} == {("insufficient_data", NO_REFERENCE)}
    assert points[-1].samples == 300


def test_the_check_records_it_and_sends_nothing(counted: Any, records: Any) -> None:
    class Events:
        def __getattr__(self, name: str) -> Any:
            def send(*_: Any, **__: Any) -> None:
                raise AssertionError(f"{name} was sent")

            return send

    check = DriftCheck(
        counted,
        Served(),  # type: ignore[arg-type]
        records,
        Events(),  # type: ignore[arg-type]
        DriftThresholds(),
        CheckSettings(retrain_on_drift=True),
        FakeHistory(),
    )
    assert check.run() == {MODEL: "insufficient_data"}
    assert records.last(MODEL).message == f"{NO_REFERENCE}."


def test_the_statistics_have_no_confidence_and_no_classes(counted: Any) -> None:
    report = PredictionReport(counted, Served(), MODEL)  # type: ignore[arg-type]
    stats = report.stats(None, 24)
    assert (stats.total_predictions, stats.total_requests) == (300, 1)
    assert stats.confidence.mean is None
    assert report.distribution(None, 24).distribution == []
