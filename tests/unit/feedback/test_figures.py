"""Figures from totals against scikit-learn's from the labels themselves; intervals and verdicts against simulation."""

import dataclasses
import time
from collections import Counter
from typing import Any

import boto3
import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn import metrics

from mlops.aws.stats_table import Marker, Series, hour_of
from mlops.domain.feedback.class_figures import ClassFigures, class_figures
from mlops.domain.feedback.intervals import bootstrap, wilson
from mlops.domain.feedback.kept_answers import KeptAnswers, UnknownLabel
from mlops.domain.feedback.outcome import outcome_of, unit_of
from mlops.domain.feedback.quantity_figures import QuantityFigures, quantity_figures
from mlops.domain.feedback.verdict import HeldOut, Needs, Performance, judge
from mlops.domain.manifest import manifest_key

NEEDS = Needs(100, 0.5)
DAY = 24 * 3600


def classes(labels: list[str], probabilities: Any, hours: int = 20) -> ClassFigures:
    """The figures of rows with these labels and probabilities, which came in so many hours."""
    names = tuple(sorted({*labels}))
    kept = KeptAnswers(1, "Production", "h", tuple(map(tuple, probabilities.tolist())), names)
    totals: list[Counter[str]] = [Counter() for _ in range(hours)]
    for row, label in enumerate(labels):
        totals[row % hours].update(outcome_of(kept, row, label))
    return class_figures([dict(hour) for hour in totals])


def quantities(true: Any, predicted: Any, unit: int = -6, hours: int = 20) -> QuantityFigures:
    kept = KeptAnswers(1, "Production", "h", tuple((float(value),) for value in predicted), (), unit)
    totals: list[Counter[str]] = [Counter() for _ in range(hours)]
    for row, value in enumerate(true):
        totals[row % hours].update(outcome_of(kept, row, float(value)))
    return quantity_figures([dict(hour) for hour in totals], unit)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_of_classes(count: int) -> None:
    source = np.random.default_rng(count)
    names = [f"class {place}" for place in range(count)]
    probabilities = source.dirichlet(np.ones(count), 3000).astype(np.float32)
    drawn = [source.choice(count, p=row / row.sum()) for row in probabilities.astype(np.float64)]
    labels = [names[place] for place in drawn]
    predicted = [names[place] for place in probabilities.argmax(axis=1)]
    found = classes(labels, probabilities)
    assert found.accuracy.value == metrics.accuracy_score(labels, predicted)
    assert found.macro_f1.value == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert found.log_loss.value == pytest.approx(metrics.log_loss(labels, probabilities), abs=1e-5)
    assert np.array(found.confusion).tolist() == metrics.confusion_matrix(labels, predicted).tolist()
    for figure in (found.accuracy, found.macro_f1, found.log_loss):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.value < figure.high
    # Labels that were drawn by the model's own probabilities: it is calibrated.
    assert found.calibration_error < 0.03
    assert (found.auc is None) == (count > 2)
    if found.auc is not None:
        exact = metrics.roc_auc_score([label == names[1] for label in labels], probabilities[:, 1])
        assert found.auc_error is not None
        assert abs(found.auc.value - exact) <= found.auc_error < 0.01


@pytest.mark.parametrize("base_rate", [0.5, 0.013])
def test_the_bound_of_the_binned_auc_holds_at_a_low_base_rate(base_rate: float) -> None:
    source = np.random.default_rng(5)
    positive = source.random(20_000) < base_rate
    logits = source.normal(np.where(positive, 1.5, 0.0) + np.log(base_rate / (1 - base_rate)), 1.0)
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    found = classes(["yes" if each else "no" for each in positive], np.column_stack([1 - scores, scores]))
    assert found.auc is not None
    assert found.auc_error is not None
    assert abs(found.auc.value - metrics.roc_auc_score(positive, scores)) <= found.auc_error < 0.06


def test_impossible_labels_cost_much_but_not_everything() -> None:
    found = classes(["no", "yes"], np.array([[0.0, 1.0], [0.0, 1.0]], np.float32))
    assert found.log_loss.value == pytest.approx(-np.log(1e-15) / 2)


@pytest.mark.parametrize(("scale", "unit"), [(1.0, -6), (1e6, 0), (1e-7, -13)])
def test_of_quantities(scale: float, unit: int) -> None:
    source = np.random.default_rng(3)
    true = source.normal(5, 2, 2000) * scale
    predicted = (true + source.normal(0.3, 0.5, 2000) * scale).astype(np.float32)
    found = quantities(true, predicted, unit)
    assert found.mae.value == pytest.approx(metrics.mean_absolute_error(true, predicted), rel=1e-5)
    assert found.rmse.value == pytest.approx(metrics.root_mean_squared_error(true, predicted), rel=1e-5)
    assert found.bias.value == pytest.approx(float((predicted - true).mean()), rel=1e-5)
    assert found.r2 is not None
    assert found.r2.value == pytest.approx(metrics.r2_score(true, predicted), rel=1e-5)
    assert found.spread == pytest.approx(np.abs(predicted - true).std(), rel=1e-4)


