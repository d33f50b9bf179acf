"""GET /models/{name}/contract: what a model takes, and an example that it answers."""

import ast
import json
import os
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from mlops.api.schemas.contract import ModelContract
from mlops_contract import Task
from mlops_contract.contract import ContractError
from tests.support.serving import served
from tests.support.table_models import COLUMNS, LABELS, served_table
from tests.unit.predict.conftest import Predict

CHURN, PRICE = "churn", "price"


@pytest.fixture
def predict(store: Any, start: Any) -> Predict:
    made = served_table(3)
    contract = replace(made.manifest.contract, forms={"member": "yes/no", "since": "day.month.year"})
    store.promote(made.with_manifest(contract=contract))
    store.promote(served_table(4, stage="Staging"))
    store.promote(served_table(5, model_name=PRICE, task=Task.REGRESSION))
    store.promote(served(1, model_name="vector", features=3, image=None, classes=3))
    store.promote(served(1, model_name="image", features=6, image=(2, 3), classes=3))
    return start()


def contract_of(predict: Predict, name: str, **query: str) -> dict[str, Any]:
    answer = predict.get("/models/{name}/contract", {"name": name}, query)
    assert answer.status == 200, answer.text
    ModelContract.model_validate_json(answer.text, strict=True)
    return answer.json


def test_it_says_what_each_column_takes(predict: Predict) -> None:
    found = contract_of(predict, CHURN)
    assert (found["model_version"], found["model_stage"], found["task"]) == (3, "Production", "classification")
    assert (found["target"], found["labels"]) == ("outcome", [*LABELS])
    columns = {column["name"]: column for column in found["columns"]}
    assert [*columns] == [column.name for column in COLUMNS]
    assert columns["age"] == {
        "name": "age",
        "type": "double",
        "required": True,
        "proved": ["null", "beyond"],
        "levels": None,
        "low": 18.0,
        "high": 90.0,
        "form": None,
    }
    assert columns["plan"]["proved"] == []
    assert columns["plan"]["levels"] == ["basic", "gold"]
    assert columns["note"]["proved"] == ["null", "absent", "unseen"]
    assert not columns["note"]["required"]
    assert columns["member"]["form"] == "yes/no"


def test_the_signature_is_mlflows(predict: Predict) -> None:
    from mlflow.models import ModelSignature

    for name in (CHURN, PRICE):
        signature = ModelSignature.from_dict(contract_of(predict, name)["signature"])
        types = {column.name: (column.type.name, column.required) for column in signature.inputs}
        assert types["age"] == ("double", False)
        assert types["visits"] == ("double", False), "MLflow has no missing whole numbers"
        assert types["plan"] == ("string", True)
    vector = ModelSignature.from_dict(contract_of(predict, "vector")["signature"])
    assert vector.inputs.inputs[0].shape == (-1, 3)


def test_a_model_of_images_or_vectors_has_an_input(predict: Predict) -> None:
    image, vector = contract_of(predict, "image"), contract_of(predict, "vector")
    assert image["input"] == {"name": "inputs", "features": 6, "image": [2, 3], "framing": None}
    assert vector["input"] == {"name": "inputs", "features": 3, "image": None, "framing": None}
    assert (image["columns"], image["labels"]) == (None, [0, 1, 2])


@pytest.mark.parametrize("name", [CHURN, PRICE, "vector", "image"])
def test_its_example_is_answered(predict: Predict, name: str, tmp_path: Any) -> None:
    example = contract_of(predict, name)["example"]
    answer = predict.call(example["request"])
    assert answer.status == 200, answer.text
    assert "warnings" not in answer.json

    # curl, as a shell runs it, with a curl that writes down what it gets
    (tmp_path / "curl").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$0.arguments"\n')
    (tmp_path / "curl").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MLOPS_API_KEY": "key", "MLOPS_API_URL": "https://api"}
    subprocess.run(["sh", "-c", example["curl"]], env=environment, check=True)
    *_, body, address = (tmp_path / "curl.arguments").read_text().splitlines()
    assert (json.loads(body), address) == (example["request"], "https://api/predict")

    call = ast.parse(example["python"]).body[-1].value  # type: ignore[attr-defined]
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    assert ast.literal_eval(arguments["model_name"]) == name
    if name in (CHURN, PRICE):
        assert ast.literal_eval(arguments["row"]) == example["request"]["row"]


def test_a_stage_or_a_version_can_be_named(predict: Predict) -> None:
    assert contract_of(predict, CHURN, stage="Staging")["model_version"] == 4
    assert contract_of(predict, CHURN, version="4")["model_stage"] == "Staging"
    assert contract_of(predict, CHURN, version="3")["model_stage"] == "Production"
    assert contract_of(predict, CHURN, stage="Staging")["example"]["curl"].endswith('/predict/staging"')


@pytest.mark.parametrize(
    ("name", "query", "status", "says"),
    [
        (CHURN, {"version": "9"}, 409, "version 3 in Production and version 4 in Staging can answer"),
        (PRICE, {"stage": "Staging"}, 409, "is in Staging"),
        ("nothing", {}, 409, "is in Production"),
        ("nothing", {"version": "1"}, 409, "no version can answer"),
        (CHURN, {"stage": "Archived"}, 422, "must be Production or Staging"),
        (CHURN, {"stage": "Staging", "version": "4"}, 422, "send one of them"),
        (CHURN, {"version": "four"}, 422, "number of a version"),
        (CHURN, {"version": "0"}, 422, "number of a version"),
        (CHURN, {"verison": "4"}, 422, "is not a parameter"),
        ("%2e%2e%2fx", {}, 422, "letters, digits"),
    ],
)
def test_what_cannot_be_answered_says_why(
    predict: Predict, name: str, query: dict[str, str], status: int, says: str
) -> None:
    answer = predict.get("/models/{name}/contract", {"name": name}, query)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json["detail"]


def test_a_form_that_no_column_has_is_no_contract() -> None:
    document = served_table().manifest.contract.to_document()
    for forms in ({"nobody": "yes/no"}, {"age": "yes/no"}, {"member": "yes"}, {"since": "%d"}, {"age": 1}, []):
        with pytest.raises(ContractError, match=r"contract\.forms"):
            type(served_table().manifest.contract).from_document({**document, "forms": forms})
