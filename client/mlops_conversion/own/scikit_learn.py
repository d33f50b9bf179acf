"""Models of scikit-learn, and others with its interface, as originals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_contract import Task
from mlops_conversion.errors import CannotConvert
from mlops_conversion.own import estimators, forests
from mlops_conversion.own.graph import Graph, Wires
from mlops_conversion.own.original import Array, Original, plain_labels
from mlops_conversion.own.pipelines import Walk, named
from mlops_conversion.own.thresholders import THRESHOLDERS, threshold_of


def original(model: Any) -> Original:
    """Return a fitted estimator or pipeline as an original.

    Args:
        model: What has `predict`.

    Raises:
        CannotConvert: It is not fitted, gives no probabilities, or predicts neither a class nor a quantity.
    """
    from sklearn.base import is_classifier, is_regressor
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    whole, model = model, estimators.unwrapped(model)
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise CannotConvert(f"{named((), model)} is not fitted; fit it first") from None
    path, last = last_step(model)
    names = getattr(model, "feature_names_in_", None)
    columns = None if names is None else tuple(map(str, names))

    def write(graph: Graph, wires: Wires, missing: Mapping[str, Any]) -> str:
        return estimators.write(Walk(graph, missing), model, wires)

    def thresholds() -> dict[int, Array]:
        return forests.thresholds(model, int(model.n_features_in_)) if forests.is_forest(model) else {}

    if is_regressor(model):
        return Original(Task.REGRESSION, (), lambda rows: _quantities(model, rows), None, write, columns, thresholds)
    if not is_classifier(model):
        raise CannotConvert(
            f"{named(path, last)} predicts neither a class nor a quantity; the platform serves classifiers and "
            "regressors. End the pipeline in one"
        )
    if not hasattr(model, "predict_proba"):
        raise CannotConvert(
            f"{named(path, last)} gives no probabilities, and the platform answers with them. Wrap it in "
            "CalibratedClassifierCV, or use LogisticRegression or SVC(probability=True)"
        )
    if isinstance(model.classes_, list):
        raise CannotConvert(f"{named(path, last)} predicts several targets; fit one model for each")

    def predict(rows: Any) -> Array:
        places = {value: place for place, value in enumerate(np.asarray(model.classes_).tolist())}
        return np.array([places[value] for value in np.asarray(whole.predict(rows)).reshape(-1).tolist()], np.int64)

    return Original(
        Task.CLASSIFICATION,
        plain_labels(model.classes_),
        lambda rows: np.asarray(model.predict_proba(rows), np.float64),
        predict,
        write,
        columns,
        thresholds,
        _decision_threshold(whole),
    )


def last_step(model: Any) -> tuple[tuple[str, ...], Any]:
    """Return the last step of a pipeline, and the names that lead to it."""
    path: tuple[str, ...] = ()
    model = estimators.unwrapped(model)
    while type(model).__name__ == "Pipeline":
        name, model = model.steps[-1]
        path = (*path, name)
    return path, model


def _decision_threshold(model: Any) -> float | None:
    """Return the decision threshold of a model, which its last step may have. Raises CannotConvert."""
    kind = type(model).__name__
    if kind in THRESHOLDERS:
        return threshold_of(model)
    if kind == "Pipeline":
        return _decision_threshold(model.steps[-1][1])
    inner = estimators.within(model)
    return None if inner is None else _decision_threshold(inner)


def _quantities(model: Any, rows: Any) -> Array:
    answers = np.asarray(model.predict(rows), np.float64)
    if answers.ndim == 2 and answers.shape[1] > 1:
        raise CannotConvert(f"{named((), model)} predicts several targets; fit one model for each")
    return answers
