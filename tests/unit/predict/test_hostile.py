"""Whatever is sent, the answer is below 500, within a bounded time and a bounded amount of memory."""

import base64
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzzing import budget
from tests.support.serving import served
from tests.unit.predict.conftest import proxy_event

LENIENT = budget(150)
ROUTES = st.sampled_from(["/predict", "/predict/batch", "/predict/staging"])
FIELDS = ["image", "images", "inputs", "inputs_list", "image_base64", "scale", "model_name"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=30,
)


@pytest.fixture
def predict(store: Any, start: Any) -> Any:
    store.promote(served(1))
    store.promote(served(2, stage="Staging"))
    return start()


@pytest.mark.fuzz
@LENIENT
@given(path=ROUTES, body=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), values, max_size=4))
def test_any_json(predict: Any, path: str, body: dict[str, Any]) -> None:
    assert predict.call(json.dumps(body), path).status in (200, 409, 413, 422)


@pytest.mark.fuzz
@LENIENT
@given(path=ROUTES, body=st.text(), encoded=st.booleans())
def test_any_text(predict: Any, path: str, body: str, encoded: bool) -> None:
    assert predict.call(body, path, isBase64Encoded=encoded).status in (409, 413, 422)


@pytest.mark.fuzz
@LENIENT
@given(path=ROUTES, body=st.binary())
def test_any_bytes(predict: Any, path: str, body: bytes) -> None:
    encoded = base64.b64encode(body).decode()
    assert predict.call(encoded, path, isBase64Encoded=True).status in (409, 413, 422)


@pytest.mark.fuzz
@LENIENT
@given(path=ROUTES, data=st.binary(max_size=400), signed=st.booleans())
def test_any_base64(predict: Any, path: str, data: bytes, signed: bool) -> None:
    text = base64.b64encode((b"\x89PNG\r\n\x1a\n" if signed else b"") + data).decode()
    assert predict.call({"image_base64": text}, path).status == 422


LIMIT = 4 << 20
HOSTILE = {
    "ten megabytes of JSON": '{"image": [' + "0," * 5_000_000 + "0]}",
    "ten megabytes of spaces": " " * 10_000_000,
    "ten megabytes, not ASCII": "é" * 5_000_000,
    "just below the limit": '{"image": [' + "0," * (LIMIT // 2 - 20) + "0]}",
    "just below the limit, not ASCII": '{"' + "é" * (LIMIT // 2 - 20) + '": 0}',
    "just above the limit in bytes": '{"' + "é" * (LIMIT // 2) + '": 0}',
    "deep nesting": '{"image": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "deep objects": '{"a":' * 100_000 + "0" + "}" * 100_000,
    "a million empty lists": '{"image": [' + "[]," * 1_000_000 + "[]]}",
    "a million empty objects": '{"images": [' + "{}," * 1_000_000 + "{}]}",
    "a million strings": '{"images": [["' + '","' * 1_000_000 + '"]]}',
    "a million keys": "{" + ",".join(f'"{number}":0' for number in range(300_000)) + "}",
    "a key of a megabyte": '{"' + "k" * 1_000_000 + '": 0}',
    "the same key a million times": "{" + '"image":0,' * 300_000 + '"image":[0]}',
    "a number of a megabyte": '{"image": [' + "9" * 1_000_000 + "]}",
    "a fraction of a megabyte": '{"image": [0.' + "3" * 1_000_000 + "]}",
    "base64 of a megabyte": json.dumps({"image_base64": "A" * 1_000_000}),
    "a lone surrogate": '{"image": "\ud800"}',
    "an escaped lone surrogate": '{"model_name": "\\ud800", "image": [0]}',
    "a null character": '{"image\\u0000": [0]}',
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_hostile_bodies_are_refused_in_bounded_time_and_memory(predict: Any, case: str, path: str) -> None:
    body = HOSTILE[case]
    tracemalloc.start()
    began = time.process_time()
    answer = predict.call(body, path)
    took = time.process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status in (413, 422)
    assert (answer.status == 413) == (len(body.encode(errors="replace")) > LIMIT)
    assert len(answer.text) < 4000
    assert took < 3  # tracemalloc itself makes it several times slower than it is
    assert peak < 40 * LIMIT


def test_invalid_utf8(predict: Any) -> None:
    body = base64.b64encode(b'{"image": [0, "\xff"]}').decode()
    assert predict.call(body, isBase64Encoded=True).status == 422
    assert predict.call("not base64", isBase64Encoded=True).status == 422


def test_a_decompression_bomb(predict: Any) -> None:
    import zlib

    from tests.unit.predict.test_png import png_file

    bomb = png_file(28, 28, 8, 0, zlib.compress(bytes(1 << 28), 9))
    body = {"image_base64": base64.b64encode(bomb).decode()}
    began = time.process_time()
    assert predict.call(body).status == 422
    assert time.process_time() - began < 0.3


@pytest.mark.parametrize("event", [{"body": None}, {"body": ""}, {"isBase64Encoded": True}, {"resource": None}])
def test_events_that_lack_something(predict: Any, event: dict[str, Any]) -> None:
    response = predict.app.handler(proxy_event("") | event, None)
    assert response["statusCode"] == 422


def test_many_model_names_leave_nothing_behind(predict: Any) -> None:
    for number in range(200):
        assert predict.call({"image": [0] * 784, "model_name": f"model-{number}"}).status == 409
    assert len(predict.app.models._slots) == 1
    assert len(predict.app.models._refused) == 0
