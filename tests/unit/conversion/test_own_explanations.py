"""Models of people's own: their answers are explained by the columns as callers send them, or say why not."""

import json
import warnings
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_conversion import Converted, convert
from predict.explanations import RowExplanations
from predict.request import SINGLE, parse
from predict.tables import answer, rows_of, run
from tests.support.served_models import NAME, Objects, admitted, loaded

ROWS = 300
NUMBERS, TEXTS = ["age", "visits"], ["job"]


def table() -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "age": random.uniform(18, 90, ROWS).astype(np.float32),
            "job": random.choice(["nurse", "baker", "pilot"], ROWS),
            "visits": random.poisson(4, ROWS).astype(np.float32),
        }
    )
    score = frame["age"] / 20 + (frame["job"] == "pilot") * 2 - frame["visits"] / 3 + random.normal(0, 0.3, ROWS)
    return frame, score.to_numpy()


def pipeline(last: Any) -> Any:
    parts = [
        ("numbers", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), NUMBERS),
        ("texts", OneHotEncoder(sparse_output=False), TEXTS),
    ]
    return make_pipeline(ColumnTransformer(parts), last)


def converted(model: Any, *, quantity: bool = False, **more: Any) -> Converted:
    frame, score = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert(model.fit(frame, score if quantity else (score > np.median(score)).astype(int)), frame, **more)


def explained(made: Converted) -> dict[str, Any]:
    """What `POST /predict?explain=true` answers, after the gate."""
    served = admitted(made.content, made.proof_rows, made.explanation)
    model = loaded(served)
    parsed = parse(json.dumps({"row": {"age": 40.5, "job": "pilot", "visits": 3}}), SINGLE, NAME)
    explanations = RowExplanations.of(Objects(served.objects()), model, parsed, "true")  # type: ignore[arg-type]
    taken = rows_of(model, parsed, False)
    ran = run(model, taken[0].feeds, parsed.source)
    document: dict[str, Any] = json.loads(answer(model, taken, ran, False, "request", explanations)[0])
    return document


def stated(made: Converted) -> str:
    document = json.loads(onnx.load_from_string(made.content).metadata_props[0].value)
    return str(document["explain"].get("reason"))


@pytest.mark.parametrize(
    ("last", "of"),
    [
        (LogisticRegression(), "log_odds"),
        (RandomForestClassifier(20, min_samples_leaf=5, random_state=0), "probability"),
    ],
)
def test_the_columns_of_a_pipeline_add_up_to_the_answer(last: Any, of: str) -> None:
    document = explained(converted(pipeline(last)))
    found = document["explanation"]
    assert (found["of"], set(found["parts"])) == (of, {"age", "job", "visits"})
    total = found["base"] + sum(found["parts"].values())
    probability = 1 / (1 + np.exp(-total)) if of == "log_odds" else total
    assert probability == pytest.approx(document["confidence"], abs=1e-4)
    assert abs(found["parts"]["job"]) > 0


def test_a_linear_model_is_explained_against_the_mean_of_the_given_rows() -> None:
    document = explained(converted(pipeline(Ridge()), quantity=True))
    found, (frame, _) = document["explanation"], table()
    model = pipeline(Ridge()).fit(frame, table()[1])
    assert found["base"] == pytest.approx(model.predict(frame).mean(), abs=1e-3)
    assert found["base"] + sum(found["parts"].values()) == pytest.approx(document["prediction"], abs=1e-3)


def test_a_linear_model_whose_rows_are_made_up_is_not_explained_and_trees_are() -> None:
    assert "logged without rows" in stated(converted(pipeline(LogisticRegression()), observed=False))
    forest = converted(pipeline(RandomForestClassifier(5, max_depth=3, random_state=0)), observed=False)
    assert forest.explanation is not None


def test_a_model_of_one_column_is_explained() -> None:
    frame, score = table()
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(frame[["age"]], score > np.median(score))
    assert convert(model, frame[["age"]]).explanation is not None


@pytest.mark.parametrize(
    ("model", "quantity", "reason"),
    [
        (pipeline(GaussianNB()), False, "are no sums of parts"),
        (
            make_pipeline(
                ColumnTransformer([("numbers", make_pipeline(StandardScaler(), PCA(2)), NUMBERS)]), LogisticRegression()
            ),
            False,
            "mixes columns",
        ),
        (
            TransformedTargetRegressor(pipeline(Ridge()), transformer=StandardScaler()),
            True,
            "are no sums of parts",
        ),
    ],
)
def test_others_say_why_they_are_not_explained(model: Any, quantity: bool, reason: str) -> None:
    made = converted(model, quantity=quantity)
    assert made.explanation is None
    assert reason in stated(made)
