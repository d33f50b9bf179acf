"""MLflow's scoring protocol: every format, the same answers as POST /predict/batch, and what is refused."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops.api.schemas.invocations import InvocationsResponse
from mlops_contract import Task
from tests.support.serving import served
from tests.support.table_models import NUMBER_COLUMNS, ROW, served_table
from tests.unit.predict.conftest import Predict

CHURN, PRICE, SIZES, FORMS = "churn", "price", "sizes", "forms"
ROUTE = "/models/{name}/invocations"
ROWS = [ROW | {"age": age, "job": job} for age in (20, 50.5, None) for job in ("nurse", None, "pilot")]
NAMES = [*ROW]
VALUES = [[row[name] for name in NAMES] for row in ROWS]


@pytest.fixture
def predict(store: Any, start: Any) -> Predict:
    made = served_table(3)
    store.promote(made)
    store.promote(served_table(4, stage="Staging"))
    store.promote(served_table(5, model_name=PRICE, task=Task.REGRESSION))
    store.promote(served_table(6, model_name=SIZES, columns=NUMBER_COLUMNS))
    written = served_table(7, model_name=FORMS)
    forms = {"age": "decimal comma", "member": "yes/no", "since": "day.month.year"}
    store.promote(written.with_manifest(contract=replace(written.manifest.contract, forms=forms)))
    store.promote(served(1, model_name="vector", features=3, image=None, classes=3))
    store.promote(served(1, model_name="image", features=4, image=(2, 2), classes=3))
    return start()


def predictions(answer: Any) -> list[Any]:
    assert answer.status == 200, answer.text
    InvocationsResponse.model_validate_json(answer.text, strict=True)
    return answer.json["predictions"]


def csv_of(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, NAMES)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": NAMES, "data": VALUES}},
        {"dataframe_split": {"columns": NAMES[::-1], "index": [*range(9)], "data": [row[::-1] for row in VALUES]}},
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"inputs": ROWS},
        {"inputs": {name: [row[name] for row in ROWS] for name in NAMES}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_every_format_gets_the_answers_of_the_batch_route(predict: Predict, body: dict[str, Any]) -> None:
    for name in (CHURN, PRICE):
        batch = predict.call({"rows": ROWS, "model_name": name}, "/predict/batch").json
        assert predictions(predict.post(ROUTE, {"name": name}, body)) == batch["predictions"]


@pytest.mark.parametrize("content_type", ["text/csv", "text/csv; charset=utf-8", "Text/CSV"])
def test_csv_is_read_as_the_contract_says(predict: Predict, content_type: str) -> None:
    batch = predict.call({"rows": ROWS, "model_name": CHURN}, "/predict/batch").json
    assert predictions(predict.post(ROUTE, {"name": CHURN}, csv_of(ROWS), content_type)) == batch["predictions"]
    written = [
        row | {"age": str(row["age"]).replace(".", ","), "member": "Yes", "since": "17.5.2024 8:30"} for row in ROWS
    ]
    found = predict.post(ROUTE, {"name": FORMS}, csv_of(written), content_type)
    assert predictions(found) == predict.call({"rows": ROWS, "model_name": FORMS}, "/predict/batch").json["predictions"]


def test_one_row_of_scalars(predict: Predict) -> None:
    alone = predict.call({"row": ROW, "model_name": CHURN}).json
    assert predictions(predict.post(ROUTE, {"name": CHURN}, {"inputs": ROW})) == [alone["prediction"]]


def test_lists_of_numbers_are_in_the_order_of_the_columns(predict: Predict) -> None:
    lists = [[1.5, 3], [20, 1]]
    batch = predict.call({"inputs_list": lists, "model_name": SIZES}, "/predict/batch").json
    for source in ("instances", "inputs"):
        assert predictions(predict.post(ROUTE, {"name": SIZES}, {source: lists})) == batch["predictions"]


def test_images_and_vectors(predict: Predict) -> None:
    vectors = np.random.default_rng(1).normal(size=(5, 3)).round(2).tolist()
    expected = predict.call({"inputs_list": vectors, "model_name": "vector"}, "/predict/batch").json["predictions"]
    for body in ({"instances": vectors}, {"inputs": vectors}, {"inputs": {"inputs": vectors}}):
        assert predictions(predict.post(ROUTE, {"name": "vector"}, body)) == expected
    images = [[[0, 1], [0.5, 0.25]], [[1, 1], [0, 0]]]
    expected = predict.call({"images": images, "model_name": "image"}, "/predict/batch").json["predictions"]
    assert predictions(predict.post(ROUTE, {"name": "image"}, {"instances": images})) == expected


def test_headers_say_version_and_warnings_and_the_log_counts(predict: Predict, lines: Any) -> None:
    lines()
    body = {"dataframe_records": [ROW, ROW | {"job": "Käpt'n"}]}
    answer = predict.post(ROUTE, {"name": CHURN}, body)
    assert answer.headers["x-model-version"] == "3"
    warning = answer.headers["x-model-warnings"]
    assert warning == 'rows.1.job: "K\\xe4pt\'n" was not seen in training'
    line = lines()[-1]
    assert (line["event"], line["model_version"], line["n"]) == ("mlops.prediction", 3, 2)
    assert "Käpt" not in json.dumps(line)


def test_a_stage_or_a_version_can_be_named(predict: Predict) -> None:
    for query, version in (({"stage": "Staging"}, "4"), ({"version": "4"}, "4"), ({"version": "3"}, "3")):
        answer = predict.post(ROUTE, {"name": CHURN}, {"instances": [ROW]}, queryStringParameters=query)
        assert answer.headers["x-model-version"] == version
    answer = predict.post(ROUTE, {"name": CHURN}, {"instances": [ROW]}, queryStringParameters={"version": "9"})
    assert (answer.status, answer.json["code"]) == (409, "version_not_served")


def test_a_ping_says_whether_the_model_is_loaded(predict: Predict) -> None:
    answer = predict.get("/models/{name}/ping", {"name": CHURN})
    assert (answer.status, answer.json) == (200, {"model_name": CHURN, "model_version": 3})
    assert predict.get("/models/{name}/ping", {"name": "nothing"}).status == 409


def without(name: str) -> dict[str, Any]:
    return {column: value for column, value in ROW.items() if column != name}


WRONG = [
    (CHURN, {}, "dataframe_split", "send exactly one of"),
    (CHURN, {"instances": [ROW], "inputs": [ROW]}, "instances", "send exactly one of"),
    (CHURN, {"rows": [ROW]}, "rows", "is not a field"),
    (CHURN, {"instances": [ROW], "params": {}}, "params", "is not a field"),
    (CHURN, [ROW], "body", "must be a JSON object"),
    (CHURN, "", "body", "JSON"),
    (CHURN, '{"instances": [{"age": NaN}]}', "body", "NaN"),
    (CHURN, '{"instances": [{"age": 1, "age": 2}]}', "body", "the same name twice"),
    (CHURN, '{"instances": [], "instances": [{}]}', "body", "the same name twice"),
    (CHURN, {"instances": []}, "instances", "has 0 rows"),
    (CHURN, {"instances": {}}, "instances", "must be a list"),
    (CHURN, {"instances": [ROW] * 1001}, "instances", "has 1001 rows; send 1 to 1000"),
    (CHURN, {"instances": [ROW, 5]}, "instances.1", "must be an object"),
    (CHURN, {"instances": [[1, 2]]}, "instances", "this model has named columns"),
    (CHURN, {"dataframe_records": [[1, 2]]}, "dataframe_records.0", "must be an object"),
    (CHURN, {"dataframe_records": None}, "dataframe_records", "must be a list"),
    (CHURN, {"inputs": {}}, "inputs", "has 0 rows"),
    (CHURN, {"inputs": {"age": [1], "job": "baker"}}, "inputs.job", "must be a list"),
    (CHURN, {"inputs": {"age": [1], "job": []}}, "inputs.job", "has 0 values"),
    (CHURN, {"dataframe_split": [ROW]}, "dataframe_split", "an object of columns and data"),
    (CHURN, {"dataframe_split": {"data": VALUES}}, "dataframe_split", "an object of columns and data"),
    (CHURN, {"dataframe_split": {"columns": NAMES, "data": VALUES, "x": 1}}, "dataframe_split", "columns and data"),
    (CHURN, {"dataframe_split": {"columns": [1], "data": [[1]]}}, "dataframe_split.columns", "names"),
    (CHURN, {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "dataframe_split.columns", "twice"),
    (CHURN, {"dataframe_split": {"columns": NAMES, "data": [[1]]}}, "dataframe_split.data.0", "7 values"),
    (CHURN, {"dataframe_split": {"columns": NAMES, "data": []}}, "dataframe_split.data", "has 0 rows"),
    (CHURN, {"dataframe_split": {"columns": ["age"], "data": [["x"]]}}, "dataframe_split.data.0.age", "not a string"),
    (CHURN, {"dataframe_records": [ROW, ROW | {"wage": 1}]}, "dataframe_records.1.wage", "is not a column"),
    (CHURN, {"dataframe_records": [ROW | {"w" * 99: 1}]}, "dataframe_records.0.…", "is not a column"),
    (CHURN, {"dataframe_records": [without("age")]}, "dataframe_records.0.age", "is missing; send it, or null"),
    (CHURN, {"instances": [ROW | {"plan": None}]}, "instances.0.plan", "must not be null"),
    (CHURN, {"instances": [ROW | {"plan": "silver"}]}, "instances.0.plan", "must be one of 'basic', 'gold'"),
    (CHURN, {"instances": [ROW | {"age": "41"}]}, "instances.0.age", "must be a number, not a string"),
    (CHURN, {"instances": [ROW | {"age": 1e39}]}, "instances.0.age", "as float32 has"),
    (CHURN, {"instances": [ROW | {"visits": 2**24 + 1}]}, "instances.0.visits", "from -16777216 to 16777216"),
    (CHURN, {"instances": [ROW | {"visits": 3.5}]}, "instances.0.visits", "must be a whole number"),
    (CHURN, {"instances": [ROW | {"member": "yes"}]}, "instances.0.member", "must be true or false, not a string"),
    (CHURN, {"instances": [ROW | {"member": 1}]}, "instances.0.member", "must be true or false, not a number"),
    (CHURN, {"instances": [ROW | {"since": "17.05.2024"}]}, "instances.0.since", "RFC 3339"),
    (CHURN, {"inputs": {name: [value, "x"] for name, value in ROW.items()}}, "inputs.age.1", "not a string"),
    (SIZES, {"instances": [[1, 2], [1]]}, "instances.1", "a list of 2 numbers"),
    (SIZES, {"instances": [[1, 2], [1, 2.5]]}, "instances.1.1", "must be a whole number"),
    ("vector", {"dataframe_records": [{"a": 1}]}, "body", "no named columns; send instances or inputs"),
    ("vector", {"instances": [{"a": 1}]}, "instances.0", "must be a list of numbers"),
    ("vector", {"instances": []}, "instances", "has 0 inputs"),
    ("vector", {"instances": [[1, 2, 3]] * 101}, "instances", "has 101 inputs; send 1 to 100"),
    ("vector", {"instances": [[1, 2]]}, "instances.0", "has 2 numbers; this model takes 3"),
    ("vector", {"instances": [[1, 2, None]]}, "instances.0.2", "must be a number, not null"),
    ("vector", {"inputs": {"x": [[1, 2, 3]]}}, "inputs", "object of 'inputs'"),
    ("vector", {"inputs": {"inputs": [[1, 2, "3"]]}}, "inputs.inputs.0.2", "must be a number, not a string"),
    ("image", {"instances": [[0, 1, 2, 0]]}, "instances.0.2", "this protocol has no scale"),
]


@pytest.mark.parametrize(("name", "body", "field", "says"), WRONG, ids=str)
def test_what_the_contract_does_not_allow_is_refused_by_row_and_column(
    predict: Predict, name: str, body: Any, field: str, says: str
) -> None:
    answer = predict.post(ROUTE, {"name": name}, body)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    named = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert says in named.get(field, ""), named
    assert len(named) <= 5


HEADER = ",".join(NAMES)
LINE = "41.5,baker,12,true,2024-05-17T08:30:00Z,gold,"


@pytest.mark.parametrize(
    ("name", "text", "field", "says"),
    [
        (CHURN, "", "csv", "has 0 rows"),
        (CHURN, f"{HEADER}\n", "csv", "has 0 rows"),
        (CHURN, f"{HEADER}\n{LINE}\n\n41.5,baker\n", "csv.line 4", "has 2 cells, and the header has 7"),
        (CHURN, "age,age\n1,2\n", "csv.line 1", "twice"),
        (CHURN, f'{HEADER}\n"41', "csv.line 2", "cannot be read"),
        (CHURN, f"{HEADER},\n{LINE},0\n", "csv.line 2.", "is not a column"),
        (CHURN, f"{HEADER}\n{LINE}\n\n{LINE.replace('41.5', '41,5', 1)}", "csv.line 4", "has 8 cells"),
        (CHURN, f"{HEADER}\n{LINE.replace('41.5', 'old')}", "csv.line 2.age", "must be a number, not a string"),
        (CHURN, f"{HEADER}\n{LINE.replace('true', 'yes')}", "csv.line 2.member", "true or false, not a string"),
        (CHURN, f"{HEADER}\n{LINE.replace('gold', '')}", "csv.line 2.plan", "must not be null"),
        (CHURN, f"{HEADER}\n{LINE.replace('2024-05-17T08:30:00Z', '17.05.2024')}", "csv.line 2.since", "RFC 3339"),
        (FORMS, f"{HEADER}\n{LINE}", "csv.line 2.age", "must be a number, not a string"),
    ],
    ids=str,
)
def test_a_wrong_cell_of_csv_is_named_by_line_and_column(
    predict: Predict, name: str, text: str, field: str, says: str
) -> None:
    answer = predict.post(ROUTE, {"name": name}, text, "text/csv")
    assert answer.status == 422, answer.text
    named = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert says in named.get(field, ""), named


def test_csv_for_images_is_refused(predict: Predict) -> None:
    answer = predict.post(ROUTE, {"name": "vector"}, "1,2,3", "text/csv")
    assert answer.status == 422
