"""A value of a wrong JSON type or a strange name, wherever it stands in a body, is never a server error."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.serving import served
from tests.support.table_models import ROW, served_table
from tests.unit.predict.conftest import Predict
from tests.unit.predict.test_open_inference import tensors

CHURN = "churn"
VALUES = [None, True, 0, -1, 1.5, 1e300, 2**63, "", "x", [], [[]], [0, "x"], {}, {"name": []}]
NAMES = ["", "x", "a\0b", "\0", '"', "\\", "\ud800", "\U0001f600", "x" * 10_000, "constructor"]
INFER, INVOCATIONS = "/v2/models/{name}/infer", "/models/{name}/invocations"
TENSOR = {"name": "inputs", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}
IMAGE = {"name": "inputs", "shape": [1, 2, 2], "datatype": "FP32", "data": [[[0, 1], [0.5, 0.25]]]}
BODIES: list[tuple[str, str | None, Any]] = [
    ("/predict", None, {"image": [0, 1, 0.5, 1], "scale": 1, "model_name": "image", "version": 1}),
    ("/predict", None, {"inputs": [1, 2, 3], "model_name": "vector"}),
    ("/predict", None, {"row": ROW, "model_name": CHURN}),
    ("/predict/batch", None, {"images": [[0, 1, 0.5, 1], [[0, 1], [1, 0]]], "model_name": "image"}),
    ("/predict/batch", None, {"inputs_list": [[1, 2, 3], [4, 5, 6]], "model_name": "vector"}),
    ("/predict/batch", None, {"rows": [ROW, ROW], "model_name": CHURN}),
    (
        INFER,
        CHURN,
        {"id": "one", "parameters": {"a": 1}, "inputs": tensors([ROW]), "outputs": [{"name": "prediction"}]},
    ),
    (INFER, "vector", {"inputs": [{**TENSOR, "parameters": {}}], "outputs": [{"name": "probabilities"}]}),
    (INFER, "image", {"inputs": [IMAGE]}),
    (INVOCATIONS, CHURN, {"dataframe_split": {"columns": [*ROW], "index": [0], "data": [[*ROW.values()]]}}),
    (INVOCATIONS, CHURN, {"dataframe_records": [ROW]}),
    (INVOCATIONS, CHURN, {"instances": [ROW], "params": {"a": 1}}),
    (INVOCATIONS, CHURN, {"inputs": {name: [value] for name, value in ROW.items()}}),
    (INVOCATIONS, "vector", {"inputs": {"inputs": [[1, 2, 3]]}}),
    (INVOCATIONS, "image", {"instances": [[[0, 1], [1, 0]]]}),
]


@pytest.fixture
def predict(store: Any, start: Any) -> Predict:
    store.promote(served_table(3))
    store.promote(served(1, model_name="vector", features=3, image=None, classes=3))
    store.promote(served(1, model_name="image", features=4, image=(2, 2), classes=3))
    return start()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a document."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        yield from places(entry, (*path, name))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    made = copy.deepcopy(document)
    found(made, path[:-1])[path[-1]] = value
    return made


def found(document: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


def with_name(body: Any, path: tuple[Any, ...], name: str, renamed: str | None) -> Any:
    """The body with one more name in the object at the path, or with the name in place of another one."""
    made = copy.deepcopy(body)
    entries = found(made, path)
    entries[name] = entries.pop(renamed) if renamed is not None else 1
    return made


@pytest.mark.parametrize(("route", "name", "body"), BODIES, ids=[str(number) for number in range(len(BODIES))])
def test_no_value_of_another_type_is_a_server_error(predict: Predict, route: str, name: str | None, body: Any) -> None:
    parameters = {"name": name} if name else None
    statuses = {}
    for path in places(body):
        for value in VALUES:
            changed = replaced(body, path, value)
            answer = predict.call(changed, route, pathParameters=parameters)
            assert answer.status in (200, 409, 422), f"{path} = {value!r}: {answer.text}"
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
    assert statuses[422] > len(VALUES), "most of the changed bodies are wrong"


@pytest.mark.parametrize(("route", "name", "body"), BODIES, ids=[str(number) for number in range(len(BODIES))])
def test_no_strange_name_is_a_server_error(predict: Predict, route: str, name: str | None, body: Any) -> None:
    parameters = {"name": name} if name else None
    asked = 0
    for path in places(body):
        entries = found(body, path)
        if not isinstance(entries, dict):
            continue
        for strange in NAMES:
            for renamed in (None, *entries):
                changed = with_name(body, path, strange, renamed)
                answer = predict.call(json.dumps(changed), route, pathParameters=parameters)
                assert answer.status in (200, 404, 409, 422), f"{path}, {strange!r} for {renamed}: {answer.text}"
                asked += 1
    assert asked >= 2 * len(NAMES)
