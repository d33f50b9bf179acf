"""Models that people wrote themselves: converted and answering as the original through predict's code, or refused.

Each model is asked rows that neither its training nor its proof has seen, with missing and unseen values. So no verdict
rests on the proof alone.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import torch
import xgboost
from sklearn import calibration, decomposition, ensemble, linear_model, naive_bayes, neural_network, svm
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from mlops_contract import ColumnType, Task
from mlops_contract.agreement import agreement
from mlops_conversion import CannotConvert, Converted, NotProved, convert, describe
from mlops_conversion.own import numeric
from tests.support.own_models import NUMBERS, TEXTS, answered, churned, customers, json_rows, spent
from tests.support.served_models import admitted, answers, loaded

TRAINING, HELD_OUT, OTHERS = customers(240, 0), customers(160, 1), customers(240, 2)
OTHERS.loc[:9, "city"] = "Turin"
OTHERS.loc[5:14, "plan"] = "STUDENT"
TREES = {"n_estimators": 10, "n_jobs": 1}
LIGHT = {**TREES, "verbose": -1}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def mixed(**settings: Any) -> ColumnTransformer:
    """Everybody's recipe."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot())
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)], **settings)


def one_hot(**settings: Any) -> OneHotEncoder:
    return OneHotEncoder(**{"handle_unknown": "ignore", **settings})


def columns(*parts: tuple[str, Any, Any], **settings: Any) -> ColumnTransformer:
    return ColumnTransformer(list(parts), **settings)


def imputed(*steps: Any) -> ColumnTransformer:
    return columns(("numbers", make_pipeline(SimpleImputer(), *steps), NUMBERS))


def logistic() -> linear_model.LogisticRegression:
    return linear_model.LogisticRegression(max_iter=500)


def coded(encoder: Any) -> ColumnTransformer:
    return columns(("codes", encoder, TEXTS), ("numbers", "passthrough", NUMBERS))


def leaves(frame: pd.DataFrame) -> pd.Series:
    """The classes by number, as XGBoost takes them."""
    return (churned(frame) == "yes").astype(int).rename("churned")


@dataclass(frozen=True)
class Case:
    """A model, the columns that may not be null in its contract, and those that take known values only."""

    model: Callable[[], Any]
    required: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


