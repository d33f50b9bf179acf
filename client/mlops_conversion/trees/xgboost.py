"""Read the trees of XGBoost's models, from its JSON format."""

import json
from typing import Any

import numpy as np

from mlops_conversion.errors import CannotConvert
from mlops_conversion.trees.forest import Array, Forest, Output, Tree

_OUTPUTS = {
    "binary:logistic": Output.LOGIT,
    "multi:softprob": Output.LOGITS,
    **dict.fromkeys(
        ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror"), Output.QUANTITY
    ),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), Output.LOG_QUANTITY),
}
_CATEGORY = 1
"""The kind of a split by category."""

_Fields = dict[str, Any]


def read(model: Any) -> tuple[Forest, Output, int]:
    """Return a fitted model's trees, what their sum means, and the number of features.

    The scikit-learn classes use the trees up to their best iteration, and a Booster uses all.

    Raises:
        CannotConvert: It is no model of XGBoost, or has a part that has no exact equivalent.
    """
    learner = json.loads(_booster(model).save_raw("json"))["learner"]
    settings, objective = learner["learner_model_param"], learner["objective"]["name"]
    if objective not in _OUTPUTS:
        raise CannotConvert(f"the model's objective is {objective}; these can be converted: {', '.join(_OUTPUTS)}")
    output = _OUTPUTS[objective]
    if int(settings["num_target"]) > 1:
        raise CannotConvert("the model has several targets; fit one model for each")
    outputs = max(int(settings["num_class"]), 1)
    trees = _trees(learner["gradient_booster"])
    if not trees:
        raise CannotConvert("the model has no trees; fit it with at least one iteration")
    base = np.broadcast_to(_base(json.loads(settings["base_score"]), output), outputs).astype(np.float64)
    return Forest(trees, base, strict=True), output, int(settings["num_feature"])


def _booster(model: Any) -> Any:
    if hasattr(model, "save_raw"):
        return model
    if not hasattr(model, "get_booster"):
        raise CannotConvert(f"{type(model).__name__} is no model of XGBoost; give a Booster or an XGBModel")
    if model.missing is not None and not np.isnan(model.missing):
        raise CannotConvert(f"the model takes {model.missing} for missing; fit it with missing=nan")
    booster = model.get_booster()
    try:
        return booster[: model.best_iteration + 1]
    except AttributeError:  # there was no early stopping
        return booster


def _base(score: float | list[float], output: Output) -> Array:
    """Return what is added to the sum: the model has it as an answer."""
    answer = np.atleast_1d(np.asarray(score, np.float64))
    if output is Output.LOGIT:
        return np.log(answer / (1 - answer))
    return np.log(answer) if output is Output.LOG_QUANTITY else answer


def _trees(booster: _Fields) -> tuple[Tree, ...]:
    if booster["name"] == "dart":
        weights, booster = booster["weight_drop"], booster["gbtree"]
    elif booster["name"] == "gbtree":
        weights = [1.0] * len(booster["model"]["trees"])
    else:
        raise CannotConvert(f"the model's booster is {booster['name']}; fit it with booster='gbtree'")
    fields, targets = booster["model"]["trees"], booster["model"]["tree_info"]
    return tuple(_tree(tree, *rest) for tree, *rest in zip(fields, targets, weights, strict=True))


def _tree(fields: _Fields, target: int, weight: float) -> Tree:
    left, right = np.array(fields["left_children"]), np.array(fields["right_children"])
    # The value of a leaf stands where a split has its threshold.
    conditions = np.array(fields["split_conditions"], np.float32)
    missing_left = np.array(fields["default_left"], bool)
    category = np.array(fields["split_type"]) == _CATEGORY
    sets = zip(fields["categories_nodes"], fields["categories_segments"], fields["categories_sizes"], strict=True)
    # Here the members of a set go right, and elsewhere left.
    return Tree.from_nodes(
        leaf=left < 0,
        feature=np.array(fields["split_indices"]),
        threshold=np.where(category, np.float32(0), conditions),
        left=np.where(category, right, left),
        right=np.where(category, left, right),
        missing_left=missing_left ^ category,
        values=weight * conditions[:, None].astype(np.float64),
        members={row: np.array(fields["categories"][start : start + size]) for row, start, size in sets},
        target=target,
        cover=np.array(fields["sum_hessian"], np.float64),
    )
