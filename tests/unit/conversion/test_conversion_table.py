"""Ordinary pipelines and their converters: whatever a converter gets wrong is found, and none of it passes.

Every pipeline is also asked rows that the proof has not seen, the training's among them: the two models answer them
alike if and only if the proof passed. So no verdict rests on the proof alone.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import xgboost
from onnx import compose
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn import compose as columnwise
from sklearn import ensemble, linear_model, neural_network, svm
from sklearn.base import is_classifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlops_contract import ColumnType, Contract, Task
from mlops_conversion.errors import CannotConvert
from mlops_conversion.proof import Kind, Proof, prove
from mlops_conversion.proof.rows import allowed, rounded, taken
from mlops_conversion.trees import convert
from tests.support.columns import by_column, table

NUMBERS = ("age", "income")
CITIES = ("Berlin", "Lyon", "Oslo", "Porto", "Turin")
WORDS = ("café", "naïve", "straße", "Über", "plain", "don't", "zwei", "müde", "good", "bad")
FEW = {"n_estimators": 15, "random_state": 0}
TOKENS = r"[\p{L}\p{N}_]{2,}"


def frame(rows: int, seed: int, missing: float) -> pd.DataFrame:
    """Rows of numbers, a category and a text. A share of the numbers and categories is missing."""
    random = np.random.default_rng(seed)
    columns = pd.DataFrame(
        {
            "age": random.normal(40, 12, rows),
            "income": random.normal(250_000, 300, rows),  # float32 scaling loses what tells such numbers apart
            "city": random.choice(CITIES, rows).astype(object),
            "note": [" ".join(random.choice(WORDS, 4)) for _ in range(rows)],
        }
    ).astype({"city": object, "note": object})
    for name in ("age", "income", "city"):
        columns.loc[random.random(rows) < missing, name] = None if name == "city" else np.nan
    return columns


def target(columns: pd.DataFrame, task: Task) -> np.ndarray:
    score = columns["age"].fillna(75) / 12 + (columns["income"].fillna(251_000) - 250_000) / 200
    score = score + columns["city"].map({"Berlin": 1.0, "Oslo": -1.0}).fillna(0.0) + columns["note"].str.count("good")
    score = score + np.random.default_rng(3).normal(0, 0.5, len(columns))
    return (score > score.median()).to_numpy().astype(int) if task is Task.CLASSIFICATION else score.to_numpy() * 1000


def columnar(*steps: tuple[Any, list[str] | str], **options: Any) -> columnwise.ColumnTransformer:
    return columnwise.ColumnTransformer([(str(at), *step) for at, step in enumerate(steps)], **options)


def one_hot(**settings: Any) -> OneHotEncoder:
    return OneHotEncoder(**{"handle_unknown": "ignore", "sparse_output": False, **settings})


def numbers(*steps: Any) -> Pipeline:
    """A model of the two numbers."""
    return make_pipeline(columnar(("passthrough", list(NUMBERS))), *steps)


def mixed(encoder: Any, model: Any, **options: Any) -> Pipeline:
    """A model of the two numbers and the city."""
    return make_pipeline(columnar(("passthrough", list(NUMBERS)), (encoder, ["city"]), **options), model)


def text(model: Any, **settings: Any) -> Pipeline:
    return make_pipeline(columnar((TfidfVectorizer(**settings), "note")), model)


def by_skl2onnx(pipeline: Pipeline, columns: list[str], options: Mapping[Any, Any] | None = None) -> bytes:
    """Convert a pipeline as a whole."""
    settings = {**(options or {})}
    if is_classifier(pipeline):
        settings[id(pipeline.steps[-1][1])] = {"zipmap": False}
    model = convert_sklearn(
        pipeline, initial_types=inputs(columns), options=settings, target_opset={"": 20, "ai.onnx.ml": 3}
    )
    renamed(model, "variable", "prediction")
    return model.SerializeToString()


def by_both(pipeline: Pipeline, columns: list[str], options: Mapping[Any, Any] | None = None) -> bytes:
    """Convert what stands before the trees by skl2onnx, and the trees by our own emitter."""
    *before, (_, trees) = pipeline.steps
    width = int(trees.n_features_in_)
    head = convert_sklearn(
        Pipeline(before),
        initial_types=inputs(columns),
        options=dict(options or {}),
        target_opset={"": 20, "ai.onnx.ml": 3},
    )
    tail = convert(trees, width)
    head.ir_version = tail.ir_version
    versions = {item.domain: item.version for item in [*head.opset_import, *tail.opset_import]}
    for model in (head, tail):
        del model.opset_import[:]
        model.opset_import.extend(onnx.helper.make_opsetid(*item) for item in versions.items())
    tail = compose.add_prefix(tail, "trees/", rename_inputs=False, rename_outputs=False)
    merged = compose.merge_models(head, tail, io_map=[(head.graph.output[0].name, "inputs")])
    return merged.SerializeToString()


def inputs(columns: list[str]) -> list[tuple[str, Any]]:
    return [(name, FloatTensorType([None, 1]) if name in NUMBERS else StringTensorType([None, 1])) for name in columns]


def renamed(model: onnx.ModelProto, name: str, new: str) -> None:
    for node in model.graph.node:
        node.output[:] = [new if output == name else output for output in node.output]
    for output in model.graph.output:
        output.name = new if output.name == name else output.name


@dataclass(frozen=True)
class Case:
    """A pipeline, how it is converted, and what becomes of it.

    `verdict` is `passes`, `fails`, or the error's type if it does not convert. `required` are the columns that may not
    be null in the proved contract, and `closed` those that take known values only.
    """

    pipeline: Callable[[], Pipeline]
    converter: Callable[..., bytes]
    verdict: str
    required: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    columns: tuple[str, ...] = NUMBERS
    missing: float = 0.0
    fill: Any = None
    """What stands for missing text in the frames that the original is fitted on and asked."""
    token: str = ""
    options: Mapping[Any, Any] | None = None


MIXED = (*NUMBERS, "city")
NOTE = ("note",)
CASES = {
    "scaled logistic regression": Case(
        lambda: numbers(StandardScaler(), linear_model.LogisticRegression()), by_skl2onnx, "passes", NUMBERS
    ),
    "scaled ridge": Case(lambda: numbers(StandardScaler(), linear_model.Ridge()), by_skl2onnx, "passes", NUMBERS),
    "scaled network": Case(
        lambda: numbers(StandardScaler(), neural_network.MLPClassifier((8,), max_iter=50, random_state=0)),
        by_skl2onnx,
        "passes",
        NUMBERS,
    ),
    "scaled support vectors": Case(
        lambda: numbers(StandardScaler(), svm.SVC(probability=True, random_state=0)), by_skl2onnx, "passes", NUMBERS
    ),
    "imputed logistic regression": Case(
        lambda: numbers(SimpleImputer(), StandardScaler(), linear_model.LogisticRegression()),
        by_skl2onnx,
        "passes",
        missing=0.1,
    ),
    "imputed with an indicator": Case(
        lambda: numbers(SimpleImputer(add_indicator=True), linear_model.LogisticRegression(max_iter=500)),
        by_skl2onnx,
        "fails",
        missing=0.1,
    ),
    "scaled extra trees": Case(
        lambda: numbers(StandardScaler(), ensemble.ExtraTreesClassifier(**FEW)), by_skl2onnx, "fails"
    ),
    "scaled extra trees of ours": Case(
        lambda: numbers(StandardScaler(), ensemble.ExtraTreesClassifier(**FEW)), by_both, "fails"
    ),
    "forest of nulls by skl2onnx": Case(
        lambda: numbers(ensemble.RandomForestRegressor(**FEW)), by_skl2onnx, "passes", NUMBERS, missing=0.1
    ),
    "forest of nulls": Case(lambda: numbers(ensemble.RandomForestRegressor(**FEW)), by_both, "passes", missing=0.1),
    "extra trees": Case(lambda: numbers(ensemble.ExtraTreesClassifier(**FEW)), by_both, "passes"),
    "gradient boosting": Case(lambda: numbers(ensemble.GradientBoostingClassifier(**FEW)), by_both, "passes", NUMBERS),
    "histogram boosting by skl2onnx": Case(
        lambda: numbers(ensemble.HistGradientBoostingClassifier(max_iter=15)), by_skl2onnx, "ValueError"
    ),
    "histogram boosting": Case(
        lambda: numbers(ensemble.HistGradientBoostingRegressor(max_iter=15)), by_both, "passes", missing=0.1
    ),
    "histogram boosting of categories": Case(
        lambda: mixed(OrdinalEncoder(), ensemble.HistGradientBoostingClassifier(max_iter=5, categorical_features=[2])),
        by_both,
        "CannotConvert",
        columns=MIXED,
    ),
    "lightgbm": Case(
        lambda: numbers(lightgbm.LGBMClassifier(verbose=-1, n_jobs=1, **FEW)), by_both, "passes", missing=0.1
    ),
    "xgboost": Case(lambda: numbers(xgboost.XGBRegressor(n_jobs=1, **FEW)), by_both, "passes", missing=0.1),
    "scaled xgboost": Case(lambda: numbers(StandardScaler(), xgboost.XGBClassifier(n_jobs=1, **FEW)), by_both, "fails"),
    "dense one-hot and xgboost": Case(
        lambda: mixed(one_hot(), xgboost.XGBClassifier(n_jobs=1, **FEW)), by_both, "passes", columns=MIXED, fill=""
    ),
    "sparse one-hot and xgboost": Case(
        lambda: mixed(one_hot(sparse_output=True), xgboost.XGBClassifier(n_jobs=1, **FEW), sparse_threshold=1.0),
        by_both,
        "fails",
        columns=MIXED,
        fill="",
    ),
    "one-hot fitted on empty text": Case(
        lambda: mixed(one_hot(), ensemble.RandomForestClassifier(**FEW)),
        by_both,
        "passes",
        columns=MIXED,
        missing=0.1,
        fill="",
    ),
    "one-hot fitted on None": Case(
        lambda: mixed(one_hot(), ensemble.RandomForestClassifier(**FEW)),
        by_both,
        "passes",
        columns=MIXED,
        missing=0.1,
        token="None",
    ),
    "one-hot fitted on NaN": Case(
        lambda: mixed(one_hot(), ensemble.RandomForestClassifier(**FEW)),
        by_both,
        "passes",
        columns=MIXED,
        missing=0.1,
        fill=np.nan,
        token="nan",
    ),
    "one-hot that refuses the unseen": Case(
        lambda: mixed(one_hot(handle_unknown="error"), lightgbm.LGBMClassifier(verbose=-1, n_jobs=1, **FEW)),
        by_both,
        "passes",
        ("city",),
        ("city",),
        columns=MIXED,
    ),
    "imputed text": Case(
        lambda: mixed(
            make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot()),
            ensemble.RandomForestClassifier(**FEW),
        ),
        by_both,
        "NotImplementedError",
        columns=MIXED,
    ),
    "text in the locale C": Case(
        lambda: text(linear_model.LogisticRegression()),
        by_skl2onnx,
        "fails",
        columns=NOTE,
        options={TfidfVectorizer: {"locale": "C", "tokenexp": TOKENS}},
    ),
    "text": Case(
        lambda: text(linear_model.LogisticRegression()),
        by_skl2onnx,
        "passes",
        NOTE,
        columns=NOTE,
        options={TfidfVectorizer: {"locale": "C.UTF-8", "tokenexp": TOKENS}},
    ),
    "text by letters in words": Case(
        lambda: text(linear_model.LogisticRegression(), analyzer="char_wb"),
        by_skl2onnx,
        "NotImplementedError",
        columns=NOTE,
    ),
}


def asked(case: Case, pipeline: Pipeline) -> Callable[[Mapping[str, Any]], np.ndarray]:
    """The original, which takes frames with its own kind of missing text."""
    answer = pipeline.predict_proba if is_classifier(pipeline) else pipeline.predict

    def ask(columns: Mapping[str, Any]) -> np.ndarray:
        return answer(filled(case, pd.DataFrame(dict(columns))))

    return ask


def filled(case: Case, columns: pd.DataFrame) -> pd.DataFrame:
    if "city" not in columns:
        return columns
    cities = [case.fill if value is None or value is np.nan else value for value in columns["city"].astype(object)]
    return columns.assign(city=pd.Series(cities, dtype=object, index=columns.index))


def contract_of(case: Case, task: Task) -> Contract:
    doubles = {name: ColumnType.DOUBLE for name in case.columns if name in NUMBERS}
    texts = {name: CITIES if name == "city" else None for name in case.columns if name not in NUMBERS}
    return table(task, doubles, texts)


def seen(case: Case, columns: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: columns[name].to_numpy() for name in case.columns}


@pytest.mark.slow  # all of them together
@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_a_pipeline(name: str):
    case = CASES[name]
    training = frame(600, 0, case.missing)
    pipeline = case.pipeline()
    task = Task.CLASSIFICATION if is_classifier(pipeline) else Task.REGRESSION
    targets = target(training, task)
    contract = contract_of(case, task)
    rounded_training = pd.DataFrame(rounded(contract, seen(case, training)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(filled(case, rounded_training), targets)
        if case.verdict not in ("passes", "fails"):
            with pytest.raises((CannotConvert, NotImplementedError, ValueError)) as refusal:
                case.converter(pipeline, list(case.columns), case.options)
            assert refusal.type.__name__ == case.verdict
            return
        content = case.converter(pipeline, list(case.columns), case.options)
        spread = float(np.subtract(*np.quantile(targets, [0.75, 0.25])))
        original = asked(case, pipeline)
        proof = prove(original, content, contract, seen(case, frame(400, 1, 0.1)), encode=by_column, scale=spread)
        narrowed = proof.narrowed(contract)
        others = pd.concat([training, frame(3000, 2, 0.1)], ignore_index=True)
        off = share_off(original, content, narrowed, seen(case, others), 1e-4 * proof.scale)
    assert ("passes" if proof.passes() else "fails") == case.verdict, shown(proof)
    assert (off <= 0.001) == proof.passes(), f"{off:.2%} of other rows are off"
    if proof.passes():
        assert tuple(column.name for column in narrowed.columns if not column.null_ok) == case.required, shown(proof)
        assert tuple(column.name for column in narrowed.columns if column.closed) == case.closed
        assert {column.null_token for column in narrowed.columns} - {""} == ({case.token} - {""})


def share_off(original: Any, content: bytes, contract: Contract, columns: Mapping[str, Any], tolerance: float) -> float:
    """The share of rows that the two models answer differently, of those that the contract allows."""
    rows = rounded(contract, columns)
    rows = taken(rows, allowed(contract, rows))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (answers,) = session.run([contract.output], by_column(contract, rows))
    expected = np.asarray(original(rows)).reshape(len(answers), -1)
    return float((np.abs(answers - expected).max(axis=1) > tolerance).mean())


def shown(proof: Proof) -> str:
    checks = [(check.kind.value, check.column, check.asked, check.off, check.error[:200]) for check in proof.checks]
    return "\n".join(str(check) for check in checks if check[3] or check[0] == Kind.HELD_OUT)