CONVERTED = {
    "everybody's logistic regression": Case(lambda: make_pipeline(mixed(), logistic())),
    "everybody's forest": Case(lambda: make_pipeline(mixed(), ensemble.RandomForestClassifier(**TREES))),
    "everybody's LightGBM": Case(lambda: make_pipeline(mixed(), lightgbm.LGBMClassifier(**LIGHT))),
    "everybody's XGBoost": Case(lambda: make_pipeline(mixed(), xgboost.XGBClassifier(**TREES))),
    "a dense histogram boosting": Case(
        lambda: make_pipeline(mixed(sparse_threshold=0), ensemble.HistGradientBoostingClassifier(max_iter=10))
    ),
    "sparse one-hot before XGBoost": Case(
        lambda: make_pipeline(coded(one_hot()).set_params(sparse_threshold=1.0), xgboost.XGBClassifier(**TREES))
    ),
    "an indicator": Case(
        lambda: make_pipeline(
            columns(
                ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), NUMBERS),
                ("texts", one_hot(), TEXTS),
            ),
            logistic(),
        )
    ),
    "ordinal codes": Case(
        lambda: make_pipeline(
            coded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
            ensemble.RandomForestClassifier(**TREES),
        )
    ),
    "codes of numbers, and texts that must be known": Case(
        lambda: make_pipeline(
            columns(("numbers", one_hot(), ["visits", "member"]), ("texts", OneHotEncoder(), TEXTS)), logistic()
        ),
        ("plan",),
        ("city", "plan"),
    ),
    "rare values in one": Case(
        lambda: make_pipeline(
            columns(("texts", one_hot(handle_unknown="infrequent_if_exist", max_categories=3, drop="first"), TEXTS)),
            logistic(),
        )
    ),
    "target encoding": Case(
        lambda: make_pipeline(coded(TargetEncoder(cv=3)), ensemble.HistGradientBoostingClassifier(max_iter=10))
    ),
    "text": Case(lambda: make_pipeline(columns(("words", TfidfVectorizer(), "note")), logistic()), ("note",)),
    "pairs of words, and numbers": Case(
        lambda: make_pipeline(
            columns(
                ("words", CountVectorizer(ngram_range=(1, 2)), "note"),
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ),
            logistic(),
        ),
        ("note",),
    ),
    "a function of numpy": Case(
        lambda: make_pipeline(
            columns(("log", FunctionTransformer(np.log1p), ["visits"]), ("numbers", SimpleImputer(), NUMBERS)),
            StandardScaler(),
            logistic(),
        ),
        ("visits",),
        ("visits",),
    ),
    "selected features": Case(lambda: make_pipeline(mixed(), SelectKBest(k=4), logistic())),
    "products": Case(lambda: make_pipeline(imputed(StandardScaler(), PolynomialFeatures(2)), logistic())),
    "principal components": Case(
        lambda: make_pipeline(mixed(sparse_threshold=0), decomposition.PCA(4, random_state=0), logistic())
    ),
    "a network": Case(lambda: make_pipeline(mixed(), neural_network.MLPClassifier((8,), max_iter=40, random_state=0))),
    "calibrated support vectors": Case(
        lambda: make_pipeline(mixed(), calibration.CalibratedClassifierCV(svm.SVC(), cv=2, ensemble=False))
    ),
    "naive Bayes": Case(lambda: make_pipeline(mixed(sparse_threshold=0), naive_bayes.GaussianNB())),
    "a search": Case(
        lambda: GridSearchCV(make_pipeline(mixed(), logistic()), {"logisticregression__C": [0.1, 1.0]}, cv=2)
    ),
    "ridge": Case(lambda: make_pipeline(mixed(), linear_model.Ridge())),
    "a forest of quantities": Case(
        lambda: make_pipeline(mixed(), ensemble.RandomForestRegressor(random_state=0, **TREES))
    ),
    "the logarithm of a quantity": Case(
        lambda: TransformedTargetRegressor(
            make_pipeline(mixed(), linear_model.Ridge()), func=np.log1p, inverse_func=np.expm1, check_inverse=False
        )
    ),
    "XGBoost of raw numbers": Case(
        lambda: make_pipeline(columns(("numbers", "passthrough", NUMBERS)), xgboost.XGBRegressor(**TREES))
    ),
}

REFUSED = {
    "letters in words": (
        lambda: make_pipeline(columns(("words", TfidfVectorizer(analyzer="char_wb"), "note")), logistic()),
        r"the step 'columntransformer › words' \(TfidfVectorizer\).*char_wb.*'word' and 'char'",
    ),
    "accents": (
        lambda: make_pipeline(columns(("words", TfidfVectorizer(strip_accents="unicode"), "note")), logistic()),
        r"'columntransformer › words' \(TfidfVectorizer\).*strips accents.*before the pipeline",
    ),
    "a function of their own": (
        lambda: make_pipeline(imputed(FunctionTransformer(lambda values: values * 2)), logistic()),
        r"'columntransformer › numbers › functiontransformer' \(FunctionTransformer\).*before the pipeline",
    ),
    "neighbours that impute": (
        lambda: make_pipeline(columns(("numbers", KNNImputer(), NUMBERS)), logistic()),
        r"'columntransformer › numbers' \(KNNImputer\).*SimpleImputer",
    ),
    "no probabilities": (
        lambda: make_pipeline(mixed(), svm.LinearSVC()),
        r"'linearsvc' \(LinearSVC\) gives no probabilities.*CalibratedClassifierCV",
    ),
    "categories in histogram boosting": (
        lambda: make_pipeline(
            coded(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)),
            ensemble.HistGradientBoostingClassifier(max_iter=5, categorical_features=[0, 1]),
        ),
        r"\(HistGradientBoostingClassifier\).*categorical_features.*LightGBM",
    ),
    "something that groups": (
        lambda: make_pipeline(mixed(sparse_threshold=0), decomposition.PCA(2)),
        r"'pca' \(PCA\) predicts neither a class nor a quantity",
    ),
}


