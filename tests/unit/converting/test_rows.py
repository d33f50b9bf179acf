"""The rows that a model is asked, when only its example, its signature or itself say what it takes."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from conversion.errors import Refused
from conversion.fitted import fitted_columns
from conversion.rows import ROWS, rows_for


def logged(example: Any = None, inputs: Schema | None = None) -> Any:
    """A logged model with this example and signature."""
    signature = ModelSignature(inputs) if inputs is not None else None
    return SimpleNamespace(example=lambda: example, description=SimpleNamespace(signature=signature))


def frame(rows: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(1)
    plan = np.where(random.random(rows) < 0.5, "basic", "family")
    return pd.DataFrame({"fee": 100 + 10 * random.standard_normal(rows), "plan": plan})


def test_an_example_is_kept_and_enlarged() -> None:
    example = pd.DataFrame({"fee": [1.5, 20.25, None], "calls": [3, 7, 7], "plan": ["a", "b", None]})
    rows = rows_for(None, logged(example))
    assert rows.example is example
    assert len(rows.data) == ROWS
    assert rows.data.dtypes.to_dict() == example.dtypes.to_dict()
    pd.testing.assert_frame_equal(rows.data.head(3), example)
    assert set(rows.data["calls"]) == {3, 7}  # they may be codes
    assert set(rows.data["plan"].dropna()) == {"a", "b"}
    assert rows.data["fee"].nunique() > 100
    assert rows.data["fee"].isna().any()


def test_a_large_example_is_left_as_it_is() -> None:
    example = np.zeros((ROWS + 1, 2))
    assert rows_for(None, logged(example)).data is example


def test_an_array_keeps_its_shape_and_type_and_pixels_stay_pixels() -> None:
    example = np.random.default_rng(1).random((2, 1, 4, 4)).astype(np.float32)
    data = rows_for(None, logged(example)).data
    assert (data.shape, data.dtype) == ((ROWS, 1, 4, 4), np.float32)
    assert (data.min() >= 0, data.max() <= 1) == (True, True)


@pytest.mark.parametrize(
    ("example", "reason"),
    [("text", "is a str"), (pd.DataFrame({"a": []}), "no rows"), (np.zeros((0, 3)), "no rows")],
)
def test_an_example_that_is_no_rows_is_refused(example: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        rows_for(None, logged(example))


def test_a_signature_of_columns_gives_values_of_their_types() -> None:
    types = {"a": "double", "b": "long", "c": "boolean", "d": "datetime", "e": "float", "f": "integer"}
    schema = Schema([ColSpec(kind, name) for name, kind in types.items()])
    data = rows_for(None, logged(inputs=schema)).data
    kinds = {name: data[name].dtype.kind for name in types}
    assert kinds == {"a": "f", "b": "i", "c": "b", "d": "M", "e": "f", "f": "i"}
    assert len(data) == ROWS


def test_text_of_which_nothing_is_known_needs_an_example() -> None:
    with pytest.raises(Refused, match=r"'plan' has the type string.*input_example"):
        rows_for(None, logged(inputs=Schema([ColSpec("string", "plan")])))


def test_text_that_an_encoder_knows_needs_none() -> None:
    data = frame()
    encoder = make_column_transformer((OneHotEncoder(), ["plan"]), (StandardScaler(), ["fee"]))
    model = make_pipeline(encoder, LogisticRegression()).fit(data, data["fee"] > 100)
    schema = Schema([ColSpec("double", "fee"), ColSpec("string", "plan")])
    for known in (logged(inputs=schema), logged()):
        made = rows_for(model, known).data
        assert set(made["plan"]) == {"basic", "family"}
        assert 90 < made["fee"].mean() < 110
        model.predict(made)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (TensorSpec(np.dtype("int64"), (-1, 5)), "a tensor of int64"),
        (TensorSpec(np.dtype("float32"), (-1, -1)), "says nothing of the sizes"),
    ],
)
def test_a_tensor_that_does_not_say_enough_is_refused(spec: TensorSpec, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        rows_for(None, logged(inputs=Schema([spec])))


def test_a_signature_of_a_tensor_gives_its_shape() -> None:
    data = rows_for(None, logged(inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 1, 28, 28))]))).data
    assert (data.shape, data.dtype) == ((ROWS, 1, 28, 28), np.float32)


def test_a_model_without_anything_is_refused() -> None:
    with pytest.raises(Refused, match="no input example and no signature"):
        rows_for(object(), logged())


def test_an_estimator_says_how_many_columns_it_takes() -> None:
    data = np.random.default_rng(1).random((50, 3))
    model = RandomForestClassifier(2).fit(data, data[:, 0] > 0.5)
    made = rows_for(model, logged()).data
    assert made.shape == (ROWS, 3)
    model.predict(made)


def test_scalers_say_where_the_numbers_are() -> None:
    data = np.random.default_rng(1).normal([5, 5000], [1, 100], (300, 2))
    for steps in ([StandardScaler()], [SimpleImputer(), MinMaxScaler()]):
        model = make_pipeline(*steps, LogisticRegression()).fit(data, data[:, 0] > 5)
        columns = fitted_columns(model)
        assert columns is not None
        assert [round(column.centre / scale) for column, scale in zip(columns, (5, 5000), strict=True)] == [1, 1]


def test_boosters_say_their_columns() -> None:
    import lightgbm
    import xgboost

    data = frame()[["fee"]]
    light = lightgbm.train({"verbose": -1}, lightgbm.Dataset(data, data["fee"]), 2)
    extreme = xgboost.train({}, xgboost.DMatrix(data, data["fee"]), 2)
    named, counted = fitted_columns(extreme), fitted_columns(light)
    assert [column.name for column in named or ()] == ["fee"]
    assert [column.name for column in counted or ()] == ["fee"]
