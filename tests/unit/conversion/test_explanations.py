"""What explains models of trees: equal to shap's, adding up to the answers, and read back as it was written."""

import importlib
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlops_contract import tree_paths
from mlops_contract.explanations import Explanation, Linear, NoExplanation, Sum, UnreadableExplanation
from mlops_contract.tree_paths import TreePaths
from mlops_conversion.trees import explanation
from tests.support.trees import FEATURES, classes, numbers, quantity

ROWS = 12
Model = Callable[[], tuple[Any, np.ndarray]]


def fitted(path: str, task: str, missing: float = 0.1, categories: bool = False, **settings: Any) -> Model:
    """A model of any library, and rows for it: some values missing, and the last feature a category if asked."""

    def fit() -> tuple[Any, np.ndarray]:
        module, _, name = path.rpartition(".")
        kind = getattr(importlib.import_module(module), name)
        inputs = numbers(500, missing)
        targets = quantity(inputs) if task == "quantity" else classes(inputs, int(task))
        model = kind(**settings)
        if categories and module == "lightgbm":
            inputs[:, -1] = np.abs(inputs[:, -1])
            return model.fit(inputs, targets, categorical_feature=[FEATURES - 1]), inputs
        if categories:
            model.set_params(feature_types=["q"] * (FEATURES - 1) + ["c"], enable_categorical=True)
        return model.fit(inputs, targets), inputs

    return fit


