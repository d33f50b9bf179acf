"""The figures of a converted model are those that a training job of the platform would log, by the same names."""

import numpy as np
import pytest

from mlops_contract import Task
from mlops_conversion.own.evaluation import measured
from trainer.evaluation import evaluate


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_figures_of_classes_are_those_of_a_job(classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Rounded, so that there are ties; and a class that no row has.
    answers = np.round(random.dirichlet(np.ones(classes), 200), 1) + 0.01
    answers /= answers.sum(axis=1, keepdims=True)
    target = random.integers(0, classes - (classes == 5), 200)
    logged = evaluate(Task.CLASSIFICATION, answers, target, tuple(range(classes)), None).metrics()
    found = measured(answers, target, Task.CLASSIFICATION)
    assert found.keys() == logged.keys() - {"calibration_error", "average_precision"}
    assert found == pytest.approx({name: logged[name] for name in found})


def test_figures_of_quantities_are_those_of_a_job() -> None:
    random = np.random.default_rng(4)
    target = random.normal(20, 5, 300)
    answers = (target + random.normal(0, 2, 300)).reshape(-1, 1)
    logged = evaluate(Task.REGRESSION, answers, target, (), None).metrics()
    found = measured(answers, target, Task.REGRESSION)
    assert {"rmse", "mae", "r2"} == found.keys() <= logged.keys()
    assert found == pytest.approx({name: logged[name] for name in found})
