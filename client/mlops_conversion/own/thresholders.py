"""Classifiers of scikit-learn with a decision threshold of their own."""

from typing import Any

import numpy as np

from mlops_conversion.errors import CannotConvert

THRESHOLDERS = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


def threshold_of(model: Any) -> float:
    """Return the probability of the second class from which on a thresholder answers with it.

    Raises:
        CannotConvert: It compares something else, or the first class.
    """
    name = type(model).__name__
    if model.response_method == "decision_function":
        raise CannotConvert(
            f"{name} compares the decision function, and the platform compares probabilities; fit it with "
            "response_method='predict_proba'"
        )
    if name == "TunedThresholdClassifierCV":
        # The metric that it was tuned for names the class.
        positive, threshold = model._curve_scorer._get_pos_label(), model.best_threshold_
    else:
        positive, threshold = model.pos_label, 0.5 if model.threshold == "auto" else model.threshold
    classes = np.asarray(model.classes_).tolist()
    if len(classes) != 2 or positive not in (None, classes[1]):
        raise CannotConvert(
            f"{name} compares the probability of its first class, and the platform that of the second of two; fit it "
            f"with pos_label={classes[-1]!r}"
        )
    if not 0 < threshold < 1:
        raise CannotConvert(f"{name} has the threshold {threshold:g}, with which it always gives the same answer")
    return float(threshold)