QUIET = {"verbose": -1, "n_jobs": 1}
MODELS = {
    "a forest of two classes": fitted("sklearn.ensemble.RandomForestClassifier", "2", n_estimators=30, random_state=0),
    "a forest of three": fitted("sklearn.ensemble.RandomForestClassifier", "3", n_estimators=10, random_state=0),
    "a forest of quantities": fitted("sklearn.ensemble.RandomForestRegressor", "quantity", n_estimators=10),
    "extra trees": fitted("sklearn.ensemble.ExtraTreesClassifier", "3", missing=0, n_estimators=10, random_state=0),
    "gradient boosting": fitted("sklearn.ensemble.GradientBoostingClassifier", "2", missing=0, n_estimators=30),
    "gradient boosting of quantities": fitted("sklearn.ensemble.GradientBoostingRegressor", "quantity", missing=0),
    "histograms": fitted("sklearn.ensemble.HistGradientBoostingClassifier", "2", missing=0),
    "histograms of quantities": fitted("sklearn.ensemble.HistGradientBoostingRegressor", "quantity", missing=0),
    "LightGBM": fitted("lightgbm.LGBMClassifier", "2", **QUIET),
    "LightGBM of three": fitted("lightgbm.LGBMClassifier", "3", n_estimators=30, **QUIET),
    "LightGBM of quantities": fitted("lightgbm.LGBMRegressor", "quantity", **QUIET),
    "LightGBM with categories": fitted(
        "lightgbm.LGBMClassifier", "2", categories=True, min_data_per_group=1, cat_smooth=1, **QUIET
    ),
    "XGBoost": fitted("xgboost.XGBClassifier", "2", n_jobs=1),
    "XGBoost of three": fitted("xgboost.XGBClassifier", "3", n_estimators=30, n_jobs=1),
    "XGBoost of quantities": fitted("xgboost.XGBRegressor", "quantity", n_jobs=1),
    "XGBoost with categories": fitted("xgboost.XGBClassifier", "2", categories=True, max_cat_to_onehot=2, n_jobs=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_parts_are_those_of_shap(name: str) -> None:
    shap = pytest.importorskip("shap", reason="shap is in the group test")
    model, inputs = MODELS[name]()
    own, rows = explanation(model, FEATURES), inputs[:ROWS]
    theirs = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = np.asarray(theirs.shap_values(rows)).reshape(ROWS, FEATURES, -1)
    base = np.atleast_1d(theirs.expected_value)
    for output in range(own.summands.outputs):
        parts = np.array([own.summands.parts(row, output) for row in rows])
        scale = max(1.0, float(np.abs(values).max()))
        assert np.abs(parts - values[:, :, output]).max() <= 1e-4 * scale
        assert abs(own.summands.base[output] - base[output]) <= 1e-4 * scale


@pytest.mark.parametrize("name", MODELS)
def test_the_parts_add_up_to_the_models_own_answers(name: str) -> None:
    model, inputs = MODELS[name]()
    found = Explanation.from_bytes(explanation(model, FEATURES).to_bytes(), FEATURES)
    answers = model.predict_proba(inputs) if hasattr(model, "predict_proba") else model.predict(inputs)[:, None]
    for row, answer in zip(inputs[:ROWS], answers, strict=False):
        assert found.fits(row, answer)
        for chosen, expected in enumerate(answer):
            explained = found.explain(row, chosen, FEATURES)
            total = explained.base + explained.parts.sum()
            if found.sum is Sum.LOG_ODDS:
                assert 1 / (1 + math.exp(-total)) == pytest.approx(float(expected), abs=1e-6)
            elif found.sum is Sum.SCORE:
                assert total == pytest.approx(found.summands.scores(row)[chosen])
            else:
                assert total == pytest.approx(expected, rel=1e-5)


def test_the_parts_are_shapley_values_by_their_definition() -> None:
    model, inputs = fitted("sklearn.ensemble.RandomForestRegressor", "quantity", n_estimators=2, max_depth=4)()
    paths = explanation(model, FEATURES).summands
    assert isinstance(paths, TreePaths)
    row = inputs[0]
    expected = np.zeros(FEATURES)
    for feature in range(FEATURES):
        others = [other for other in range(FEATURES) if other != feature]
        for size in range(FEATURES):
            weight = math.factorial(size) * math.factorial(FEATURES - size - 1) / math.factorial(FEATURES)
            for known in itertools.combinations(others, size):
                gain = conditional(model, row, {*known, feature}) - conditional(model, row, set(known))
                expected[feature] += weight * gain
    assert paths.parts(row, 0) == pytest.approx(expected, rel=1e-6, abs=1e-3)


def conditional(forest: Any, row: np.ndarray, known: set[int]) -> float:
    """What a forest answers if only some features are known: at other splits both branches, by their rows."""

    def below(tree: Any, node: int) -> float:
        left, right = tree.children_left[node], tree.children_right[node]
        if left < 0:
            return float(tree.value[node, 0, 0])
        feature, weight = tree.feature[node], tree.weighted_n_node_samples
        if feature not in known:
            return float((weight[left] * below(tree, left) + weight[right] * below(tree, right)) / weight[node])
        goes_left = tree.missing_go_to_left[node] if np.isnan(row[feature]) else row[feature] <= tree.threshold[node]
        return below(tree, left if goes_left else right)

    return float(np.mean([below(member.tree_, 0) for member in forest.estimators_]))


def test_codes_that_no_split_names_take_the_branch_that_the_model_takes() -> None:
    model, inputs = MODELS["LightGBM with categories"]()
    found = explanation(model, FEATURES)
    rows = np.repeat(inputs[:4], 3, axis=0)
    rows[:, -1] = np.tile(np.array([500, np.nan, 3], np.float32), 4)
    assert all(found.fits(row, answer) for row, answer in zip(rows, model.predict_proba(rows), strict=True))


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (explanation(MODELS["LightGBM"]()[0], FEATURES).to_bytes() for _ in range(2))
    assert first == second


def test_a_model_with_too_many_leaves_is_not_explained_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_conversion.trees import explain

    model, _ = MODELS["a forest of two classes"]()
    monkeypatch.setattr(explain, "MAX_WORK", 1000)
    with pytest.raises(NoExplanation, match=r"leaves, on whose paths up to \d features or more are asked"):
        explanation(model, FEATURES)


def test_predict_does_not_take_a_file_with_more_work_than_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    content = explanation(MODELS["LightGBM"]()[0], FEATURES).to_bytes()
    monkeypatch.setattr(tree_paths, "MAX_WORK", 1000)
    with pytest.raises(UnreadableExplanation, match="at most 1,000"):
        Explanation.from_bytes(content, FEATURES)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: b"no npz", "BadZipFile"),
        (lambda data: data[: len(data) // 2], "BadZipFile"),
        (lambda data: resaved(data, feature=np.array([99], np.int32)), "do not fit"),
        (lambda data: resaved(data, columns=np.array([7] * FEATURES, np.int32)), "contract's columns"),
        (lambda data: resaved(data, kind=np.array("network")), "KeyError"),
        (lambda data: resaved(data, targets=np.array([5], np.int32)), "do not fit"),
    ],
)
def test_a_file_that_is_none_is_refused(spoil: Callable[[bytes], bytes], why: str) -> None:
    content = explanation(MODELS["LightGBM"]()[0], FEATURES).to_bytes()
    with pytest.raises(UnreadableExplanation, match=why):
        Explanation.from_bytes(spoil(content), FEATURES)


def resaved(data: bytes, **changes: np.ndarray) -> bytes:
    import io

    file = io.BytesIO()
    with np.load(io.BytesIO(data)) as arrays:
        np.savez(file, **{**{name: arrays[name] for name in arrays.files}, **changes})
    return file.getvalue()


def test_a_linear_model_is_explained_against_its_mean_row() -> None:
    linear = Linear(np.array([[2.0, -1.0]]), np.array([1.0, 3.0]), np.array([0.5]))
    found = Explanation(Sum.LOG_ODDS, linear, np.array([0, 1], np.int32))
    row = np.array([4.0, 2.0], np.float32)
    second, first = found.explain(row, 1, 2), found.explain(row, 0, 2)
    assert second.base == 0.5 + 2 - 3
    assert second.parts.tolist() == [6.0, 1.0]
    assert (first.base, first.parts.tolist()) == (-second.base, [-6.0, -1.0])
    assert found.answers(row)[1] == pytest.approx(1 / (1 + math.exp(-6.5)))