@pytest.mark.slow  # all of them together
@pytest.mark.parametrize("name", CONVERTED)
def test_a_pipeline_answers_as_its_original(name: str) -> None:
    case = CONVERTED[name]
    model = case.model()
    quantity = not is_classifier(model)
    by_number = isinstance(getattr(model, "steps", [("", model)])[-1][1], xgboost.XGBClassifier)
    truth = spent if quantity else leaves if by_number else churned
    model.fit(TRAINING, truth(TRAINING))
    converted = convert(model, HELD_OUT, target=truth(HELD_OUT))
    assert converted.contract is not None
    assert converted.task is (Task.REGRESSION if quantity else Task.CLASSIFICATION)
    assert converted.contract.target == truth(HELD_OUT).name
    assert tuple(column.name for column in converted.contract.columns if not column.null_ok) == case.required
    assert tuple(column.name for column in converted.contract.columns if column.closed) == case.closed
    original = model.predict if quantity else model.predict_proba
    served = loaded(admitted(converted.content, converted.proof_rows))
    names = [column.name for column in converted.contract.columns]
    taken, answers = answered(served, json_rows(OTHERS, names))
    assert taken.sum() > 100
    assert_agree(np.asarray(original(OTHERS[taken])), answers, converted)


def assert_agree(expected: np.ndarray, answers: np.ndarray, converted: Converted) -> None:
    scale = converted.proof["scale"]
    compared = agreement(expected.reshape(len(answers), -1).astype(np.float64), answers.astype(np.float64), scale)
    assert compared.off.mean() <= 0.001, f"{compared.off.sum()} rows are off, by up to {compared.differences.max():.3g}"


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_converted_is_refused_with_the_step_and_a_remedy(name: str) -> None:
    build, says = REFUSED[name]
    model = build()
    model.fit(TRAINING, churned(TRAINING))
    with pytest.raises(CannotConvert, match=says) as refusal:
        convert(model, HELD_OUT, target=churned(HELD_OUT))
    assert len(str(refusal.value)) < 700, "no graph in the message"


def test_a_wrong_conversion_is_not_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: Any, step: Any, wire: Any) -> Any:
        return numeric.applied(graph, "Div", wire, step.scale_)

    monkeypatch.setitem(numeric.STEPS, "StandardScaler", wrong)
    model = make_pipeline(mixed(), logistic()).fit(TRAINING, churned(TRAINING))
    with pytest.raises(NotProved, match="rows of the kind held_out, by up to") as refusal:
        convert(model, HELD_OUT)
    assert refusal.value.proof["passes"] is False


def test_a_model_whose_own_choice_is_another_one_is_refused() -> None:
    class Reversed(linear_model.LogisticRegression):
        def predict(self, rows: Any) -> Any:
            return self.classes_[1 - (self.decision_function(rows) > 0).astype(int)]

    model = make_pipeline(imputed(), Reversed()).fit(TRAINING, churned(TRAINING))
    with pytest.raises(CannotConvert, match="predict and predict_proba disagree"):
        convert(model, HELD_OUT)


def frozen() -> Any:
    """Fitted before, on what the steps before it make."""
    steps = make_pipeline(imputed(StandardScaler())).fit(TRAINING)
    return logistic().fit(steps.transform(TRAINING), churned(TRAINING))


