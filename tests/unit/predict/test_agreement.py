"""The handler and the published schema accept the same bodies: case by case, generated.

The schema is asked twice: as pydantic models with what the manifest says of the model's inputs, and as the JSON Schema
of the OpenAPI document, which knows nothing of the model and so may only accept more.
"""

import base64
import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from mlops.api.schemas.predict import (
    BatchPredictRequest,
    BatchPredictResponse,
    PredictRequest,
    PredictResponse,
)
from mlops.domain import model_name
from mlops.domain.model_description import ModelInput
from mlops.domain.names import ModelName
from predict import inputs, request
from tests.support.serving import served

FEATURES, SHAPE = 6, (2, 3)
MODELS = {
    "image": served(1, model_name="image", features=FEATURES, image=SHAPE, classes=3),
    "vector": served(1, model_name="vector", features=FEATURES, image=None, classes=3, labels=("a", "b", "c")),
    "true": served(1, model_name="true", features=FEATURES, image=SHAPE, classes=3),
}
GENERATED = settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

numbers = st.one_of(
    st.sampled_from([0, 1, 0.5, -0.0, 1.0, 255, 256, 1.0000001, -1e-300, 5e-324, 3.5e38, 3.4028234663852886e38, 1e308]),
    st.sampled_from([2**53 + 1, 2**64, -(2**64), 10**40, True, False, None, "0", "", [], {}, [0.5], {"a": 1}]),
    st.floats(0, 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-300, 300),
)
good = st.one_of(st.floats(0, 1), st.integers(0, 1))
pixels = st.one_of(
    st.lists(good, min_size=FEATURES, max_size=FEATURES),
    st.lists(st.integers(0, 255), min_size=FEATURES, max_size=FEATURES),
    st.lists(st.lists(good, min_size=3, max_size=3), min_size=2, max_size=2),
    st.lists(numbers, max_size=FEATURES + 1),
    st.lists(numbers, min_size=FEATURES, max_size=FEATURES),
    st.lists(st.lists(numbers, min_size=2, max_size=4), min_size=1, max_size=3),
    st.lists(st.lists(good, min_size=2, max_size=3), min_size=2, max_size=3),
    numbers,
)
texts = st.one_of(
    st.binary(min_size=FEATURES, max_size=FEATURES).map(lambda data: base64.b64encode(data).decode()),
    st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode()),
    st.text(alphabet='AQgw=+/-_ \n"\\é', max_size=12),
    numbers,
)
scales = st.one_of(st.sampled_from([1, 255, 255.0, 0.5, 65535, 65536, 0, -1, "255", None, True, 1e-320]), numbers)
names = st.one_of(
    st.just("vector"), st.just("image"), st.sampled_from(["", "a" * 101, "vector\n", "a b", 'a"b', "é", ".x", None, 5])
)
singles = st.fixed_dictionaries(
    {},
    optional={
        "image": pixels,
        "image_base64": texts,
        "inputs": pixels,
        "scale": scales,
        "model_name": names,
        "extra": numbers,
        "images": pixels,
    },
)
likely_singles = st.one_of(
    st.fixed_dictionaries({"image": pixels}, optional={"scale": scales, "model_name": names}),
    st.fixed_dictionaries({"image_base64": texts}, optional={"model_name": names}),
    st.fixed_dictionaries({"inputs": pixels}, optional={"model_name": names}),
)
batches = st.one_of(
    st.fixed_dictionaries({"images": st.lists(pixels, max_size=4)}, optional={"scale": scales, "model_name": names}),
    st.fixed_dictionaries({"inputs_list": st.lists(pixels, max_size=4)}, optional={"model_name": names}),
    st.fixed_dictionaries({}, optional={"images": pixels, "inputs_list": pixels, "scale": scales, "image": pixels}),
)


@pytest.fixture
def predict(store: Any, start: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    for model in MODELS.values():
        store.promote(model)
    monkeypatch.setenv("DEFAULT_MODEL_NAME", "image")
    return start()


def agree(predict: Any, body: Any, path: str, schema: type[BaseModel], answers: type[BaseModel]) -> None:
    # Sent with escapes, as Python's json writes them, and without, as most others do.
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False, indent=1)):
        response = predict.call(text, path)
        name = body.get("model_name", "image") if isinstance(body, dict) else "image"
        expected: ModelInput = MODELS.get(name if isinstance(name, str) else "image", MODELS["image"]).manifest.input
        reason = None
        try:
            schema.model_validate_json(text, context=expected)
        except ValidationError as error:
            reason = str(error)
        if response.status == 200:
            assert reason is None, f"the handler accepts {text[:300]}, the schema does not: {reason}"
            answers.model_validate_json(response.text, strict=True)
            jsonschema.validate(json.loads(text), schema.model_json_schema())
        else:
            assert response.status == 422, response.text
            # Two things that no schema can say: a PNG is broken, and the model's own arithmetic overflows.
            unsaid = "no finite answer" in response.text or "is a PNG that" in response.text
            assert reason is not None or unsaid, f"the schema accepts {text[:300]}, the handler: {response.text}"


@GENERATED
@given(body=st.one_of(likely_singles, singles))
@example({"image": [0, 0, 0, 0, 0, -0.0]})
@example({"image": [0, 0, 0, 0, 0, 1.00000000000001]})
@example({"image": [[0, 0, 0], [1, 1, 1]], "scale": 1})
@example({"image": [[0, 0], [1, 1], [0, 0]]})
@example({"image": [0, 0, 0, 0, 0, [0]]})
@example({"image": [[0, 0, 0], 0, 0, 0]})
@example({"image": [[[0], 0, 0], [0, 0, 0]]})
@example({"inputs": [1e38, -1e38, 0, 0, 0, 0], "model_name": "vector"})
@example({"image": [0, 0, 0, 0, 0, 10**40], "scale": 65535})
@example({"image": [0] * 6, "model_name": "true"})
def test_single(predict: Any, body: dict[str, Any]) -> None:
    agree(predict, body, "/predict", PredictRequest, PredictResponse)


@GENERATED
@given(body=batches)
@example({"images": [[0] * 6] * 101})
@example({"images": [[0] * 6] * 100})
@example({"images": [[0] * 6, [[0, 0, 0], [0, 0, 0]]]})
def test_batch(predict: Any, body: dict[str, Any]) -> None:
    agree(predict, body, "/predict/batch", BatchPredictRequest, BatchPredictResponse)


def test_a_png_is_taken_by_both(predict: Any) -> None:
    from tests.unit.predict.test_png import plain, png_file

    text = base64.b64encode(png_file(3, 2, 8, 0, plain(2, 3))).decode()
    agree(predict, {"image_base64": text}, "/predict", PredictRequest, PredictResponse)


def test_the_bounds_are_the_same_numbers(bucket_name: str) -> None:
    from mlops.api.schemas import predict as predict_schemas

    assert (request.MAX_BATCH, request.MAX_SCALE, inputs.FLOAT32_MAX) == (
        predict_schemas.MAX_BATCH,
        predict_schemas.MAX_SCALE,
        predict_schemas.FLOAT32_MAX,
    )
    assert TypeAdapter(ModelName).json_schema()["pattern"] == f"^{model_name.PATTERN}$"
    assert request.is_servable is model_name.is_servable
    for model, fields in ((PredictRequest, request.SINGLE), (BatchPredictRequest, request.BATCH)):
        assert {*fields.sources, *fields.options} == set(model.model_fields)
    assert math.isfinite(inputs.FLOAT32_MAX)
