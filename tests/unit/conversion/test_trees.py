"""Trees of the libraries and their ONNX models: the same answers to all rows, at thresholds and where missing too."""

from typing import Any

import lightgbm
import numpy as np
import onnx
import pytest
import xgboost
from sklearn import ensemble, tree
from sklearn.linear_model import LogisticRegression

from mlops_conversion.errors import CannotConvert
from mlops_conversion.trees import convert
from tests.support.trees import FEATURES, answers, asked, classes, numbers, quantity

FEW = {"n_estimators": 12, "random_state": 0}
QUIET = {"verbose": -1, "num_threads": 1, "min_child_samples": 5, "random_state": 0}
CLASSIFIERS = {
    "tree": lambda: tree.DecisionTreeClassifier(random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(**FEW),
    "extra_trees": lambda: ensemble.ExtraTreesClassifier(**FEW),
    "gradient_boosting": lambda: ensemble.GradientBoostingClassifier(**FEW),
    "gradient_boosting_from_zero": lambda: ensemble.GradientBoostingClassifier(init="zero", **FEW),
    "hist_gradient_boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=12, random_state=0),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=12, **QUIET),
    "lightgbm_dart": lambda: lightgbm.LGBMClassifier(n_estimators=12, boosting_type="dart", **QUIET),
    "lightgbm_forest": lambda: lightgbm.LGBMClassifier(
        n_estimators=12, boosting_type="rf", subsample=0.7, subsample_freq=1, **QUIET
    ),
    "xgboost": lambda: xgboost.XGBClassifier(n_jobs=1, **FEW),
    "xgboost_exact": lambda: xgboost.XGBClassifier(n_jobs=1, tree_method="exact", **FEW),
    "xgboost_dart": lambda: xgboost.XGBClassifier(n_jobs=1, booster="dart", rate_drop=0.3, **FEW),
    "xgboost_forest": lambda: xgboost.XGBRFClassifier(n_jobs=1, **FEW),
}
REGRESSORS = {
    "tree": lambda: tree.DecisionTreeRegressor(random_state=0),
    "forest": lambda: ensemble.RandomForestRegressor(**FEW),
    "extra_trees": lambda: ensemble.ExtraTreesRegressor(**FEW),
    "gradient_boosting": lambda: ensemble.GradientBoostingRegressor(**FEW),
    "gradient_boosting_huber": lambda: ensemble.GradientBoostingRegressor(loss="huber", **FEW),
    "hist_gradient_boosting": lambda: ensemble.HistGradientBoostingRegressor(max_iter=12, random_state=0),
    "hist_gradient_boosting_poisson": lambda: ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=12),
    "lightgbm": lambda: lightgbm.LGBMRegressor(n_estimators=12, **QUIET),
    "lightgbm_l1": lambda: lightgbm.LGBMRegressor(n_estimators=12, objective="regression_l1", **QUIET),
    "lightgbm_poisson": lambda: lightgbm.LGBMRegressor(n_estimators=12, objective="poisson", **QUIET),
    "xgboost": lambda: xgboost.XGBRegressor(n_jobs=1, **FEW),
    "xgboost_base": lambda: xgboost.XGBRegressor(n_jobs=1, base_score=1000.0, **FEW),
    "xgboost_gamma": lambda: xgboost.XGBRegressor(n_jobs=1, objective="reg:gamma", **FEW),
}
PRECISION = {"xgboost": 0.2, "xgboost_base": 0.2, "xgboost_gamma": 1.5}
"""XGBoost itself sums in float32, for gamma the logarithms, which it has to 1e-6."""
REFUSES_MISSING = ("gradient_boosting", "gradient_boosting_from_zero", "gradient_boosting_huber")


def compare(model: Any, inputs: np.ndarray, tolerance: float, skipped: tuple[str, ...] = ()) -> None:
    """Ask the model and its ONNX model, and want no row off, in batches and alone."""
    converted = convert(model, inputs.shape[1])
    onnx.checker.check_model(converted)
    for kind, rows in asked(model, inputs).items():
        if kind in skipped:
            continue
        expected = model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)[:, None]
        got = answers(converted, rows)
        assert got.shape == expected.shape
        assert got.dtype == np.float32
        assert np.abs(got - expected).max() <= tolerance, kind
        alone = np.concatenate([answers(converted, row[None]) for row in rows[:5]])
        assert np.abs(alone - got[:5]).max() <= tolerance