@pytest.mark.parametrize(
    ("wrapped", "given"),
    [
        (lambda: FixedThresholdClassifier(logistic(), threshold=0.3), None),
        (lambda: TunedThresholdClassifierCV(logistic(), scoring="balanced_accuracy"), None),
        (lambda: GridSearchCV(FixedThresholdClassifier(logistic()), {"threshold": [0.3]}), None),
        (lambda: FixedThresholdClassifier(FrozenEstimator(frozen())), None),
        (logistic, 0.3),
    ],
    ids=["fixed", "tuned", "searched", "frozen", "given"],
)
def test_a_decision_threshold_is_served(wrapped: Callable[[], Any], given: float | None) -> None:
    model = make_pipeline(imputed(StandardScaler()), wrapped()).fit(TRAINING, churned(TRAINING))
    converted = convert(model, HELD_OUT, target=churned(HELD_OUT), decision_threshold=given)
    served = loaded(admitted(converted.content, converted.proof_rows, converted.explanation))
    predictions, _ = answers(served, json_rows(HELD_OUT, NUMBERS))
    scores = model.predict_proba(HELD_OUT)[:, 1]
    expected = model.predict(HELD_OUT) if given is None else np.where(scores >= given, "yes", "no")
    assert predictions == expected.tolist()
    assert converted.metrics["accuracy"] == pytest.approx(np.mean(expected == np.asarray(churned(HELD_OUT))))
    assert served.manifest.decision_threshold is not None


def test_a_threshold_that_the_platform_does_not_have_is_refused_with_what_does() -> None:
    for wrong, remedy in (
        (FixedThresholdClassifier(logistic(), threshold=0.3, pos_label="no"), "pos_label='yes'"),
        (FixedThresholdClassifier(logistic(), response_method="decision_function"), "response_method='predict_proba'"),
        (FixedThresholdClassifier(logistic(), threshold=2.0), "always gives the same answer"),
    ):
        model = make_pipeline(imputed(StandardScaler()), wrong).fit(TRAINING, churned(TRAINING))
        with pytest.raises(CannotConvert, match=remedy):
            convert(model, HELD_OUT)
    model = make_pipeline(imputed(StandardScaler()), FixedThresholdClassifier(logistic(), threshold=0.3))
    with pytest.raises(ValueError, match=r"the model has one of its own, 0\.3"):
        convert(model.fit(TRAINING, churned(TRAINING)), HELD_OUT, decision_threshold=0.4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        convert(model, HELD_OUT, decision_threshold=1.0)


def test_columns_that_the_model_does_not_use_are_not_in_the_contract() -> None:
    model = make_pipeline(imputed(StandardScaler()), logistic()).fit(TRAINING, churned(TRAINING))
    converted = convert(model, HELD_OUT.assign(extra="x"), target=churned(HELD_OUT))
    assert converted.contract is not None
    assert [column.name for column in converted.contract.columns] == NUMBERS
    assert any("does not use the columns member, city, plan, note" in note for note in converted.notes)
    assert any("not fitted with the columns extra" in note for note in converted.notes)
    assert converted.metrics["accuracy"] == pytest.approx(model.score(HELD_OUT, churned(HELD_OUT)))


def test_data_that_does_not_fit_is_refused_by_name() -> None:
    model = make_pipeline(mixed(), logistic()).fit(TRAINING, churned(TRAINING))
    with pytest.raises(ValueError, match="data lacks the columns 'plan'"):
        convert(model, HELD_OUT.drop(columns="plan"))
    with pytest.raises(ValueError, match="target has the value 'maybe'"):
        convert(model, HELD_OUT, target=["maybe"] * len(HELD_OUT))
    with pytest.raises(ValueError, match="target has 3 values, and data has 160 rows"):
        convert(model, HELD_OUT, target=["yes"] * 3)
    with pytest.raises(ValueError, match=r"the column 'visits' has whole numbers beyond 16,777,216"):
        convert(model, HELD_OUT.assign(visits=1 << 25))
    with pytest.raises(CannotConvert, match="is not fitted"):
        convert(make_pipeline(mixed(), logistic()), HELD_OUT)
    strict = make_pipeline(columns(("numbers", "passthrough", NUMBERS)), logistic())
    strict.fit(TRAINING.dropna(), churned(TRAINING.dropna()))
    with pytest.raises(ValueError, match=r"the model does not answer the rows of data .* with missing values"):
        convert(strict, HELD_OUT)
    converted = convert(strict, HELD_OUT.dropna())
    assert converted.contract is not None
    assert [column.name for column in converted.contract.columns if not column.null_ok] == NUMBERS


def test_texts_alone() -> None:
    model = make_pipeline(TfidfVectorizer(), logistic()).fit(TRAINING["note"].tolist(), churned(TRAINING))
    converted = convert(model, HELD_OUT["note"], target=churned(HELD_OUT))
    served = loaded(admitted(converted.content, converted.proof_rows))
    taken, answers = answered(served, json_rows(OTHERS, ["note"]))
    assert taken.all()
    assert_agree(model.predict_proba(OTHERS["note"].tolist()), answers, converted)


BOOSTERS: dict[str, Callable[[pd.DataFrame, Any], Any]] = {
    "LightGBM's class": lambda rows, truth: lightgbm.LGBMClassifier(**LIGHT).fit(rows, truth),
    "LightGBM's Booster": lambda rows, truth: lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(rows, truth == "yes"), 10
    ),
    "XGBoost's class": lambda rows, truth: xgboost.XGBClassifier(enable_categorical=True, **TREES).fit(
        rows, truth == "yes"
    ),
    "XGBoost's Booster": lambda rows, truth: xgboost.train(
        {"objective": "binary:logistic", "nthread": 1},
        xgboost.DMatrix(rows, truth == "yes", enable_categorical=True),
        10,
    ),
}


