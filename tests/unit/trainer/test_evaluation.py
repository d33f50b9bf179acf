"""The figures, against ones computed by hand and by scikit-learn."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.metrics import log_loss, precision_recall_fscore_support

from mlops.domain import objective as objectives
from mlops.domain.metric_kinds import metric_kinds
from mlops.domain.objective import ACCURACY, RMSE, Direction, Objective, named
from mlops_contract import Task
from mlops_data.dataset import Dataset, Split
from mlops_data.errors import DataError
from trainer.evaluation import baseline, evaluate, evaluate_classification, evaluate_regression

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]], np.float32)
TARGETS = np.array([0, 1, 1, 0])


def random_classes(classes: int, count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities in 64ths, which float32 has exactly, so that rows are tied; targets; weights."""
    generator = np.random.default_rng(3)
    parts = generator.multinomial(64 - classes, generator.dirichlet(np.ones(classes), count)) + 1
    probabilities = (parts / 64).astype(np.float32)
    return probabilities, generator.integers(0, classes, count), generator.integers(0, 4, count).astype(np.float32)


class TestClassification:
    def test_by_hand(self):
        evaluation = evaluate_classification(PROBABILITIES, TARGETS, ("no", "yes"))
        assert evaluation.accuracy == 0.75
        assert evaluation.confusion.tolist() == [[2, 0], [1, 1]]
        assert evaluation.recall.tolist() == [1.0, 0.5]
        assert evaluation.precision.tolist() == pytest.approx([2 / 3, 1.0])
        # Bins .5-.6: .55, right; .6-.7: .6 in float32 is above .6, wrong; .8-.9 and .9-1: right.
        assert evaluation.calibration_error == pytest.approx((0.45 + 0.6 + 0.2 + 0.1) / 4, abs=1e-6)
        assert evaluation.class_metrics()["class/1/recall"] == 0.5
        # Of the four pairs of a yes and a no, the yes has the higher score but for 0.4 against 0.45.
        assert evaluation.metrics()["roc_auc"] == 0.75

    @pytest.mark.parametrize("classes", [2, 5])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_as_scikit_learn_has_it(self, classes: int, weighted: bool):
        probabilities, targets, weights = random_classes(classes)
        given = weights if weighted else None
        evaluation = evaluate_classification(probabilities, targets, tuple(range(classes)), given)
        precision, recall, f1, _ = precision_recall_fscore_support(
            targets, probabilities.argmax(1), sample_weight=given, zero_division=0
        )
        np.testing.assert_allclose(evaluation.precision, precision)
        np.testing.assert_allclose(evaluation.recall, recall)
        np.testing.assert_allclose(evaluation.f1, f1)
        confusion = reference.confusion_matrix(targets, probabilities.argmax(1), sample_weight=given)
        np.testing.assert_allclose(evaluation.confusion, confusion)
        metrics = evaluation.metrics()
        right = reference.accuracy_score(targets, probabilities.argmax(1), sample_weight=given)
        assert metrics["accuracy"] == pytest.approx(right)
        assert metrics["loss"] == pytest.approx(
            log_loss(targets, probabilities.astype(float), sample_weight=given), rel=1e-5
        )
        scores = [(targets == index, probabilities[:, index]) for index in range(classes)][1 if classes == 2 else 0 :]
        areas = [reference.roc_auc_score(truth, score, sample_weight=given) for truth, score in scores]
        precisions = [reference.average_precision_score(truth, score, sample_weight=given) for truth, score in scores]
        assert metrics["roc_auc"] == pytest.approx(np.mean(areas))
        assert metrics["average_precision"] == pytest.approx(np.mean(precisions))

    def test_the_area_of_more_classes_is_the_macro_mean_of_one_against_the_rest(self):
        probabilities, targets, _ = random_classes(4)
        expected = reference.roc_auc_score(targets, probabilities, multi_class="ovr", average="macro")
        evaluation = evaluate_classification(probabilities, targets, tuple(range(4)))
        assert evaluation.metrics()["roc_auc"] == pytest.approx(expected)

    def test_a_class_never_predicted_has_no_precision_and_breaks_nothing(self):
        evaluation = evaluate_classification(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0, 1]), (0, 1))
        assert evaluation.precision.tolist() == [0.5, 0.0]
        assert np.isfinite(list(evaluation.metrics().values())).all()

    def test_a_class_that_no_held_out_row_has_is_left_out_of_the_areas(self):
        probabilities, targets, _ = random_classes(3)
        rows = targets != 2
        evaluation = evaluate_classification(probabilities[rows], targets[rows], (0, 1, 2))
        assert set(evaluation.curves) == {0, 1}
        only = evaluate_classification(PROBABILITIES, np.ones(4, int), ("no", "yes"))
        assert not {"roc_auc", "average_precision"} & set(only.metrics())
        assert np.isfinite(list(only.metrics().values())).all()

    @pytest.mark.parametrize("classes", [2, 3])
    def test_a_weight_counts_as_so_many_rows(self, classes: int):
        probabilities, targets, weights = random_classes(classes, 60)
        times = weights.astype(int)
        weighted = evaluate_classification(probabilities, targets, tuple(range(classes)), weights)
        repeated = evaluate_classification(
            probabilities.repeat(times, axis=0), targets.repeat(times), tuple(range(classes))
        )
        assert weighted.metrics() == pytest.approx(repeated.metrics())
        np.testing.assert_allclose(weighted.confusion, repeated.confusion)
        assert weighted.rows.sum() == 60


