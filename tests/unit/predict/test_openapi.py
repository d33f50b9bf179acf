"""The published OpenAPI document, fuzzed by schemathesis against the handler: never a 5xx, no undeclared status."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.support.fuzzing import budget
from tests.support.serving import served

DOCUMENT = json.loads((Path(__file__).parents[3] / "functions/portal/portal/openapi.json").read_text())


@pytest.fixture
def predict(store: Any, start: Any) -> Any:
    store.promote(served(1))
    store.promote(served(2, stage="Staging"))
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