def categorical(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers and a category, as boosters take them."""
    cities = pd.CategoricalDtype(["Berlin", "Lyon", "Oslo", "Porto"])
    return frame[[*NUMBERS, "city"]].assign(city=frame["city"].astype(cities))


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_booster_answers_as_its_original(name: str) -> None:
    model = BOOSTERS[name](categorical(TRAINING), churned(TRAINING))
    converted = convert(model, categorical(HELD_OUT))
    assert converted.contract is not None
    assert {column.name: column.levels for column in converted.contract.columns}["city"] is not None
    served = loaded(admitted(converted.content, converted.proof_rows))
    rows = categorical(OTHERS)
    taken, answers = answered(served, json_rows(rows, [*NUMBERS, "city"]))
    assert taken.all()
    if hasattr(model, "predict_proba"):
        expected = model.predict_proba(rows)
    else:
        matrix = xgboost.DMatrix(rows, enable_categorical=True) if isinstance(model, xgboost.Booster) else rows
        expected = np.column_stack([1 - model.predict(matrix), model.predict(matrix)])
    assert_agree(expected, answers, converted)


def test_numbers_without_names_are_one_tensor() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4))
    model = ensemble.RandomForestClassifier(**TREES).fit(rows[:100], rows[:100, 0] > 0)
    converted = convert(model, rows[100:], target=rows[100:, 0] > 0)
    assert (converted.contract, converted.features, converted.labels) == (None, 4, ("false", "true"))
    served = loaded(admitted(converted.content, converted.proof_rows))
    asked = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32)
    assert_agree(model.predict_proba(asked.astype(np.float64)), served.probabilities(asked), converted)


class Ids(torch.nn.Module):
    """A model of whole numbers: an embedding of ten ids, three of them a row."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.linear = torch.nn.Embedding(10, 4), torch.nn.Linear(12, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(self.embedding(ids).flatten(1))
        return logits


def network(*last: torch.nn.Module, outputs: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(16, 8), torch.nn.ReLU(), torch.nn.Linear(8, outputs), *last
    )


@pytest.mark.parametrize("probabilities", [False, True], ids=["logits", "probabilities"])
def test_a_module_gives_probabilities(probabilities: bool) -> None:
    module = network(torch.nn.Softmax(dim=1)) if probabilities else network()
    images = torch.rand(120, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    converted = convert(module, images, target=np.arange(120) % 3, labels=["a", "b", "c"])
    assert (converted.features, converted.image, converted.labels) == (16, (4, 4), ("a", "b", "c"))
    served = loaded(admitted(converted.content, converted.proof_rows))
    with torch.no_grad():
        answers = module(images)
    expected = (answers if probabilities else answers.softmax(dim=1)).numpy()
    assert_agree(expected, served.probabilities(images.reshape(120, 16).numpy()), converted)


def test_a_module_of_ids_takes_those_that_it_has() -> None:
    module = Ids().eval()
    ids = torch.randint(2, 8, (80, 3), generator=torch.Generator().manual_seed(1))
    converted = convert(module, ids)
    assert converted.contract is not None
    for column in converted.contract.columns:
        assert (column.type, column.closed, column.low, column.high) == (ColumnType.LONG, True, 0, 9)
    served = loaded(admitted(converted.content, converted.proof_rows))
    rows = [{"x0": 0, "x1": 9, "x2": 5}, {"x0": 10, "x1": 0, "x2": 0}, {"x0": -1, "x1": 0, "x2": 0}]
    taken, answers = answered(served, [*rows, {"x0": 1.5, "x1": 0, "x2": 0}])
    assert taken.tolist() == [True, False, False, False]
    with torch.no_grad():
        assert_agree(module(torch.tensor([[0, 9, 5]])).softmax(dim=1).numpy(), answers, converted)


def test_a_module_of_a_table_predicts_a_quantity() -> None:
    module = network(outputs=1).eval()
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 16)), columns=[f"c{at}" for at in range(16)])
    with pytest.raises(CannotConvert, match="task='regression'"):
        convert(module, frame)
    converted = convert(module, frame, task="regression")
    assert converted.contract is not None
    served = loaded(admitted(converted.content, converted.proof_rows))
    taken, answers = answered(served, json_rows(frame, list(frame.columns)))
    with torch.no_grad():
        assert_agree(module(torch.tensor(frame.to_numpy(), dtype=torch.float32)).numpy(), answers, converted)
    assert taken.all()