@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["complete", "missing"])
@pytest.mark.parametrize("count", [2, 3], ids=["binary", "three"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_answers_as_the_original(name: str, count: int, missing: float):
    refuses = name in REFUSES_MISSING
    inputs = numbers(missing=0.0 if refuses else missing)
    model = CLASSIFIERS[name]().fit(inputs, classes(inputs, count))
    compare(model, inputs, 2e-6, ("missing",) if refuses else ())


@pytest.mark.parametrize("missing", [0.0, 0.15], ids=["complete", "missing"])
@pytest.mark.parametrize("name", REGRESSORS)
def test_a_regressor_answers_as_the_original(name: str, missing: float):
    refuses = name in REFUSES_MISSING
    inputs = numbers(missing=0.0 if refuses else missing)
    targets = quantity(inputs)
    model = REGRESSORS[name]().fit(inputs, targets)
    # float32 has prices of this size to 0.03.
    compare(model, inputs, PRECISION.get(name, 0.1), ("missing",) if refuses else ())


def test_the_loss_exponential_halves_the_log_odds():
    inputs = numbers()
    model = ensemble.GradientBoostingClassifier(loss="exponential", **FEW).fit(inputs, classes(inputs, 2))
    compare(model, inputs, 2e-6, ("missing",))


def test_doubles_that_float32_does_not_have():
    """The thresholds lie between neighbours of float32, where the nearest one may be on the wrong side."""
    neighbours = (np.float32(4).view(np.int32) + np.arange(60, dtype=np.int32)).view(np.float32)
    inputs = np.stack([neighbours, -neighbours], axis=1)
    target = np.random.default_rng(0).integers(0, 2, 60)
    for model in (
        tree.DecisionTreeClassifier(random_state=0),
        ensemble.HistGradientBoostingClassifier(min_samples_leaf=1, max_iter=5),
        lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, min_child_samples=1, min_data_in_bin=1, num_threads=1),
        xgboost.XGBClassifier(n_estimators=5, tree_method="exact", n_jobs=1),
    ):
        compare(model.fit(inputs, target), inputs, 2e-6)


@pytest.mark.parametrize("name", ["forest", "lightgbm", "xgboost", "hist_gradient_boosting"])
def test_trees_of_one_leaf(name: str):
    """A constant feature cannot be split by."""
    inputs = np.ones((40, 2), np.float32)
    classifier = CLASSIFIERS[name]().fit(inputs, np.arange(40) % 2)
    regressor = REGRESSORS[name]().fit(inputs, np.arange(40.0))
    for model in (classifier, regressor):
        converted = convert(model, 2)
        expected = model.predict_proba(inputs) if model is classifier else model.predict(inputs)[:, None]
        assert np.allclose(answers(converted, inputs), expected, atol=1e-5)


def test_a_forest_of_one_class():
    inputs = numbers(30)
    model = ensemble.RandomForestClassifier(**FEW).fit(inputs, np.zeros(30))
    assert answers(convert(model, FEATURES), inputs) == pytest.approx(np.ones((30, 1)))


def test_leaves_beside_splits_of_single_leaves():
    """Some trees have a split and some have none, in one model."""
    inputs = numbers(200)
    model = lightgbm.LGBMClassifier(n_estimators=30, min_split_gain=2.0, **QUIET).fit(inputs, classes(inputs, 3))
    sizes = [tree["num_leaves"] for tree in model.booster_.dump_model()["tree_info"]]
    assert min(sizes) == 1 < max(sizes)
    compare(model, inputs, 2e-6)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_early_stopping_keeps_the_best_iterations(library: str):
    inputs, held_out = numbers(150), numbers(100, seed=5)
    target, other = classes(inputs, 2), np.random.default_rng(0).integers(0, 2, 100)
    if library == "lightgbm":
        stop = [lightgbm.early_stopping(5, verbose=False)]
        model = lightgbm.LGBMClassifier(n_estimators=80, learning_rate=0.5, **QUIET)
        model.fit(inputs, target, eval_set=[(held_out, other)], callbacks=stop)
        best = model.best_iteration_
        assert 0 < best < 80
    else:
        model = xgboost.XGBClassifier(n_estimators=80, early_stopping_rounds=5, learning_rate=0.5, n_jobs=1)
        model.fit(inputs, target, eval_set=[(held_out, other)], verbose=False)
        assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    compare(model, inputs, 2e-6)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_boosters_answer_as_their_classes(library: str):
    inputs = numbers(missing=0.1)
    model = CLASSIFIERS[library]().fit(inputs, classes(inputs, 3))
    booster = model.booster_ if library == "lightgbm" else model.get_booster()
    assert convert(booster, FEATURES) == convert(model, FEATURES)


@pytest.mark.parametrize("count", [2, 3], ids=["binary", "three"])
@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_categories_go_by_membership(library: str, count: int):
    """Codes of a category: known ones, rare ones, one that training never saw, far ones, and missing."""
    random = np.random.default_rng(0)
    inputs = numbers(900, missing=0.05)
    inputs[:, 2] = random.integers(0, 40, 900)
    inputs[:50, 2] = np.nan
    target = (random.permutation(50)[np.nan_to_num(inputs[:, 2], nan=45).astype(int)] + (inputs[:, 0] > 0)) % count
    if library == "lightgbm":
        model = lightgbm.LGBMClassifier(n_estimators=10, cat_smooth=1, min_data_per_group=5, **QUIET)
        model.fit(inputs, target, categorical_feature=[2])
        assert "num_cat=0" not in model.booster_.model_to_string().partition("Tree=1")[0]
    else:
        kinds = ["q", "q", "c", "q", "q"]
        data = xgboost.DMatrix(inputs, target, feature_types=kinds, enable_categorical=True)
        settings = {"max_cat_to_onehot": 1, "nthread": 1, "num_class": 3, "objective": "multi:softprob"}
        if count == 2:
            settings = {"max_cat_to_onehot": 1, "nthread": 1, "objective": "binary:logistic"}
        model = xgboost.train(settings, data, 10)
    rows = np.resize(inputs, (60 * len(inputs), FEATURES))[: 60 * 40]
    rows[:, 2] = np.resize(np.array([*range(48), 100, 5000, np.nan, 0, 1, 2], np.float32), len(rows))
    if library == "lightgbm":
        expected = model.predict_proba(rows)
    else:
        raw = model.predict(xgboost.DMatrix(rows, feature_types=kinds, enable_categorical=True))
        expected = raw if count == 3 else np.stack([1 - raw, raw], axis=1)
    assert np.abs(answers(convert(model, FEATURES), rows) - expected).max() < 2e-6


def test_the_same_model_gives_the_same_bytes():
    inputs = numbers()
    models = [CLASSIFIERS["lightgbm"]().fit(inputs, classes(inputs, 2)) for _ in range(2)]
    first, second = (convert(model, FEATURES).SerializeToString(deterministic=True) for model in models)
    assert first == second


@pytest.mark.parametrize("count", [2, 3], ids=["binary", "three"])
def test_a_node_of_a_large_forest_is_small(count: int):
    inputs = numbers(5000)
    model = ensemble.RandomForestClassifier(30, n_jobs=1, random_state=0)
    model.fit(inputs, np.random.default_rng(0).integers(0, count, 5000))
    nodes = sum(member.tree_.node_count for member in model.estimators_)
    assert nodes > 50_000
    assert convert(model, FEATURES).ByteSize() / nodes < 20


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: LogisticRegression(), "LogisticRegression"),
        (lambda: ensemble.AdaBoostClassifier(), "AdaBoostClassifier"),
        (lambda: ensemble.HistGradientBoostingClassifier(categorical_features=[4]), "OrdinalEncoder"),
        (lambda: ensemble.GradientBoostingClassifier(init=LogisticRegression()), "init=None"),
        (lambda: lightgbm.LGBMClassifier(linear_tree=True, **QUIET), "linear_tree=False"),
        (lambda: lightgbm.LGBMClassifier(zero_as_missing=True, **QUIET), "zero_as_missing=False"),
        (lambda: lightgbm.LGBMClassifier(objective="multiclassova", num_class=2, **QUIET), "multiclassova"),
        (lambda: lightgbm.LGBMRegressor(reg_sqrt=True, **QUIET), "reg_sqrt=False"),
        (lambda: xgboost.XGBClassifier(booster="gblinear", n_jobs=1), "gbtree"),
        (lambda: xgboost.XGBClassifier(missing=-1.0, n_jobs=1), "missing=nan"),
        (lambda: xgboost.XGBClassifier(objective="binary:hinge", n_jobs=1), "binary:logistic"),
    ],
)
def test_what_has_no_exact_equivalent_is_refused(model: Any, says: str):
    inputs = numbers()
    inputs[::2, 0] = 0
    fitted = model().fit(inputs, classes(inputs, 2))
    with pytest.raises(CannotConvert, match=says):
        convert(fitted, FEATURES)


def test_several_targets_are_refused():
    inputs = numbers()
    model = ensemble.RandomForestRegressor(**FEW).fit(inputs, inputs[:, :2])
    with pytest.raises(CannotConvert, match="one model for each"):
        convert(model, FEATURES)


def test_another_number_of_features_is_refused():
    inputs = numbers()
    model = tree.DecisionTreeRegressor().fit(inputs, quantity(inputs))
    with pytest.raises(CannotConvert, match="5 features, and 4 are given"):
        convert(model, 4)


def test_something_else_is_refused():
    with pytest.raises(CannotConvert, match="not a model of trees"):
        convert(object(), 1)