class TestRegression:
    TRUTH = np.array([1.0, 2.0, 3.0, 10.0])
    ANSWERS = np.array([[1.0], [2.5], [2.0], [12.0]], np.float32)

    def test_by_hand(self):
        evaluation = evaluate_regression(self.ANSWERS, self.TRUTH)
        assert evaluation.residuals.tolist() == [0.0, -0.5, 1.0, -2.0]
        assert evaluation.metrics() == {
            "rmse": pytest.approx((5.25 / 4) ** 0.5),
            "mae": 0.875,
            "r2": pytest.approx(1 - 5.25 / 50),
            "error_p50": 0.5,
            "error_p90": 2.0,
            "error_p99": 2.0,
        }

    @pytest.mark.parametrize("weighted", [False, True])
    def test_as_scikit_learn_has_it(self, weighted: bool):
        generator = np.random.default_rng(5)
        truth = generator.normal(1e6, 50, 500)
        answers = (truth + generator.normal(0, 20, 500)).astype(np.float32)
        weights = generator.integers(0, 5, 500).astype(np.float32) if weighted else None
        found = evaluate_regression(answers, truth, weights).metrics()
        exact = answers.astype(float)
        assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, exact, sample_weight=weights))
        assert found["mae"] == pytest.approx(reference.mean_absolute_error(truth, exact, sample_weight=weights))
        assert found["r2"] == pytest.approx(reference.r2_score(truth, exact, sample_weight=weights))

    def test_a_weight_counts_as_so_many_rows(self):
        times = np.array([3, 0, 2, 1])
        weighted = evaluate_regression(self.ANSWERS, self.TRUTH, times.astype(np.float32))
        repeated = evaluate_regression(self.ANSWERS.repeat(times, axis=0), self.TRUTH.repeat(times))
        assert weighted.metrics() == pytest.approx(repeated.metrics())

    def test_one_column_and_one_dimension_are_the_same(self):
        flat = evaluate_regression(self.ANSWERS[:, 0], self.TRUTH)
        assert flat.metrics() == evaluate_regression(self.ANSWERS, self.TRUTH).metrics()

    def test_where_all_targets_are_equal_nothing_can_be_explained(self):
        metrics = evaluate_regression(np.array([1.0, 2.0]), np.array([2.0, 2.0])).metrics()
        assert "r2" not in metrics
        assert metrics["mae"] == 0.5


def test_each_task_has_its_own_figures_and_all_are_json():
    quantity = evaluate(Task.REGRESSION, TestRegression.ANSWERS, TestRegression.TRUTH, ())
    classes = evaluate(Task.CLASSIFICATION, PROBABILITIES, TARGETS, ("no", "yes"))
    for evaluation in (quantity, classes):
        document = json.loads(json.dumps(evaluation.to_document(), allow_nan=False))
        assert evaluation.metrics().items() <= document.items()
        assert set(metric_kinds(evaluation.metrics()).values()) == {"summary"}
    assert quantity.class_metrics() == {}
    assert sum(quantity.to_document()["residuals"]["counts"]) == 4


@pytest.mark.parametrize("task", Task)
def test_every_objective_of_a_task_is_measured(task: Task):
    answers = (PROBABILITIES, TARGETS, ("no", "yes")) if task is Task.CLASSIFICATION else (TARGETS + 0.5, TARGETS, ())
    metrics = evaluate(task, *answers).metrics()
    for name in objectives.names(task):
        assert named(name).score(metrics) is not None


@pytest.mark.parametrize("task", Task)
def test_rows_that_all_have_the_weight_0_measure_nothing(task: Task):
    answers = PROBABILITIES if task is Task.CLASSIFICATION else TARGETS
    with pytest.raises(DataError, match="weight 0"):
        evaluate(task, answers, TARGETS, ("no", "yes"), np.zeros(4, np.float32))


class TestBaseline:
    @staticmethod
    def dataset(task: Task, train: Split, held_out: Split) -> Dataset:
        labels = () if task is Task.REGRESSION else ("a", "b", "c")
        return Dataset("d", train, held_out, labels, None, "digest", task=task)

    @staticmethod
    def split(targets: list[float], weights: list[float] | None = None) -> Split:
        given = None if weights is None else np.array(weights, np.float32)
        kind = int if all(isinstance(target, int) for target in targets) else float
        return Split(np.zeros((len(targets), 2), np.float32), np.array(targets, kind), given)

    def test_of_classes_it_is_the_most_frequent_one_and_their_shares(self):
        dataset = self.dataset(Task.CLASSIFICATION, self.split([0, 1, 1, 1]), self.split([1, 1, 0]))
        assert baseline(dataset, ACCURACY) == pytest.approx(2 / 3)
        assert baseline(dataset, named("roc_auc")) == 0.5
        assert baseline(dataset, named("log_loss")) == pytest.approx(-(2 * np.log(0.75) + np.log(0.25)) / 3)

    def test_of_a_quantity_it_is_the_mean(self):
        dataset = self.dataset(Task.REGRESSION, self.split([1.0, 3.0]), self.split([2.0, 4.0]))
        assert baseline(dataset, RMSE) == pytest.approx(2**0.5)
        weighted = self.dataset(Task.REGRESSION, self.split([1.0, 3.0], [0, 1]), self.split([2.0, 4.0], [1, 0]))
        assert baseline(weighted, RMSE) == 1.0

    def test_of_a_metric_of_ones_own_there_is_none(self):
        dataset = self.dataset(Task.CLASSIFICATION, self.split([0, 1]), self.split([0, 1]))
        assert baseline(dataset, Objective("profit", Direction.MAXIMISE)) is None
