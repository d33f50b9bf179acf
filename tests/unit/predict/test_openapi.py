"""The published OpenAPI document, fuzzed by schemathesis against the handler: never a 5xx, no undeclared status."""

import json
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.support.fuzzing import budget
from tests.support.serving import served
from tests.support.table_models import served_table

DOCUMENT = json.loads((Path(__file__).parents[3] / "functions/portal/portal/openapi.json").read_text())


@pytest.fixture
def predict(store: Any, start: Any) -> Any:
    store.promote(served(1))
    store.promote(served(2, stage="Staging"))
    store.promote(served_table(3))
    return start()


@pytest.mark.fuzz
@budget(25)
@given(data=st.data())
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/staging"])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_fuzzed_from_the_document(predict: Any, path: str, mode: GenerationMode, data: st.DataObject) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operation = schemathesis.openapi.from_dict(DOCUMENT)[path]["POST"]
        case = data.draw(operation.as_strategy(generation_mode=mode))
    try:
        text = json.dumps(case.body)
    except TypeError:
        return  # a generated body that is no JSON at all: test_hostile sends such
    answer = predict.call(text, path)
    expected = operation.definition.raw["responses"]
    assert str(answer.status) in expected, f"{answer.status} for {text[:200]}"
    assert answer.status < 500


PROTOCOLS = [
    (path, method.upper())
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if path.startswith("/v2") or path.endswith(("/invocations", "/contract", "/ping"))
]


@pytest.mark.fuzz
@budget(15)
@given(data=st.data(), name=st.sampled_from(["digit-classifier", "churn"]))
@pytest.mark.parametrize(("path", "method"), PROTOCOLS)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_protocols_fuzzed_from_the_document(
    predict: Any, path: str, method: str, mode: GenerationMode, data: st.DataObject, name: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
        case = data.draw(operation.as_strategy(generation_mode=mode))
    try:
        text = json.dumps(case.body) if method == "POST" else None
    except TypeError:
        return  # a generated body that is no JSON at all
    parameters = {key: str(value) for key, value in (case.path_parameters or {}).items()} | {"name": name}
    query = {key: str(value) for key, value in (case.query or {}).items()} or None
    headers = {"content-type": case.media_type or "application/json"}
    event = {"pathParameters": parameters, "queryStringParameters": query, "headers": headers}
    answer = predict.call(text, path, method, **event)
    assert str(answer.status) in operation.definition.raw["responses"], f"{answer.status} for {text}"
    assert answer.status < 500
    if answer.status == 200:
        schema = operation.definition.raw["responses"]["200"]["content"]["application/json"]["schema"]
        validator = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
        validator.validate(answer.json)
