"""The figures, against ones computed by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, precision_recall_fscore_support

from trainer.evaluate import evaluate

PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.55, 0.45]], np.float32)
TARGETS = np.array([0, 1, 1, 0])


def test_by_hand():
    evaluation = evaluate(PROBABILITIES, TARGETS, ("no", "yes"))
    assert evaluation.accuracy == 0.75
    assert evaluation.confusion.tolist() == [[2, 0], [1, 1]]
    assert evaluation.recall.tolist() == [1.0, 0.5]
    assert evaluation.precision.tolist() == pytest.approx([2 / 3, 1.0])
    # Bins .5-.6: .55, right; .6-.7: .6 in float32 is above .6, wrong; .8-.9 and .9-1: right.
    assert evaluation.calibration_error == pytest.approx((0.45 + 0.6 + 0.2 + 0.1) / 4, abs=1e-6)
    assert evaluation.class_metrics()["recall_1"] == 0.5


def test_as_scikit_learn_has_it():
    generator = np.random.default_rng(3)
    probabilities = generator.dirichlet(np.ones(5), 400).astype(np.float32)
    targets = generator.integers(0, 5, 400)
    evaluation = evaluate(probabilities, targets, tuple(range(5)))
    precision, recall, f1, _ = precision_recall_fscore_support(targets, probabilities.argmax(1))
    np.testing.assert_allclose(evaluation.precision, precision)
    np.testing.assert_allclose(evaluation.recall, recall)
    np.testing.assert_allclose(evaluation.f1, f1)
    assert evaluation.loss == pytest.approx(log_loss(targets, probabilities.astype(float)), rel=1e-5)


def test_a_class_never_predicted_has_no_precision_and_breaks_nothing():
    evaluation = evaluate(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0, 1]), (0, 1))
    assert evaluation.precision.tolist() == [0.5, 0.0]
    assert np.isfinite(list(evaluation.metrics().values())).all()
