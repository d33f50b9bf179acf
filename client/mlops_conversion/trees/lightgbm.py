"""Read the trees of LightGBM's models, from its text format."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlops_conversion.errors import CannotConvert
from mlops_conversion.trees.forest import Array, Forest, Output, Tree, left_share, rounded_down

_OUTPUTS = {
    "binary": Output.LOGIT,
    "multiclass": Output.LOGITS,
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), Output.QUANTITY),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), Output.LOG_QUANTITY),
}
_CATEGORY, _DEFAULT_LEFT = 1, 2
"""Bits of a split's `decision_type`; the two bits above them say which values are missing."""
_MISSING_ZERO, _MISSING_NAN = 1, 2
_ZERO = np.float32(1e-35)
"""LightGBM takes a value up to this size for zero."""

_Fields = Mapping[str, str]


def read(model: Any) -> tuple[Forest, Output, int]:
    """Return a fitted model's trees up to its best iteration, what their sum means, and the number of features.

    Categories must be whole numbers, as in a coded matrix.

    Raises:
        CannotConvert: It is no model of LightGBM, or has a part that has no exact equivalent.
    """
    booster = getattr(model, "booster_", model)
    if not hasattr(booster, "model_to_string"):
        raise CannotConvert(f"{type(model).__name__} is no model of LightGBM; give a Booster or an LGBMModel")
    header, *blocks = map(_fields, booster.model_to_string().partition("\nend of trees")[0].split("\nTree="))
    if not blocks:
        raise CannotConvert("the model has no trees; fit it with at least one iteration")
    output, scale = _output(header.get("objective", ""))
    outputs = int(header["num_tree_per_iteration"])
    if "average_output" in header:
        scale /= len(blocks) // outputs
    trees = [_tree(block, number % outputs) for number, block in enumerate(blocks)]
    scaled = tuple(replace(tree, values=tree.values * scale) for tree in trees)
    return Forest(scaled, np.zeros(outputs)), output, int(header["max_feature_idx"]) + 1


def _fields(block: str) -> _Fields:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}


def _output(objective: str) -> tuple[Output, float]:
    """Return what the sum means, and the factor by which it is multiplied first."""
    name, *settings = objective.split() or [""]
    if name not in _OUTPUTS:
        raise CannotConvert(
            f"the model's objective is {name or 'a function of its own'}; these can be converted: {', '.join(_OUTPUTS)}"
        )
    if "sqrt" in settings:
        raise CannotConvert("the model squares its answer; fit it with reg_sqrt=False")
    slopes = [float(setting.partition(":")[2]) for setting in settings if setting.startswith("sigmoid:")]
    return _OUTPUTS[name], slopes[0] if slopes else 1.0


def _tree(fields: _Fields, target: int) -> Tree:
    if fields.get("is_linear") == "1":
        raise CannotConvert("the model's leaves are linear models; fit it with linear_tree=False")
    values = _numbers(fields, "leaf_value", np.float64)
    kinds = _numbers(fields, "decision_type", np.int64)
    doubles = _numbers(fields, "threshold", np.float64)
    category = kinds & _CATEGORY != 0
    return Tree(
        feature=_numbers(fields, "split_feature", np.int64),
        threshold=np.where(category, np.float32(0), _thresholds(doubles)),
        left=_numbers(fields, "left_child", np.int64),
        right=_numbers(fields, "right_child", np.int64),
        missing_left=~category & _missing_left(kinds, doubles, category),
        values=values[:, None],
        members=_members(fields, np.flatnonzero(category), doubles),
        target=target,
        left_share=_left_share(fields),
    )


def _left_share(fields: _Fields) -> Array:
    """Return the share of the rows that went left at each split."""
    splits, leaves = _numbers(fields, "internal_count", np.float64), _numbers(fields, "leaf_count", np.float64)
    left = _numbers(fields, "left_child", np.int64)
    if not len(splits):
        return splits
    return left_share(splits, np.where(left >= 0, splits[left], leaves[-1 - left]))


def _thresholds(doubles: Array) -> Array:
    """Return the thresholds as float32. Values that LightGBM takes for zero are all on the side of zero."""
    thresholds = rounded_down(doubles)
    below_zero = (thresholds >= -_ZERO) & (thresholds < 0)
    thresholds = np.where(below_zero, np.nextafter(-_ZERO, np.float32(-np.inf)), thresholds)
    return np.where((thresholds >= 0) & (thresholds < _ZERO), _ZERO, thresholds)


def _missing_left(kinds: Array, thresholds: Array, category: Array) -> Array:
    """Return whether NaN goes left at splits that compare."""
    missing, left = kinds >> 2, kinds & _DEFAULT_LEFT != 0
    # Where zero is missing too, a split can send it where the threshold would not; ONNX needs more splits for that.
    if (~category & (missing == _MISSING_ZERO) & ((thresholds >= 0) != left)).any():
        raise CannotConvert("the model takes zero for missing; fit it with zero_as_missing=False")
    # Where training saw nothing missing, NaN is zero.
    return np.where(missing == _MISSING_NAN, left, thresholds >= 0)


def _members(fields: _Fields, splits: Array, thresholds: Array) -> dict[int, Array]:
    """Return the categories that go left at splits by category, whose threshold is the number of their set."""
    if not len(splits):
        return {}
    bounds = _numbers(fields, "cat_boundaries", np.int64)
    words = _numbers(fields, "cat_threshold", np.int64).astype("<u4")
    members = {}
    for split in splits.tolist():
        number = int(thresholds[split])
        bits = np.unpackbits(words[bounds[number] : bounds[number + 1]].view(np.uint8), bitorder="little")
        members[split] = np.flatnonzero(bits)
    return members


def _numbers(fields: _Fields, name: str, dtype: type) -> Array:
    return np.array(fields.get(name, "").split(), dtype)
