"""A run with a decision threshold: what is measured, and what is refused."""

import numpy as np
import pytest

from mlops_contract import Task
from mlops_contract.decision import confidences_of, places_of
from mlops_conversion.own.evaluation import measured
from tests.support import coded
from trainer.decision_threshold import decision_threshold_of
from trainer.errors import ParameterError
from trainer.evaluation import evaluate
from trainer.parameters import Parameters


def test_the_threshold_itself_is_the_second_class_as_a_float32() -> None:
    for threshold in (0.3, 0.1, 0.7, 1 / 3):
        at = np.float32(threshold)
        scores = np.array([np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1))])
        answers = np.column_stack([1 - scores, scores])
        assert places_of(answers, threshold).tolist() == [0, 1, 1]
        assert confidences_of(answers, places_of(answers, threshold)).tolist() == [answers[0, 0], at, scores[2]]


def test_without_a_threshold_it_is_the_most_probable_class_the_first_of_equal_ones() -> None:
    answers = np.array([[0.5, 0.5], [0.2, 0.8]], np.float32)
    assert places_of(answers, None).tolist() == [0, 1]
    assert places_of(answers, 0.5).tolist() == [1, 1]


def test_what_counts_answers_is_measured_by_the_threshold_and_what_ranks_them_is_not() -> None:
    random = np.random.default_rng(5)
    scores = random.random(400)
    answers, targets = np.column_stack([1 - scores, scores]), (random.random(400) < scores**2).astype(int)
    plain = evaluate(Task.CLASSIFICATION, answers, targets, ("no", "yes")).metrics()
    moved = evaluate(Task.CLASSIFICATION, answers, targets, ("no", "yes"), None, 0.8).metrics()
    assert moved["accuracy"] == pytest.approx(np.mean((scores >= np.float32(0.8)) == targets))
    assert moved["accuracy"] > plain["accuracy"]
    same = ("loss", "roc_auc", "average_precision")
    assert [moved[name] for name in same] == [plain[name] for name in same]
    found = measured(answers, targets, Task.CLASSIFICATION, 0.8)
    assert found == pytest.approx({name: moved[name] for name in found})


@pytest.mark.parametrize(("task", "classes"), [(Task.CLASSIFICATION, 3), (Task.REGRESSION, 2)])
def test_other_data_than_of_two_classes_are_refused(task: Task, classes: int) -> None:
    dataset = coded.made(task, classes=classes)
    assert decision_threshold_of(Parameters(), dataset) is None
    with pytest.raises(ParameterError, match="--decision-threshold: needs two classes") as refused:
        decision_threshold_of(Parameters(decision_threshold=0.3), dataset)
    assert ("3 classes" if classes == 3 else "quantities") in str(refused.value)
