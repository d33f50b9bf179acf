"""The simulation of benchmarks/drift.py, made small: scikit-learn's digits and a model that is fitted in a second."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks.drift import detection, false_alarms, query_cost, simulation


@pytest.fixture(scope="module")
def simulated():
    from trainer import data

    digits = data.load("digits")
    rows = np.concatenate([digits.train.inputs, digits.held_out.inputs])
    labels = np.concatenate([digits.train.targets, digits.held_out.targets])
    model = LogisticRegression(C=0.01, max_iter=300).fit(digits.train.inputs, digits.train.targets)
    # Small data: the clean pool is the rows over again, so that windows and baselines can be drawn from it.
    again = np.tile(np.arange(len(rows)), 2)
    return simulation(
        rows[again], labels[again], lambda inputs: model.predict_proba(inputs).astype(np.float32), (28, 28)
    )


def test_without_drift_there_are_no_alarms(simulated):
    found = false_alarms(simulated, 200, trials=60)
    assert found["warning or alert"] <= 0.02


@pytest.mark.parametrize("name", ["rotated by 30 degrees", "inverted", "noise, sigma 0.3", "two classes only"])
def test_drift_is_found_within_500_predictions(simulated, name):
    assert detection(simulated, name, 300, trials=20)["alert"] >= 0.95


def test_a_query_costs_the_same_whatever_the_number_of_predictions(aws):
    few, many = (query_cost(count, rounds=1, hours=(20, 4)) for count in (1_000, 1_000_000))
    assert few["items"] == many["items"] == 24
    assert few["queries"] == many["queries"]
    assert many["kilobytes"] < 2 * few["kilobytes"]  # longer numbers, not more of them
