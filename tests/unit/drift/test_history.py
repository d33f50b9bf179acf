"""Drift over time: each hour in its own window, against one sample, at a cost that the hours alone determine."""

import time
from dataclasses import replace

import boto3
import pytest

from drift.report import BASELINE_HOURS, DriftReport
from drift.statistics import PredictionReport
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.stats_table import Marker, Series, hour_of, hours_before
from mlops.domain.drift.counts import Summary
from mlops.domain.drift.verdict import DriftThresholds, compare
from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from tests.support.governance import FakeHistory
from tests.support.serving import served

MODEL = "digit-classifier"
REFERENCE = {"count": 1000, "predictions": {"counts": [100] * 10}}
REFERENCE |= {"confidence": None, "mean_intensity": None, "ink_share": None, "block_means": None}
EVEN, TWO = {str(label): 40 for label in range(10)}, {"0": 200, "1": 200}


@pytest.fixture
def report(stats):
    boto3.client("s3").create_bucket(Bucket="artifacts")
    return DriftReport(stats, ServedModels("artifacts"), DriftThresholds(), MODEL, FakeHistory())


@pytest.fixture
def serve(report):
    def put(reference=REFERENCE):
        body = replace(served(1).manifest, reference=reference).to_json()
        boto3.client("s3").put_object(Bucket="artifacts", Key=f"serving/{MODEL}/Production.json", Body=body)

    return put


@pytest.fixture
def predicted(stats):
    def add(classes, hours_ago, times=1, stage="Production"):
        series, hour = Series(MODEL, 1, stage), hours_before(hour_of(time.time()), hours_ago)
        n = sum(classes.values())
        counts = {"n": n, "c9": n, **{f"p:{label}": count for label, count in classes.items()}}
        counts = {name: value * times for name, value in counts.items()}
        stats.add([Marker(f"{time.time_ns()}")], {(series, hour): counts}, {series: counts})

    return add


def test_every_hour_is_a_point_and_drift_shows_in_its_own(report, serve, predicted):
    serve()
    predicted(EVEN, 3)
    predicted(TWO, 2)
    predicted({"0": 5}, 1)
    predicted(TWO, 3, stage="Staging")  # counted apart
    found = report.history(None, 5, 1)
    assert [point.status for point in found.points] == [
        "insufficient_data",
        "stable",
        "alert",
        "insufficient_data",
        "insufficient_data",
    ]
    assert [point.samples for point in found.points] == [0, 400, 400, 5, 0]
    assert [point.start for point in found.points][1:] == [point.end for point in found.points][:-1]
    assert (found.start, found.end) == (found.points[0].start, found.points[-1].end)
    assert found.points[-1].start == f"{hour_of(time.time())}:00:00Z"
    assert (found.against, found.against_samples, found.model_version) == ("reference", 1000, 1)
    alert, few = found.points[2], found.points[3]
    samples = (Summary(400, TWO, {}), Summary(1000, {str(label): 100 for label in range(10)}, {}))
    expected = compare("reference", *samples, DriftThresholds()).worst
    assert (alert.psi, alert.signal, alert.note) == (round(expected.psi, 6), "predictions", None)
    assert [each.signal for each in alert.signals] == ["predictions"]
    assert (few.psi, few.signal, few.signals) == (None, None, [])
    assert "5 predictions of the 200" in few.note


def test_several_hours_together_make_a_point(report, serve, predicted):
    serve()
    for hours_ago in range(6):
        predicted({str(label): 5 for label in range(10)}, hours_ago)
    assert {point.status for point in report.history(None, 6, 1).points} == {"insufficient_data"}
    found = report.history(None, 5, 6)  # as many whole points as cover the hours
    assert [(point.samples, point.status) for point in found.points] == [(300, "stable")]


def test_what_a_fast_clock_dated_ahead_belongs_to_the_last_point(report, serve, predicted):
    serve()
    predicted(EVEN, -1)
    assert [point.samples for point in report.history(None, 2, 1).points] == [0, 400]


def test_without_a_reference_the_hours_before_are_compared_with_and_that_is_said(report, serve, predicted):
    serve(reference=None)
    predicted(EVEN, 5)
    predicted(EVEN, 5 + BASELINE_HOURS + 1)  # too long ago
    predicted(TWO, 0)
    found = report.history(None, 3, 1)
    assert (found.against, found.against_samples) == ("baseline", 400)
    assert found.points[-1].status == "alert"


@pytest.mark.parametrize("times", [1, 100_000])
def test_the_hours_are_read_once_each_whatever_they_hold(report, stats, stats_table, serve, predicted, times):
    serve()
    for hours_ago in range(24):
        predicted(EVEN, hours_ago, times)
    query, read = stats_table.query, []

    def counted(**request):
        answer = query(**request)
        read.append(answer["Count"])
        return answer

    stats_table.query = counted
    assert report.history(None, 12, 1).points[0].samples == 400 * times
    assert read == [12]


def test_without_a_model_in_production_there_is_no_history(report):
    with pytest.raises(NoModelInStage):
        report.history(None, 24, 1)


def test_a_manifest_that_cannot_be_read_is_told_from_none(report, stats, predicted):
    predictions = PredictionReport(stats, ServedModels("artifacts"), MODEL)
    boto3.client("s3").put_object(Bucket="artifacts", Key=f"serving/{MODEL}/Production.json", Body=b"not a manifest")
    assert predictions.stats(None, 24).total_predictions == 0
    predicted(EVEN, 0)
    assert predictions.stats(None, 24).total_predictions == 400
    for ask in (lambda: report.status(None, 168, 24), lambda: predictions.distribution(None, 24)):
        with pytest.raises(DependencyUnavailable, match=f"'{MODEL}' in Production cannot be read: .* not JSON"):
            ask()