def test_quantities_far_from_zero_lose_nothing() -> None:
    """Epoch seconds: squares of 1.7e9 have more digits than a double, and the labels differ by some seconds."""
    true = 1.7e9 + np.arange(1000) % 7 * 128.0
    predicted = true + 128.0
    found = quantities(true, predicted, 0)
    assert found.bias.value == 128
    assert found.r2 is not None
    assert found.r2.value == pytest.approx(metrics.r2_score(true, predicted))


def test_a_constant_label_explains_nothing() -> None:
    assert quantities(np.ones(10), np.full(10, 2.0)).r2 is None


@pytest.mark.parametrize("label", ["text", 1e300, -1e300, 10**400])
def test_labels_that_cannot_be_compared_with_a_quantity(label: Any) -> None:
    with pytest.raises(UnknownLabel):
        outcome_of(KeptAnswers(1, "Production", "h", ((1.0,),), (), -6), 0, label)


def test_the_unit_is_told_unless_there_are_several() -> None:
    assert unit_of({"u:-6": 3, "n": 3}) == -6
    assert unit_of({"u:-6": 3, "u:0": 1}) is None
    assert unit_of({"u:-6": 3, "u:0": 0}) == -6


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (1, 1), (88, 100), (5, 1000), (999, 1000)])
def test_wilson(hits: int, count: int) -> None:
    expected = scipy_stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((hits / count, expected.low, expected.high))


def test_the_bootstrap_covers_what_it_should() -> None:
    """The mean error of hours that differ among each other, 300 times: the interval covers the truth about 95 times
    in 100. Treating labels as independent would cover far less."""
    source, covered = np.random.default_rng(1), 0
    for _ in range(300):
        levels = source.normal(0, 1, 24)
        hours = [{"n": 50, "es": round(1e6 * float(source.normal(level, 1, 50).sum()))} for level in levels]
        low, high = bootstrap(hours, lambda sums: {"bias": sums["es"] / sums["n"] / 1e6})["bias"]
        covered += low <= 0 <= high
    assert 0.88 < covered / 300 < 0.98


def test_few_hours_have_no_interval() -> None:
    assert bootstrap([{"n": 1}] * 4, lambda sums: {"n": sums["n"]}) == {}


