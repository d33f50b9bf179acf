"""Models of LightGBM, XGBoost and CatBoost, as their scikit-learn classes or their Boosters, as originals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from mlops_contract import Task
from mlops_conversion.errors import CannotConvert
from mlops_conversion.own import cat_boost, forests, scikit_learn
from mlops_conversion.own.graph import Graph, Wires
from mlops_conversion.own.original import Array, Original, Write
from mlops_conversion.own.pipelines import named

_CATBOOST = ("CatBoostClassifier", "CatBoostRegressor")
_CLASSES = {"lightgbm": ("binary", "multiclass"), "xgboost": ("binary:logistic", "multi:softprob")}


def original(model: Any, library: str) -> Original:
    """Return a fitted model as an original.

    Raises:
        CannotConvert: It is not fitted, or its objective is none that can be converted.
    """
    if library == "catboost":
        return _catboost(model)
    if type(model).__name__ == "Booster":
        return _lightgbm(model) if library == "lightgbm" else _xgboost(model)
    found = scikit_learn.original(model)
    booster = model.booster_ if library == "lightgbm" else model.get_booster()
    columns = booster.feature_name() if library == "lightgbm" else booster.feature_names
    return replace(found, write=_writer(model, _categories(booster, library)), columns=_given(columns, library))


def _catboost(model: Any) -> Original:
    if type(model).__name__ not in _CATBOOST:
        raise CannotConvert(f"{type(model).__name__} does not say what it predicts; use one of {', '.join(_CATBOOST)}")
    if not model.is_fitted():
        raise CannotConvert(f"{named((), model)} is not fitted; fit it first")
    names = tuple(map(str, model.feature_names_))
    own = tuple(str(place) for place in range(len(names)))
    columns = None if names == own else names
    return replace(scikit_learn.original(model), columns=columns, thresholds=lambda: cat_boost.thresholds(model))


def _writer(model: Any, categories: Sequence[Sequence[str]]) -> Write:
    def write(graph: Graph, wires: Wires, missing: Mapping[str, Any]) -> str:
        try:
            return forests.write(graph, model, wires, categories)
        except CannotConvert as error:
            raise CannotConvert(f"{named((), model)} cannot be converted: {error}") from error

    return write


def _lightgbm(booster: Any) -> Original:
    objective = _objective(booster).split()[0]
    classes = booster.num_model_per_iteration()
    is_class = objective in _CLASSES["lightgbm"]

    def ask(rows: Any) -> Array:
        return _answers(np.asarray(booster.predict(rows), np.float64), is_class)

    return Original(
        Task.CLASSIFICATION if is_class else Task.REGRESSION,
        tuple(range(max(classes, 2))) if is_class else (),
        ask,
        None,
        _writer(booster, _categories(booster, "lightgbm")),
        _given(booster.feature_name(), "lightgbm"),
        lambda: forests.thresholds(booster, booster.num_feature()),
    )


def _objective(booster: Any) -> str:
    lines = booster.model_to_string(num_iteration=1).splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("objective=")), "custom")


def _xgboost(booster: Any) -> Original:
    import xgboost

    settings = json.loads(booster.save_config())["learner"]
    is_class = settings["objective"]["name"] in _CLASSES["xgboost"]
    classes = int(settings["learner_model_param"]["num_class"])

    def ask(rows: Any) -> Array:
        matrix = xgboost.DMatrix(rows, enable_categorical=True)
        return _answers(np.asarray(booster.predict(matrix), np.float64), is_class)

    return Original(
        Task.CLASSIFICATION if is_class else Task.REGRESSION,
        tuple(range(max(classes, 2))) if is_class else (),
        ask,
        None,
        _writer(booster, _categories(booster, "xgboost")),
        _given(booster.feature_names, "xgboost"),
        lambda: forests.thresholds(booster, booster.num_features()),
    )


def _answers(answers: Array, is_class: bool) -> Array:
    """Return both probabilities, where a model answers with that of the second class."""
    if is_class and answers.ndim == 1:
        return np.column_stack([1 - answers, answers])
    return answers


def _given(names: Sequence[str] | None, library: str) -> tuple[str, ...] | None:
    """Return the names of the columns, if they are not the library's own numbering."""
    if not names:
        return None
    own = [f"Column_{index}" for index in range(len(names))]
    return None if library == "lightgbm" and list(names) == own else tuple(names)


def _categories(booster: Any, library: str) -> list[list[str]]:
    """Return the categories of each column of categories, in order, as the model codes them."""
    if library == "lightgbm":
        return [list(values) for values in booster.pandas_categorical or []]
    gradient = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]
    model = gradient.get("gbtree", gradient).get("model", {})
    return [_unpacked(entry) for entry in model.get("cats", {}).get("enc", []) if entry.get("offsets")]


def _unpacked(entry: dict[str, Any]) -> list[str]:
    if not all(isinstance(value, int) and 0 <= value < 256 for value in entry["values"]):
        raise CannotConvert("the categories of a column are not text; make them text")
    data, ends = bytes(entry["values"]), entry["offsets"]
    return [data[start:end].decode() for start, end in pairwise(ends)]
