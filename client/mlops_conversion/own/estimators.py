"""Estimators of scikit-learn as the last step of a pipeline, or alone."""

from typing import Any

import numpy as np

from mlops_contract import Task
from mlops_conversion.errors import CannotConvert
from mlops_conversion.explained import explain_linear
from mlops_conversion.own import cat_boost, forests, general, numeric
from mlops_conversion.own.graph import Graph, Kind, Sums, Wire, Wires
from mlops_conversion.own.pipelines import Walk
from mlops_conversion.own.thresholders import THRESHOLDERS

_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_LOGISTIC = ("LogisticRegression", "LogisticRegressionCV")
_LINKS = {"PoissonRegressor": "Exp", "GammaRegressor": "Exp"}
REMEDY = (
    "use an estimator that can be converted: linear models, trees and forests, HistGradientBoosting, LightGBM, "
    "XGBoost, CatBoost, MLP, SVC(probability=True), KNeighbors, naive Bayes"
)


def within(model: Any) -> Any:
    """Return what a search has found, or what a decision threshold is put on; None for any other model."""
    kind = type(model).__name__
    if kind in _SEARCHES:
        if not hasattr(model, "best_estimator_"):
            raise CannotConvert(f"{kind} has no best_estimator_; fit it with refit=True")
        return model.best_estimator_
    if kind in THRESHOLDERS:
        return getattr(model, "estimator_", model.estimator)
    return model.estimator if kind == "FrozenEstimator" else None


def unwrapped(model: Any) -> Any:
    """Return the model itself, without what is around it."""
    while (inner := within(model)) is not None:
        model = inner
    return model


def write(walk: Walk, model: Any, wires: Wires) -> str:
    """Add a model with all its steps, and return its answer, float32 `[n, classes]` or `[n, 1]`.

    Raises:
        CannotConvert: The message begins with the name and the class of the step.
    """
    model = unwrapped(model)
    if type(model).__name__ == "Pipeline":
        for name, step in model.steps[:-1]:
            wires = walk.below(name).step(step if step is not None else "passthrough", wires)
        name, last = model.steps[-1]
        return write(walk.below(name), last, wires)
    try:
        if type(model).__name__ == "TransformedTargetRegressor":
            return _transformed(walk, model, wires)
        return _last(walk.graph, model, wires)
    except CannotConvert as error:
        if str(error).startswith("the step"):  # of a pipeline within
            raise
        raise CannotConvert(f"{walk.named(model)} cannot be converted: {error}") from error


def _last(graph: Graph, model: Any, wires: Wires) -> str:
    from sklearn.base import is_classifier

    kind = type(model).__name__
    if forests.is_forest(model):
        return forests.write(graph, model, wires)
    if cat_boost.is_catboost(model):
        return cat_boost.write(graph, model, wires)
    wire = graph.joined(wires)
    if kind in _LOGISTIC:
        graph.sums = _sums(graph, model, wire, Task.CLASSIFICATION)
        return _logistic(graph, model, wire)
    if _is_linear(model):
        graph.sums = _sums(graph, model, wire, Task.REGRESSION)
        return _single(graph, _linear(graph, model, wire))
    if kind in _LINKS:
        linear = _linear(graph, model, wire)
        return graph.add("Cast", graph.add(_LINKS[kind], linear.name), to=Kind.FLOAT.value)
    if is_classifier(model):
        return _classifier(graph, model, wire)
    (answer,) = _general(graph, model, wire).values()
    shaped = graph.add("Reshape", answer.name, graph.constant(np.array([-1, 1], np.int64)))
    return graph.add("Cast", shaped, to=Kind.FLOAT.value)


def _is_linear(model: Any) -> bool:
    from sklearn.base import is_regressor
    from sklearn.linear_model._base import LinearModel

    return is_regressor(model) and isinstance(model, LinearModel) and hasattr(model, "coef_")


def _sums(graph: Graph, model: Any, wire: Wire, task: Task) -> Sums:
    """Return what a linear model's answers are sums over."""
    weights = np.atleast_2d(np.asarray(model.coef_, np.float64))
    start = np.broadcast_to(np.asarray(model.intercept_, np.float64), len(weights)).copy()
    features = graph.cast(wire, Kind.FLOAT)
    return Sums(features, lambda means: explain_linear(weights, start, means, task), needs_rows=True)


def _linear(graph: Graph, model: Any, wire: Wire) -> Wire:
    """Add the sums of a linear model, `[n, outputs]`, in double: in float32 large columns would lose their digits."""
    weights = np.atleast_2d(np.asarray(model.coef_, np.float64))
    if type(model).__module__.startswith("sklearn") and not hasattr(model, "classes_") and len(weights) > 1:
        raise CannotConvert("it has several targets; fit one model for each")
    wide = graph.cast(wire, Kind.DOUBLE)
    product = graph.add("MatMul", wide.name, graph.constant(weights.T))
    bias = np.broadcast_to(np.asarray(model.intercept_, np.float64), len(weights))
    return Wire(graph.add("Add", product, graph.constant(bias)), Kind.DOUBLE, len(weights))


def _single(graph: Graph, wire: Wire) -> str:
    return graph.cast(wire, Kind.FLOAT).name


def _logistic(graph: Graph, model: Any, wire: Wire) -> str:
    sums = _linear(graph, model, wire)
    if sums.width == 1:
        second = graph.add("Sigmoid", sums.name)
        first = graph.add("Sub", graph.constant(np.float64(1)), second)
        return graph.add("Cast", graph.add("Concat", first, second, axis=1), to=Kind.FLOAT.value)
    return graph.add("Cast", graph.add("Softmax", sums.name, axis=1), to=Kind.FLOAT.value)


def _classifier(graph: Graph, model: Any, wire: Wire) -> str:
    outputs = _general(graph, model, wire, {"zipmap": False})
    if "probabilities" not in outputs:
        raise CannotConvert("its converter gives no probabilities. Instead, wrap it in CalibratedClassifierCV")
    return graph.add("Cast", outputs["probabilities"].name, to=Kind.FLOAT.value)


def _general(graph: Graph, model: Any, wire: Wire, options: dict[str, Any] | None = None) -> dict[str, Wire]:
    try:
        return general.converted(graph, model, wire, Kind.FLOAT, options)
    except CannotConvert as error:
        raise CannotConvert(f"{error}. Instead, {REMEDY}") from error


def _transformed(walk: Walk, model: Any, wires: Wires) -> str:
    """Add a TransformedTargetRegressor: the model, and what brings its answer back."""
    graph = walk.graph
    answer = write(walk.below("regressor"), model.regressor_, wires)
    graph.sums = None  # of the target as it was transformed
    wire = graph.cast(Wire(answer, Kind.FLOAT, 1), Kind.DOUBLE)
    transformer = model.transformer_
    if type(transformer).__name__ == "FunctionTransformer":
        if transformer.inverse_func is not None:
            wire = numeric.function(graph, transformer.inverse_func, wire)
    elif type(transformer).__name__ == "StandardScaler":
        if transformer.with_std:
            wire = numeric.applied(graph, "Mul", wire, transformer.scale_)
        if transformer.with_mean:
            wire = numeric.applied(graph, "Add", wire, transformer.mean_)
    else:
        raise CannotConvert(
            f"the transformer of its target is a {type(transformer).__name__}; use StandardScaler, or functions of "
            "numpy such as func=np.log1p, inverse_func=np.expm1"
        )
    return graph.cast(wire, Kind.FLOAT).name
