"""What the routes answer, and what they log about it."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mlops.domain.drift.counts import counts_of
from predict import sampling
from tests.support.serving import forward, served, weights_of

IMAGE = np.random.default_rng(5).integers(0, 256, (28, 28)).astype(np.uint8)
PIXELS = (IMAGE.reshape(-1) / 255).tolist()


def png(image: np.ndarray, mode: str = "L") -> str:
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def predict(store: Any, start: Callable[[], Any]) -> Any:
    store.promote(served(3))
    return start()


def test_answers_with_the_models_own_arithmetic(predict: Any) -> None:
    answer = predict.call({"image": PIXELS})
    expected = forward(weights_of(3, 784, 10), np.array([PIXELS], np.float32))[0]
    assert answer.status == 200
    assert answer.json["probabilities"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert answer.json["prediction"] == int(expected.argmax())
    assert answer.json["confidence"] == pytest.approx(float(expected.max()), abs=1e-6)
    assert answer.without_id | {"probabilities": None, "prediction": None, "confidence": None} == {
        "prediction": None,
        "confidence": None,
        "probabilities": None,
        "model_name": "digit-classifier",
        "model_version": 3,
        "model_stage": "Production",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"image": (IMAGE / 255).tolist()},
        {"image": IMAGE.reshape(-1).tolist(), "scale": 255},
        {"image": IMAGE.tolist(), "scale": 255},
        {"image": IMAGE.astype(float).tolist(), "scale": 255.0},
        {"image": PIXELS, "model_name": "digit-classifier"},
        {"image": PIXELS, "scale": 1},
        {"image_base64": base64.b64encode(IMAGE.tobytes()).decode()},
        {"image_base64": png(IMAGE)},
        {"image_base64": png(IMAGE, "RGB")},
        {"image_base64": png(IMAGE, "RGBA")},
        {"image_base64": png(IMAGE, "LA")},
        {"image_base64": png(IMAGE, "P")},
    ],
)
def test_every_form_of_an_image_gets_the_same_answer(predict: Any, body: dict[str, Any]) -> None:
    expected = predict.call({"image": PIXELS}).json
    answer = predict.call(body)
    assert answer.status == 200, answer.text
    assert answer.json["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)


def test_a_body_that_api_gateway_passes_as_base64_is_the_same_body(predict: Any) -> None:
    text = json.dumps({"image": PIXELS})
    encoded = base64.b64encode(text.encode()).decode()
    assert predict.call(encoded, isBase64Encoded=True).without_id == predict.call(text).without_id


def test_a_batch_answers_as_single_requests_do(predict: Any) -> None:
    images = np.random.default_rng(8).random((100, 784)).round(3)
    singles = [predict.call({"image": image.tolist()}).json for image in images]
    batch = predict.call({"images": images.tolist()}, "/predict/batch")
    assert batch.status == 200
    assert batch.json["predictions"] == [single["prediction"] for single in singles]
    assert batch.json["confidences"] == pytest.approx([single["confidence"] for single in singles], abs=1e-6)
    assert {name: batch.json[name] for name in ("model_name", "model_version", "batch_size")} == {
        "model_name": "digit-classifier",
        "model_version": 3,
        "batch_size": 100,
    }


def test_an_images_answer_does_not_depend_on_its_batch_mates(predict: Any) -> None:
    dark = [0.001] * 784
    alone = predict.call({"images": [dark]}, "/predict/batch").json
    beside = predict.call({"images": [dark, [1] * 784]}, "/predict/batch").json
    assert beside["confidences"][0] == pytest.approx(alone["confidences"][0], abs=1e-6)


def test_staging_answers_from_the_staging_model(predict: Any, store: Any) -> None:
    store.promote(served(9, stage="Staging"))
    answer = predict.call({"image": PIXELS}, "/predict/staging")
    assert (answer.json["model_version"], answer.json["model_stage"]) == (9, "Staging")
    assert predict.call({"image": PIXELS}).json["model_version"] == 3


def test_a_model_of_other_inputs_and_labels(predict: Any, store: Any) -> None:
    store.promote(
        served(1, model_name="iris", features=4, image=None, classes=3, labels=("setosa", "versicolor", "virginica"))
    )
    answer = predict.call({"inputs": [5.1, 3.5, -1.4, 200], "model_name": "iris"})
    assert answer.status == 200
    assert answer.json["prediction"] in ("setosa", "versicolor", "virginica")
    batch = predict.call({"inputs_list": [[5.1, 3.5, 1.4, 0.2]] * 2, "model_name": "iris"}, "/predict/batch")
    assert batch.json["batch_size"] == 2
    short = predict.call({"inputs": [1, 2], "model_name": "iris"})
    assert (short.status, short.json["errors"][0]["field"]) == (422, "inputs")
    wrong = predict.call({"inputs": PIXELS})
    assert (wrong.status, wrong.json["errors"][0]["field"]) == (422, "inputs")


def test_numbers_beyond_the_models_arithmetic_are_refused_not_answered_with_nan(predict: Any, store: Any) -> None:
    store.promote(served(1, model_name="iris", features=4, image=None, classes=3))
    answer = predict.call({"inputs": [3e38] * 4, "model_name": "iris"})
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "inputs")


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"image": [*PIXELS[:-1], 1.5]}, "image.783", "scale"),
        ({"image": [*PIXELS[:-1], -0.1]}, "image.783", "0..1"),
        ({"image": [*PIXELS[:-1], 1.00000001]}, "image.783", "0..1"),
        ({"image": PIXELS[:-1]}, "image", "783"),
        ({"image": [*PIXELS[:-1], True]}, "image.783", "boolean"),
        ({"image": [*PIXELS[:-1], "0.5"]}, "image.783", "string"),
        ({"image": [*PIXELS[:-1], None]}, "image.783", "null"),
        ({"image": [*PIXELS[:-1], [0]]}, "image", "numbers"),
        ({"image": [*PIXELS[:-1], {}]}, "image.783", "object"),
        ({"image": [[0] * 28] * 27}, "image", "27 rows"),
        ({"image": [[0] * 28] * 27 + [[0] * 27]}, "image.27", "28"),
        ({"image": [[0] * 28] * 27 + [[0] * 27 + [None]]}, "image.27.27", "null"),
        ({"image": [[0] * 28] * 27 + [0]}, "image.27", "row"),
        ({"image": []}, "image", "empty"),
        ({"image": "0101"}, "image", "list"),
        ({"image": None}, "image", "list"),
        ({"image": PIXELS, "scale": 0}, "scale", "above 0"),
        ({"image": PIXELS, "scale": True}, "scale", "number"),
        ({"image": PIXELS, "scale": "255"}, "scale", "number"),
        ({"image": PIXELS, "scale": 70000}, "scale", "65535"),
        ({"image": PIXELS, "image_base64": "AA=="}, "image_base64", "exactly one"),
        ({"image_base64": "AA==", "scale": 255}, "scale", "image"),
        ({"image_base64": "AA=="}, "image_base64", "1 bytes"),
        ({"image_base64": "A A="}, "image_base64", "base64"),
        ({"image_base64": "Ä"}, "image_base64", "base64"),
        ({"image_base64": 5}, "image_base64", "string"),
        ({}, "image", "exactly one"),
        ({"pixels": PIXELS}, "pixels", "not a field"),
        ({"image": PIXELS, "model_name": "../x"}, "model_name", "letters"),
        ({"image": PIXELS, "model_name": "x\n"}, "model_name", "letters"),
        ({"image": PIXELS, "model_name": None}, "model_name", "letters"),
        ([], "body", "object"),
        ("", "body", "JSON"),
        ("{", "body", "JSON"),
        ('{"image": [NaN]}', "body", "JSON"),
        ('{"image": [1e999]}', "body", "JSON"),
        ('{"image": [0], "image": [0]}', "body", "twice"),
    ],
)
def test_a_wrong_body_is_422_that_names_the_field_and_the_remedy(
    predict: Any, body: Any, field: str, says: str
) -> None:
    answer = predict.call(body)
    assert answer.status == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "request_id", "errors"} <= set(answer.json)
    named = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert field in named
    assert says in named[field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"images": []}, "images"),
        ({"images": [PIXELS] * 101}, "images"),
        ({"images": PIXELS[:50]}, "images.0"),
        ({"images": [PIXELS, PIXELS[1:]]}, "images.1"),
        ({"images": [PIXELS, [*PIXELS[1:], 2]]}, "images.1.783"),
        ({"images": [PIXELS, [*PIXELS[1:], False]]}, "images.1.783"),
        ({"images": [PIXELS, [*PIXELS[1:], "x"]]}, "images.1.783"),
        ({"image": PIXELS}, "image"),
        ({"inputs_list": [PIXELS]}, "inputs_list"),
    ],
)
def test_a_wrong_batch_names_the_image(predict: Any, body: Any, field: str) -> None:
    answer = predict.call(body, "/predict/batch")
    assert answer.status == 422
    assert field in {error["field"] for error in answer.json["errors"]}


def test_no_model_in_the_stage_says_how_to_promote_one(predict: Any) -> None:
    answer = predict.call({"image": PIXELS}, "/predict/staging")
    assert (answer.status, answer.json["code"]) == (409, "no_model_in_stage")
    assert "/models/transition" in answer.json["detail"]
    assert "Staging" in answer.json["detail"]


def test_unknown_routes_are_404(predict: Any) -> None:
    assert predict.call(None, "/predict", "GET").status == 404
    assert predict.call(None, "/predict/unknown").status == 404


def test_a_kept_answer_is_marked_and_the_same(predict: Any) -> None:
    first, second = predict.call({"image": PIXELS}), predict.call({"image": PIXELS})
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert first.without_id == second.without_id
    assert first.text.replace(first.json["prediction_id"], "") == second.text.replace(second.json["prediction_id"], "")


def test_headers_are_those_of_every_other_route(predict: Any) -> None:
    from mlops.api.responses import NO_CONTENT_POLICY, SECURITY_HEADERS

    for answer in (predict.call({"image": PIXELS}), predict.call({}), predict.call(None, method="GET")):
        assert answer.headers.items() >= SECURITY_HEADERS.items()
        assert answer.headers["content-security-policy"] == NO_CONTENT_POLICY
        assert answer.headers["x-request-id"] == "request-1"


class TestLogLine:
    def test_one_line_a_prediction(self, predict: Any, lines: Callable[[], list[dict[str, Any]]]) -> None:
        lines()
        answer = predict.call({"image": PIXELS})
        (line,) = lines()
        signals, kept = line.pop("signals_permille"), line.pop("feedback")
        assert kept["id"] == answer.json["prediction_id"]
        assert line.pop("latency_ms") > 0
        assert line == {
            "event": "mlops.prediction",
            "request_id": "request-1",
            "status": 200,
            "cache": "miss",
            "staleness_s": 0.0,
            "model_name": "digit-classifier",
            "model_version": 3,
            "stage": "Production",
            "n": 1,
            "predictions": [answer.json["prediction"]],
            "confidences": [answer.json["confidence"]],
        }
        assert signals["mean_intensity"] == [round(1000 * float(np.mean(PIXELS)))]
        assert signals["ink_share"] == [round(1000 * float(np.mean(np.array(PIXELS) > 0.5)))]
        blocks = (IMAGE / 255).reshape(7, 4, 7, 4).mean(axis=(1, 3)).reshape(-1)
        assert signals["block_means"] == [np.rint(1000 * blocks).astype(int).tolist()]

    def test_a_kept_answer_is_counted_like_any_other(
        self, predict: Any, lines: Callable[[], list[dict[str, Any]]]
    ) -> None:
        predict.call({"image": PIXELS})
        first = lines()[-1]
        predict.call({"image": PIXELS})
        (second,) = lines()
        assert second["cache"] == "hit"
        assert first["feedback"].pop("id") != second["feedback"].pop("id")
        assert second | {"cache": "", "latency_ms": 0} == first | {"cache": "", "latency_ms": 0}

    def test_a_batch_of_100_stays_far_below_what_cloudwatch_takes(
        self, predict: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        predict.call({"images": np.random.default_rng(1).random((100, 784)).tolist()}, "/predict/batch")
        line = capsys.readouterr().out
        assert line.count("\n") == 1
        assert json.loads(line)["n"] == 100
        assert len(json.loads(line)["signals_permille"]["block_means"]) == 100
        assert len(line.encode()) < 64_000

    def test_a_refusal_is_logged_without_what_was_sent(
        self, predict: Any, lines: Callable[[], list[dict[str, Any]]]
    ) -> None:
        lines()
        predict.call({"image": [0.123456789, "secret"], "secret-field": 1})
        (line,) = lines()
        assert line.pop("latency_ms") > 0
        assert line == {
            "event": "mlops.prediction",
            "request_id": "request-1",
            "status": 422,
            "code": "validation_failed",
            "path": "/predict",
            "n": 0,
        }

    def test_models_without_images_have_no_signals(
        self, predict: Any, store: Any, lines: Callable[[], list[dict[str, Any]]]
    ) -> None:
        store.promote(served(1, model_name="iris", features=4, image=None, classes=3))
        predict.call({"inputs": [1, 2, 3, 4], "model_name": "iris"})
        assert lines()[-1]["signals_permille"] is None

    def test_inputs_are_kept_only_where_that_is_asked_for(
        self,
        predict: Any,
        start: Callable[[], Any],
        lines: Callable[[], list[dict[str, Any]]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        predict.call({"image": PIXELS})
        monkeypatch.setenv("SAMPLE_SHARE", "1")
        start().call({"image": PIXELS})
        samples = [line for line in lines() if line.get("kind") == "sample"]
        assert [sample["n"] for sample in samples] == [1]

    def test_beyond_the_first_of_an_hour_a_share_of_images_is_measured(
        self, predict: Any, lines: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sampling, "ROWS_PER_HOUR", 8)
        lines()
        for pixel in range(200):
            context = {"requestId": f"request-{pixel}", "identity": {"apiKeyId": "key-1"}}
            predict.call({"image": [pixel / 200, *PIXELS[1:]]}, requestContext=context)
        counted = [counts_of(line) for line in lines()]
        assert [each["n"] for each in counted] == [1] * 200
        measured = [each["m"] for each in counted]
        assert measured[:8] == [1] * 8
        assert 8 < sum(measured) < 60


def test_a_fault_of_ours_is_500_without_inner_text(
    predict: Any, lines: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret inner text")

    monkeypatch.setattr(predict.app.answering, "answer", fail)
    answer = predict.call({"image": PIXELS})
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "secret" not in answer.text + json.dumps(lines())


class TestPinnedVersions:
    def test_only_the_named_version_answers_from_either_stage(self, predict: Any, store: Any) -> None:
        store.promote(served(9, stage="Staging"))
        for version in (9, "9"):
            answer = predict.call({"image": PIXELS, "version": version})
            assert (answer.json["model_version"], answer.json["model_stage"]) == (9, "Staging")
        assert predict.call({"image": PIXELS, "version": 3}).json["model_version"] == 3
        assert predict.call({"images": [PIXELS], "version": "9"}, "/predict/batch").json["model_version"] == 9
        answer = predict.call({"image": PIXELS, "version": 3}, "/predict/staging")
        assert (answer.status, answer.json["code"]) == (409, "version_not_served")
        assert "version 9 in Staging can answer" in answer.json["detail"]

    def test_a_kept_answer_is_not_repeated_by_another_version(self, predict: Any, store: Any) -> None:
        body = {"image": PIXELS, "version": 3}
        assert [predict.call(body).headers["x-cache"] for _ in range(2)] == ["miss", "hit"]
        store.promote(served(4))
        predict.clock.now += 6
        answer = predict.call(body)
        assert (answer.status, answer.json["code"]) == (409, "version_not_served")
        store.promote(served(3, stage="Staging"))
        predict.clock.now += 6
        assert predict.call(body).json["model_stage"] == "Staging"

    @pytest.mark.parametrize("version", [0, -1, 1.5, True, None, "", "x", "1.0", [], 10**10, "1" * 11, "²"])
    def test_what_is_no_version_is_refused(self, predict: Any, version: Any) -> None:
        answer = predict.call({"image": PIXELS, "version": version})
        assert answer.status == 422
        assert [error["field"] for error in answer.json["errors"]] == ["version"]


@pytest.mark.parametrize(
    ("resource", "method", "name", "path"),
    [
        ("/predict", "POST", "explain", None),
        ("/models/{name}/contract", "GET", "stage", {"name": "digit-classifier"}),
    ],
)
def test_a_parameter_with_two_values_is_422(predict: Any, resource: str, method: str, name: str, path: Any) -> None:
    answer = predict.call(
        {"image": PIXELS} if method == "POST" else None,
        resource,
        method,
        pathParameters=path,
        queryStringParameters={name: "Production"},
        multiValueQueryStringParameters={name: ["Staging", "Production"]},
    )
    assert answer.status == 422
    assert answer.json["errors"] == [{"field": name, "message": "is in the query more than once; send it once"}]
