"""Table models: rows of named columns, classes and quantities, warnings, and what is refused by row and column."""

import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mlops.api.schemas import predict as schemas
from mlops.domain.drift.counts import counts_of
from mlops_contract import Task
from mlops_contract.rows import RowEncoder
from predict import request
from tests.support.fuzzing import budget
from tests.support.serving import served
from tests.support.table_models import COLUMNS, LABELS, NUMBER_COLUMNS, ROW, served_table

CHURN, PRICE, SIZES = "churn", "price", "sizes"


@pytest.fixture
def predict(store: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    store.promote(served_table(3))
    store.promote(served_table(4, stage="Staging"))
    store.promote(served_table(5, model_name=PRICE, task=Task.REGRESSION))
    store.promote(served_table(6, model_name=SIZES, columns=NUMBER_COLUMNS))
    store.promote(served(1, model_name="vector", features=2, image=None, classes=3))
    store.promote(served(1, model_name="image", features=4, image=(2, 2), classes=3))
    monkeypatch.setenv("DEFAULT_MODEL_NAME", CHURN)
    return start()


def errors(answer: Any) -> dict[str, str]:
    assert answer.status == 422, answer.text
    return {error["field"]: error["message"] for error in answer.json["errors"]}


def asked(predict: Any, name: str, rows: list[dict[str, Any]]) -> np.ndarray:
    """The model's own answers."""
    model, _ = predict.app.models.current(name, "Production")
    feeds = RowEncoder(model.manifest.contract).encode(rows).feeds
    return model.session.run([model.manifest.output.name], feeds)[0]


class TestClasses:
    def test_a_row_is_answered_with_each_label_and_its_probability(self, predict: Any) -> None:
        answer = predict.call({"row": ROW})
        expected = asked(predict, CHURN, [ROW])[0]
        assert answer.status == 200, answer.text
        assert answer.without_id == {
            "prediction": LABELS[int(expected.argmax())],
            "confidence": pytest.approx(float(expected.max())),
            "probabilities": pytest.approx(dict(zip(LABELS, expected.tolist(), strict=True))),
            "model_name": CHURN,
            "model_version": 3,
            "model_stage": "Production",
        }

    def test_a_batch_answers_as_single_requests_do(self, predict: Any) -> None:
        rows = [ROW | {"age": age, "job": job} for age in (20, 50.5, None) for job in ("nurse", None, "spy")]
        batch = predict.call({"rows": rows}, "/predict/batch").json
        singles = [predict.call({"row": row}).json for row in rows]
        assert batch["predictions"] == [single["prediction"] for single in singles]
        assert batch["confidences"] == pytest.approx([single["confidence"] for single in singles], abs=1e-6)
        assert batch["batch_size"] == len(rows)
        assert batch["warnings"] == [f"rows.{row}.job: 'spy' was not seen in training" for row in (2, 5, 8)]

    def test_staging_takes_rows_too(self, predict: Any) -> None:
        answer = predict.call({"row": ROW}, "/predict/staging").json
        assert (answer["model_version"], answer["model_stage"]) == (4, "Staging")

    def test_an_unseen_value_is_answered_with_a_warning_that_a_repetition_has_too(self, predict: Any) -> None:
        first, again = (predict.call({"row": ROW | {"job": "astronaut"}}) for _ in range(2))
        assert first.json["warnings"] == ["job: 'astronaut' was not seen in training"]
        assert (again.without_id, again.headers["x-cache"]) == (first.without_id, "hit")

    def test_the_line_counts_as_any_other(self, predict: Any, lines: Any) -> None:
        predict.call({"rows": [ROW, ROW]}, "/predict/batch")
        counts = counts_of([line for line in lines() if line["event"] == "mlops.prediction"][-1])
        assert (counts["n"], counts["r"]) == (2, 1)
        assert sum(counts[f"p:{label}"] for label in LABELS) == 2

    def test_the_line_has_nothing_of_the_row(self, predict: Any, lines: Any) -> None:
        predict.call({"row": ROW | {"note": "a secret", "job": "astronaut"}})
        assert "secret" not in json.dumps(lines())


class TestQuantities:
    def test_a_row_is_answered_with_a_number_alone(self, predict: Any) -> None:
        answer = predict.call({"row": ROW, "model_name": PRICE})
        assert answer.without_id == {
            "prediction": pytest.approx(float(asked(predict, PRICE, [ROW])[0, 0])),
            "model_name": PRICE,
            "model_version": 5,
            "model_stage": "Production",
        }

    def test_a_batch_is_answered_with_numbers(self, predict: Any) -> None:
        rows = [ROW, ROW | {"age": 20}]
        answer = predict.call({"rows": rows, "model_name": PRICE}, "/predict/batch")
        assert answer.without_id == {
            "predictions": pytest.approx(asked(predict, PRICE, rows)[:, 0].tolist()),
            "model_name": PRICE,
            "model_version": 5,
            "batch_size": 2,
        }

    def test_its_line_is_counted_without_labels(self, predict: Any, lines: Any) -> None:
        predict.call({"rows": [ROW, ROW], "model_name": PRICE}, "/predict/batch")
        line = [line for line in lines() if line["event"] == "mlops.prediction"][-1]
        assert (line["min_reader"], line["task"], line["n"]) == (2, "regression", 2)
        counts = counts_of(line)
        assert (counts["n"], counts["r"]) == (2, 1)
        assert not [name for name in counts if name.startswith(("p:", "c"))]


class TestLists:
    def test_a_table_of_numbers_takes_lists_in_the_order_of_its_columns(self, predict: Any) -> None:
        by_name = predict.call({"row": {"count": 3, "width": 1.5}, "model_name": SIZES}).json
        by_place = predict.call({"inputs": [1.5, 3], "model_name": SIZES}).json
        assert by_place["probabilities"] == list(by_name["probabilities"].values())
        assert by_place["prediction"] == by_name["prediction"]
        batch = predict.call({"inputs_list": [[1.5, 3], [2, 1]], "model_name": SIZES}, "/predict/batch").json
        assert batch["predictions"][0] == by_name["prediction"]

    @pytest.mark.parametrize(
        ("inputs", "field", "message"),
        [
            ([1.5], "inputs", "has 1 numbers; this model takes 2"),
            ([1.5, 2.5], "inputs.1", "must be a whole number, not 2.5"),
            ([1.5, 2**24 + 1], "inputs.1", "from -16777216"),
            ([1e39, 2], "inputs.0", "float32"),
            ([None, 2], "inputs.0", "must be a number, not null"),
            ([1, [2]], "inputs", "must be a list of numbers"),
        ],
        ids=str,
    )
    def test_they_are_checked_as_rows_are(self, predict: Any, inputs: Any, field: str, message: str) -> None:
        assert message in errors(predict.call({"inputs": inputs, "model_name": SIZES}))[field]
        in_batch = errors(predict.call({"inputs_list": [inputs], "model_name": SIZES}, "/predict/batch"))
        assert message in in_batch[field.replace("inputs", "inputs_list.0")]

    def test_a_table_with_other_columns_takes_none(self, predict: Any) -> None:
        assert "send row or rows" in errors(predict.call({"inputs": [1, 2]}))["inputs"]


class TestRefused:
    def test_row_and_column_are_named_and_five_at_most(self, predict: Any) -> None:
        rows = [ROW, ROW, ROW, ROW | {"age": "old", "plan": "silver"}, {"age": 1}]
        found = errors(predict.call({"rows": rows}, "/predict/batch"))
        assert found["rows.3.age"] == "must be a number, not a string"
        assert found["rows.3.plan"] == "must be one of 'basic', 'gold', not 'silver'"
        assert found["rows.4.job"].startswith("is missing")
        assert len(found) == 5

    def test_the_column_of_a_single_row_is_named(self, predict: Any) -> None:
        assert "is not a column" in errors(predict.call({"row": ROW | {"wage": 5}}))["row.wage"]
        assert "is not a column" in errors(predict.call({"row": ROW | {"w" * 99: 5}}))["row"]
        assert errors(predict.call({"row": ROW | {"age": [[1]]}})) == {"row.age": "must be a number, not a list"}

    @pytest.mark.parametrize(
        ("body", "path", "field", "message"),
        [
            ({"row": [1]}, "/predict", "row", "must be an object of columns, not a list"),
            ({"row": None}, "/predict", "row", "not null"),
            ({"rows": []}, "/predict/batch", "rows", "not empty"),
            ({"rows": {}}, "/predict/batch", "rows", "not empty"),
            ({"rows": [{"age": []}, 3]}, "/predict/batch", "rows.1", "must be an object of columns, not a number"),
            ({"rows": [{}] * 1001}, "/predict/batch", "rows", "has 1001 entries; send at most 1000"),
            ({"row": {}, "inputs": [1]}, "/predict", "row", "send exactly one of"),
            ({"rows": [{}]}, "/predict", "rows", "is not a field"),
            ({"row": {}}, "/predict/batch", "row", "is not a field"),
            ({"row": {}, "scale": 1}, "/predict", "scale", "only allowed with image"),
            ({"row": {}, "model_name": "vector"}, "/predict", "row", "has no named columns; send inputs"),
            ({"rows": [{}], "model_name": "image"}, "/predict/batch", "rows", "no named columns; send image or images"),
            ({"image": [0, 0]}, "/predict", "image", "takes rows of named columns"),
            ({"image_base64": "AAAA"}, "/predict", "image_base64", "takes rows of named columns"),
        ],
        ids=str,
    )
    def test_what_is_no_row_is_refused(self, predict: Any, body: Any, path: str, field: str, message: str) -> None:
        assert message in errors(predict.call(body, path))[field]

    @pytest.mark.parametrize(
        "text",
        [
            '{"row": {"age": 1, "age": 2}}',
            '{"row": {"age": 1}, "row": {"age": 2}}',
            '{"row": {"age": "a\\\\", "age": "\\""}}',
            '{"row": {"\\u0061ge": 1, "age": {"a": ["b"]}, "age": 2}}',
        ],
    )
    def test_a_name_that_comes_twice_is_refused(self, predict: Any, text: str) -> None:
        assert "the same name twice" in errors(predict.call(text))["body"]

    @pytest.mark.parametrize("note", ['"', "\\", '\\"', '\\\\"', 'a "quoted" word', "\\\\", '{"a": "b"}', "\n\u0022"])
    def test_quotation_marks_in_values_are_no_names(self, predict: Any, note: str) -> None:
        assert predict.call({"row": ROW | {"note": note}}).status == 200

    def test_an_answer_that_is_not_finite_is_an_error_of_the_request(self, predict: Any) -> None:
        answer = predict.call({"row": {"width": 3.4e38, "count": 1}, "model_name": SIZES})
        assert answer.status in (200, 422)
        huge = predict.call({"row": ROW | {"age": 3.4e38, "visits": 2**24}, "model_name": PRICE})
        assert huge.status == 200 or "no finite answer" in huge.text


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = SCALARS | st.text(max_size=5) | st.sampled_from(["gold", "baker", "2024-01-01", 41, 2.5]) | st.just([1])
LOOSE = st.fixed_dictionaries({}, optional={column.name: VALUES for column in COLUMNS} | {"other": VALUES})
NEARLY = st.builds(lambda row, more: ROW | more, st.none(), LOOSE)


@pytest.mark.fuzz
@budget(100)
@given(rows=st.lists(LOOSE | NEARLY | st.just(ROW) | SCALARS, max_size=4))
def test_what_the_handler_answers_the_published_schema_accepts(predict: Any, rows: list[Any]) -> None:
    agree(predict, {"rows": rows}, "/predict/batch", schemas.BatchPredictRequest, schemas.BatchPredictResponse)
    for row in rows[:1]:
        agree(predict, {"row": row}, "/predict", schemas.PredictRequest, schemas.PredictResponse)
        agree(predict, {"row": row, "model_name": PRICE}, "/predict", schemas.PredictRequest, schemas.PredictResponse)


def agree(predict: Any, body: Any, path: str, schema: type[BaseModel], answers: type[BaseModel]) -> None:
    """Only the model's contract may refuse what the schema accepts, and then it names a row or a column."""
    text = json.dumps(body)
    response = predict.call(text, path)
    try:
        schema.model_validate_json(text)
        accepted = True
    except ValidationError:
        accepted = False
    if response.status == 200:
        assert accepted, text
        answers.model_validate_json(response.text, strict=True)
        jsonschema.validate(body, schema.model_json_schema())
    else:
        found = errors(response)
        assert not accepted or all(field.startswith("row") for field in found), response.text


def test_the_schema_knows_which_models_take_no_rows() -> None:
    vector = served(1, features=2, image=None).manifest.input
    with pytest.raises(ValidationError, match="no named columns"):
        schemas.PredictRequest.model_validate({"row": {}}, context=vector)
    with pytest.raises(ValidationError, match="no named columns"):
        schemas.BatchPredictRequest.model_validate({"rows": [{}]}, context=vector)


def test_the_bounds_are_the_same_numbers() -> None:
    assert request.MAX_ROWS == schemas.MAX_ROWS == 1000
