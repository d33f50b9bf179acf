"""The reference in a model's file: what drift is measured against, as far as it is watched."""

import numpy as np
import pytest

from mlops.domain.model_description import ModelInput, ModelOutput, check_description
from mlops_contract import Task
from mlops_conversion.reference import reference

INPUTS = np.array([[0.25, 5.0], [np.nan, 1.0], [1.0, 2.0]], np.float32)
PROBABILITIES = np.array([[0.9, 0.1], [0.35, 0.65], [0.75, 0.25]], np.float32)


def test_a_quantity_has_none_yet():
    assert reference(INPUTS, PROBABILITIES[:, :1], None, Task.REGRESSION) is None


@pytest.mark.parametrize("task", [(), (Task.CLASSIFICATION,)])
def test_classes_have_their_shares_and_confidence_and_a_manifest_takes_them(task: tuple[Task, ...]):
    made = reference(INPUTS, PROBABILITIES, None, *task)
    assert made is not None
    assert made["predictions"] == {"counts": [2, 1]}
    assert made["confidence"]["counts"] == [0, 0, 0, 0, 0, 0, 1, 1, 0, 1]
    assert made["mean_intensity"] is made["ink_share"] is made["block_means"] is None
    check_description(ModelInput("inputs", 2), ModelOutput("probabilities", 2), ("no", "yes"), None, made)


def test_with_the_labels_it_says_how_often_each_confidence_is_right():
    made = reference(INPUTS, PROBABILITIES, None, targets=np.array([0, 0, 1]))
    assert made is not None
    measured = made["accuracy_by_confidence"]
    assert measured is not None
    assert {place: count for place, count in enumerate(measured["counts"]) if count} == {6: 1, 7: 1, 8: 1}
    assert {place: count for place, count in enumerate(measured["right"]) if count} == {8: 1}  # float32(0.9) < 0.9
    check_description(ModelInput("inputs", 2), ModelOutput("probabilities", 2), ("no", "yes"), None, made)