class TestVerdict:
    HELD_OUT = HeldOut(1000, {"accuracy": 0.88})

    def test_without_a_difference_it_is_degraded_about_never(self) -> None:
        source = np.random.default_rng(0)
        verdicts = Counter(
            self.of(0.88, 1000, source, HeldOut(1000, {"accuracy": source.binomial(1000, 0.88) / 1000}))
            for _ in range(5000)
        )
        assert verdicts[Performance.DEGRADED] <= 8  # 1.7 are expected

    def test_a_large_loss_is_found(self) -> None:
        source = np.random.default_rng(0)
        verdicts = Counter(self.of(0.71, 300, source, self.HELD_OUT) for _ in range(200))
        assert verdicts[Performance.DEGRADED] > 190

    def test_better_is_ok(self) -> None:
        assert self.of(0.99, 1000, np.random.default_rng(0), self.HELD_OUT) is Performance.OK

    @pytest.mark.parametrize(
        ("labels", "kept", "held_out", "says"),
        [
            (99, 99, HELD_OUT, "needs 100"),
            (200, 1000, HELD_OUT, "20%"),
            (200, 200, None, "no manifest"),
            (200, 200, HeldOut(0, {"accuracy": 0.9}), "no manifest"),
            (200, 200, HeldOut(1000, {}), "no manifest"),
        ],
    )
    def test_there_is_none(self, labels: int, kept: int, held_out: HeldOut | None, says: str) -> None:
        figures = self.figures(labels // 2, labels)
        judgement = judge(figures, labels, kept, held_out, NEEDS)
        assert judgement.verdict is Performance.INSUFFICIENT_DATA
        assert says in judgement.message

    def test_errors_of_quantities(self) -> None:
        source = np.random.default_rng(0)
        held_out = HeldOut(1000, {"mae": float(np.sqrt(2 / np.pi)), "rmse": 1.0})

        def verdict(factor: float) -> Performance:
            errors = source.normal(0, factor, 500)
            figures = quantities(np.zeros(500), errors.astype(np.float32))
            return judge(figures, 500, 500, held_out, NEEDS).verdict

        assert [verdict(1.0) for _ in range(50)] == [Performance.OK] * 50
        assert [verdict(1.5) for _ in range(20)] == [Performance.DEGRADED] * 20

    def of(self, accuracy: float, labels: int, source: np.random.Generator, held_out: HeldOut) -> Performance:
        return judge(
            self.figures(int(source.binomial(labels, accuracy)), labels), labels, labels, held_out, NEEDS
        ).verdict

    @staticmethod
    def figures(hits: int, labels: int) -> ClassFigures:
        name, other = 'k:["a", "a"]', 'k:["b", "a"]'
        return class_figures([{"n": labels, "h": hits, "w": 0, name: hits, other: labels - hits}])


class TestRoutes:
    def test_only_predictions_that_are_old_enough_give_a_verdict(self, platform: Any) -> None:
        young = [platform.answered([(0.25, 0.75)]) for _ in range(3)]
        for prediction in young:
            platform.give(prediction_id=prediction, label="no")
        (version,) = platform.status()["versions"]
        assert (version["labels"], version["verdict"]["labels"]) == (3, 0)
        assert version["verdict"]["status"] == "insufficient_data"

    def test_a_version_that_does_worse_is_degraded(self, platform: Any) -> None:
        when = time.time() - 3 * DAY
        rows = [(0.25, 0.75)] * 120
        prediction = platform.answered(rows, seconds=when)
        labels = [{"prediction_id": prediction, "row": row, "label": "yes" if row < 60 else "no"} for row in range(120)]
        status, body = platform.ask("POST", "/feedback/batch", {"model_name": "churn", "labels": labels})
        assert (status, body["counts"]) == (200, {"counted": 120})
        answer = platform.status()
        (version,) = answer["versions"]
        assert version["verdict"]["status"] == "degraded"
        assert "50.0%" in version["verdict"]["message"]
        assert "90.0%" in version["verdict"]["message"]
        assert version["held_out"] == {"accuracy": 0.9}
        assert version["stage"] == "Production"
        assert version["classification"]["macro_f1"]["low"] is None  # of a single hour
        assert platform.status(hours="24")["versions"][0]["labels"] == 0

    def test_history_is_by_the_time_of_the_predictions(self, platform: Any) -> None:
        for days, label in ((3, "yes"), (1, "no")):
            prediction = platform.answered([(0.25, 0.75)], seconds=time.time() - days * DAY)
            platform.give(prediction_id=prediction, label=label)
        status, body = platform.ask("GET", "/performance/history", model_name="churn", hours="96", step_hours="24")
        assert status == 200
        accuracies = [point["accuracy"] and point["accuracy"]["value"] for point in body["points"]]
        assert accuracies == [1.0, None, 0.0, None]
        assert [point["predictions"] for point in body["points"]] == [1, 0, 1, 0]

    def test_a_version_that_serves_no_more_is_shown_without_a_verdict(self, platform: Any) -> None:
        platform.give(prediction_id=platform.answered([(0.25, 0.75)], version=2), label="yes")
        first, second = platform.status()["versions"]
        assert (first["model_version"], second["model_version"]) == (3, 2)
        assert (second["stage"], second["held_out"], second["labels"]) == (None, None, 1)

    def test_a_model_of_a_quantity(self, platform: Any) -> None:
        prediction = platform.answered([(2.0,), (3.0,)], labels=())
        for row, label in enumerate((1.5, 4)):
            assert platform.give(prediction_id=prediction, row=row, label=label)[0] == 200
        figures = platform.status()["versions"][0]["regression"]
        assert figures["mae"]["value"] == 0.75
        assert figures["bias"]["value"] == -0.25

    def test_nothing_is_known_of_a_model_that_never_served(self, platform: Any) -> None:
        assert platform.ask("GET", "/performance/status", model_name="unknown")[0] == 404
        assert platform.ask("GET", "/performance/history", model_name="unknown")[0] == 409

    def test_the_estimate_stands_beside_the_figures(self, platform: Any, manifest: Any) -> None:
        assert platform.status()["versions"][0]["estimated"] is None
        counts = [0] * 19
        counts[7] = 100
        known = dataclasses.replace(
            manifest,
            reference={
                **manifest.reference,
                "accuracy_by_confidence": {"counts": counts, "right": [0] * 7 + [90] + [0] * 11},
            },
        )
        boto3.client("s3").put_object(Bucket="artifacts", Key=manifest_key("churn", "Production"), Body=known.to_json())
        place = Series("churn", 3, "Production"), hour_of(time.time())
        platform.stats.add([Marker("estimate")], {place: {"n": 200, "c7": 200}}, {})
        estimated = platform.status()["versions"][0]["estimated"]
        assert estimated["accuracy"] == pytest.approx((90 + 2 * 0.75) / 102)
        assert estimated["predictions"] == 200
