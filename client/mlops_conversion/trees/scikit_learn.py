"""Read the trees of scikit-learn's models."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops_conversion.errors import CannotConvert
from mlops_conversion.trees.forest import Array, Forest, Output, Tree, rounded_down


def read(model: Any) -> tuple[Forest, Output, int]:
    """Return a fitted model's trees, what their sum means, and the number of features.

    Raises:
        CannotConvert: It is not a model of trees, or its answer does not come from its trees alone.
    """
    from sklearn import ensemble, tree
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    if isinstance(model, tree.BaseDecisionTree):
        forest, output = _averaged([model], model)
    elif isinstance(
        model,
        (
            ensemble.RandomForestClassifier,
            ensemble.RandomForestRegressor,
            ensemble.ExtraTreesClassifier,
            ensemble.ExtraTreesRegressor,
        ),
    ):
        forest, output = _averaged(model.estimators_, model)
    elif isinstance(model, (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)):
        forest, output = _boosted(model)
    elif isinstance(model, (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)):
        forest, output = _histogram_boosted(model)
    else:
        raise CannotConvert(
            f"{type(model).__name__} of scikit-learn is not a model of trees that can be converted; these can: "
            "decision trees, random forests, extra trees, GradientBoosting and HistGradientBoosting"
        )
    return forest, output, int(model.n_features_in_)


def _averaged(members: Sequence[Any], model: Any) -> tuple[Forest, Output]:
    """Read trees whose answers are averaged."""
    from sklearn.base import is_classifier

    if model.n_outputs_ != 1:
        raise CannotConvert("the model has several targets; fit one model for each")
    trees = tuple(_tree(member.tree_, _values(member.tree_) / len(members)) for member in members)
    output = Output.SHARES if is_classifier(model) else Output.QUANTITY
    return Forest(trees, np.zeros(trees[0].values.shape[1])), output


def _boosted(model: Any) -> tuple[Forest, Output]:
    """Read GradientBoosting: an initial value, and the scaled answers of trees."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if not (model.init_ == "zero" or isinstance(model.init_, (DummyClassifier, DummyRegressor))):
        raise CannotConvert(
            f"the model begins with {type(model.init_).__name__}, whose answers depend on the row; "
            "fit it with init=None or init='zero'"
        )
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0]
    # With this loss, the sum is half of the log-odds.
    scale = 2.0 if getattr(model, "loss", None) == "exponential" else 1.0
    trees = tuple(
        _tree(member.tree_, scale * model.learning_rate * _values(member.tree_), target)
        for stage in model.estimators_
        for target, member in enumerate(stage)
    )
    return Forest(trees, scale * base), _output(model, len(base))


def _histogram_boosted(model: Any) -> tuple[Forest, Output]:
    """Read HistGradientBoosting: a base, and trees in tables of their own."""
    from sklearn._loss.link import LogLink

    if model.is_categorical_ is not None and model.is_categorical_.any():
        raise CannotConvert(
            "HistGradientBoosting with categorical_features has no exact equivalent; encode the categories before it "
            "(OrdinalEncoder, or OneHotEncoder with sparse_output=False) and fit it with categorical_features=None, "
            "or use LightGBM"
        )
    base = model._baseline_prediction.reshape(-1).astype(np.float64)
    trees = tuple(
        Tree.from_nodes(
            leaf=predictor.nodes["is_leaf"],
            feature=predictor.nodes["feature_idx"],
            threshold=rounded_down(predictor.nodes["num_threshold"]),
            left=predictor.nodes["left"],
            right=predictor.nodes["right"],
            missing_left=predictor.nodes["missing_go_to_left"],
            values=predictor.nodes["value"][:, None],
            target=target,
            cover=predictor.nodes["count"],
        )
        for iteration in model._predictors
        for target, predictor in enumerate(iteration)
    )
    if isinstance(model._loss.link, LogLink):
        return Forest(trees, base), Output.LOG_QUANTITY
    return Forest(trees, base), _output(model, len(base))


def _output(model: Any, outputs: int) -> Output:
    from sklearn.base import is_classifier

    if not is_classifier(model):
        return Output.QUANTITY
    return Output.LOGIT if outputs == 1 else Output.LOGITS


def _values(tree: Any) -> Array:
    """Return what each node answers, float64 `[nodes, outputs]`: shares of the classes, or the mean."""
    values: Array = tree.value[:, 0, :]
    return values


def _tree(tree: Any, values: Array, target: int = 0) -> Tree:
    return Tree.from_nodes(
        leaf=tree.children_left < 0,
        feature=tree.feature,
        threshold=rounded_down(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left,
        values=values,
        target=target,
        cover=tree.weighted_n_node_samples,
    )