def test_one_output_is_a_logit_unless_it_is_a_sigmoid() -> None:
    rows = torch.rand(80, 16, generator=torch.Generator().manual_seed(1)) * 4 - 2
    with torch.no_grad():
        logits = network(outputs=1)(rows).double()
    expected = torch.cat([1 - logits.sigmoid(), logits.sigmoid()], dim=1).numpy()
    for module in (network(outputs=1), network(torch.nn.Sigmoid(), outputs=1)):
        converted = convert(module, rows, task="classification", labels=["no", "yes"])
        served = loaded(admitted(converted.content, converted.proof_rows))
        assert_agree(expected, served.probabilities(rows.numpy()), converted)


class OfThirty(torch.nn.Module):
    """A model that takes thirty rows at a time, and no other number."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.view(30, 16)[:, :2]


def test_a_module_of_a_fixed_number_of_rows_is_refused() -> None:
    with pytest.raises((CannotConvert, NotProved), match=r"number of rows|does not take the rows"):
        convert(OfThirty(), torch.rand(60, 4, 4), example=torch.rand(30, 4, 4))


def test_what_a_model_is_and_what_becomes_of_it() -> None:
    model = make_pipeline(mixed(), logistic()).fit(TRAINING, churned(TRAINING))
    found = describe(model)
    assert (found.kind, found.library, found.task) == ("Pipeline of LogisticRegression", "sklearn", Task.CLASSIFICATION)
    assert found.labels == ("no", "yes")
    assert found.steps[0].startswith("columntransformer › numbers › simpleimputer (SimpleImputer): ")
    with pytest.raises(CannotConvert, match="dict is no model that can be converted"):
        describe({})


CATBOOST = {"iterations": 30, "depth": 4, "verbose": False, "allow_writing_files": False, "thread_count": 1}


@pytest.mark.parametrize("kind", ["two classes", "three classes", "quantity", "in a pipeline"])
def test_catboost_answers_as_its_original(kind: str) -> None:
    catboost = pytest.importorskip("catboost", reason="CatBoost is not installed")
    rows, truth, names = TRAINING[NUMBERS], churned(TRAINING), NUMBERS
    if kind == "three classes":
        truth = pd.Series(np.where(TRAINING["visits"] > 6, "often", truth))
    if kind == "quantity":
        model = catboost.CatBoostRegressor(**CATBOOST).fit(rows, spent(TRAINING))
    elif kind == "in a pipeline":
        names = [*NUMBERS, *TEXTS]
        model = make_pipeline(mixed(), catboost.CatBoostClassifier(**CATBOOST)).fit(TRAINING, truth)
    else:
        model = catboost.CatBoostClassifier(**CATBOOST).fit(rows, truth)
    converted = convert(model, HELD_OUT)
    served = loaded(admitted(converted.content, converted.proof_rows))
    taken, answers = answered(served, json_rows(OTHERS, names))
    assert taken.mean() > 0.9
    asked = OTHERS[taken] if kind == "in a pipeline" else OTHERS.loc[taken, NUMBERS]
    original = model.predict if kind == "quantity" else model.predict_proba
    assert_agree(np.asarray(original(asked)), answers, converted)


def test_what_catboost_does_not_export_is_refused() -> None:
    catboost = pytest.importorskip("catboost", reason="CatBoost is not installed")
    rows = TRAINING[["age", "plan"]].assign(plan=TRAINING["plan"].fillna("none"))
    model = catboost.CatBoostClassifier(**CATBOOST, cat_features=["plan"]).fit(rows, churned(TRAINING))
    with pytest.raises(CannotConvert, match=r"\(CatBoostClassifier\) cannot be converted: it has cat_features"):
        convert(model, HELD_OUT[["age", "plan"]].assign(plan=HELD_OUT["plan"].fillna("none")))
    with pytest.raises(CannotConvert, match="is not fitted"):
        convert(catboost.CatBoostClassifier(), HELD_OUT)
    with pytest.raises(CannotConvert, match="CatBoostClassifier, CatBoostRegressor"):
        convert(catboost.CatBoost(), HELD_OUT)


def test_keras_answers_as_its_original_with_the_backend_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    layers = [keras.layers.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")]
    model, numbers = keras.Sequential(layers), OTHERS[NUMBERS].fillna(0).to_numpy(np.float32) / 1000
    converted = convert(model, numbers[:100], target=churned(OTHERS[:100]), labels=["no", "yes"])
    served = loaded(admitted(converted.content, converted.proof_rows))
    with torch.no_grad():
        wanted = model(torch.from_numpy(numbers)).numpy()
    assert np.abs(served.outputs({"numbers": numbers}) - wanted).max() < 1e-4


def test_keras_with_another_backend_is_refused_with_a_way_that_works() -> None:
    sequential = type("Sequential", (), {"__module__": "keras.src.models.sequential"})
    with pytest.raises(CannotConvert, match="KERAS_BACKEND=torch"):
        convert(sequential(), HELD_OUT)
    with pytest.raises(CannotConvert, match="KERAS_BACKEND=torch"):
        describe(sequential())


def test_the_file_says_what_the_given_rows_had_in_each_column_unless_they_were_made_up() -> None:
    model = make_pipeline(mixed(), logistic()).fit(TRAINING, churned(TRAINING))
    described = json.loads(onnx.load_from_string(convert(model, HELD_OUT).content).metadata_props[0].value)
    reference = described["column_reference"]
    assert reference["rows"] == len(HELD_OUT)
    assert [column["name"] for column in reference["columns"]] == [*NUMBERS, *TEXTS]
    missing = {column["name"]: column["counts"][0] for column in reference["columns"]}
    assert missing == HELD_OUT[[*NUMBERS, *TEXTS]].isna().sum().to_dict()
    made_up = json.loads(
        onnx.load_from_string(convert(model, HELD_OUT, observed=False).content).metadata_props[0].value
    )
    assert {"reference", "column_reference"}.isdisjoint(made_up)
