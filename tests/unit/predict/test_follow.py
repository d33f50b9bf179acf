"""How the function follows promotions, and what it does when a manifest or S3 is bad: it goes on answering."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlops.domain.manifest import READER, manifest_key, model_key, with_examination
from mlops.domain.model_description import ModelInput, ModelOutput
from predict import s3
from tests.support import onnx_models
from tests.support.serving import Served, perceptron, served, weights_of
from tests.support.steps import as_a_newer_version_writes

BODY = {"image": [0.25] * 784}
KEY = manifest_key("digit-classifier", "Production")


@pytest.fixture
def predict(store: Any, start: Callable[[], Any]) -> Any:
    store.promote(served(1))
    return start()


def version(predict: Any) -> int:
    answer = predict.call(BODY)
    assert answer.status == 200, answer.text
    found: int = answer.json["model_version"]
    return found


def with_file(data: bytes, **changes: Any) -> Served:
    """A manifest whose hash and size are those of `data`, whatever that is."""
    sha256 = hashlib.sha256(data).hexdigest()
    manifest = replace(
        served(2).manifest, sha256=sha256, key=model_key("digit-classifier", sha256), size=len(data), self_test=None
    )
    return Served(replace(manifest, **changes), data)


class TestFollowing:
    def test_a_promotion_is_followed_after_the_refresh_interval_and_not_before(self, predict: Any, store: Any) -> None:
        store.promote(served(2))
        assert version(predict) == 1
        predict.clock.now += 4.9
        assert version(predict) == 1
        predict.clock.now += 0.2
        assert version(predict) == 2

    def test_a_promotion_never_serves_an_old_answer(self, predict: Any, store: Any) -> None:
        assert predict.call(BODY).headers["x-cache"] == "miss"
        assert predict.call(BODY).headers["x-cache"] == "hit"
        store.promote(served(2))
        predict.clock.now += 5
        answer = predict.call(BODY)
        assert (answer.headers["x-cache"], answer.json["model_version"]) == ("miss", 2)
        store.promote(served(1))
        predict.clock.now += 5
        answer = predict.call(BODY)
        assert (answer.headers["x-cache"], answer.json["model_version"]) == ("miss", 1)

    def test_another_version_of_the_same_file_is_followed_without_fetching_it(self, predict: Any, store: Any) -> None:
        same = served(2, seed=1)
        store.put(KEY, same.manifest.to_json())
        store.delete(same.manifest.key)
        predict.clock.now += 5
        assert version(predict) == 2

    def test_the_verdict_of_another_gate_changes_no_answer_and_loads_nothing(
        self, predict: Any, store: Any, lines: Any
    ) -> None:
        before, answer = predict.app.models.current("digit-classifier", "Production")[0], predict.call(BODY)
        manifest = served(1).manifest
        store.delete(manifest.key)
        store.put(KEY, with_examination(manifest.to_json(), 1, "it answers with 1 number per row", "2026-02-01"))
        predict.clock.now += 5
        again = predict.call(BODY)
        assert (again.status, again.without_id) == (200, answer.without_id)
        assert again.headers["x-model-staleness"] == "0.0"
        after = predict.app.models.current("digit-classifier", "Production")[0]
        assert after.manifest.refusal is not None
        assert after.session is before.session

    @pytest.mark.parametrize("refusal", [None, "it answers with 1 number per row"])
    def test_a_regressor_that_a_former_gate_admitted_is_served_at_a_cold_start(
        self, store: Any, start: Callable[[], Any], refusal: str | None
    ) -> None:
        regressor = onnx_models.column(onnx_models.node("Identity", "z", "p")).SerializeToString()
        description = {"input": ModelInput("x", onnx_models.FEATURES), "output": ModelOutput("p", 1), "labels": (0,)}
        store.promote(with_file(regressor, **description, refusal=refusal))
        answer = start().call({"inputs": [0.5] * onnx_models.FEATURES})
        assert (answer.status, answer.json["model_version"]) == (200, 2)

    def test_a_new_cache_epoch_loads_the_file_anew(self, predict: Any, store: Any, lines: Any) -> None:
        before = predict.app.models.current("digit-classifier", "Production")[0]
        store.put(KEY, served(1).with_manifest(cache_epoch=1).manifest.to_json())
        predict.clock.now += 5
        assert predict.call(BODY).headers["x-cache"] == "miss"
        after = predict.app.models.current("digit-classifier", "Production")[0]
        assert after.session is not before.session

    def test_a_version_that_left_the_stage_with_no_other_in_it_is_409(self, predict: Any, store: Any) -> None:
        store.delete(KEY)
        predict.clock.now += 5
        assert predict.call(BODY).status == 409
        store.promote(served(2))
        assert version(predict) == 2

    def test_a_first_promotion_is_seen_at_once(self, store: Any, start: Callable[[], Any]) -> None:
        predict = start()
        assert predict.call(BODY).status == 409
        store.promote(served(1))
        assert version(predict) == 1

    def test_staleness_stands_in_the_header_and_in_the_log(self, predict: Any, lines: Any) -> None:
        lines()
        predict.clock.now += 3
        assert predict.call(BODY).headers["x-model-staleness"] == "3.0"
        assert lines()[-1]["staleness_s"] == 3.0
        predict.clock.now += 3
        assert predict.call(BODY).headers["x-model-staleness"] == "0.0"

    def test_models_are_kept_up_to_a_number(self, predict: Any, store: Any) -> None:
        for number in range(12):
            store.promote(served(1, model_name=f"model-{number}"))
            assert predict.call(BODY | {"model_name": f"model-{number}"}).status == 200
        assert len(predict.app.models._slots) == 8


def test_the_manifest_of_a_newer_version_is_served_and_what_is_unknown_reaches_nobody(
    predict: Any, store: Any, start: Callable[[], Any], lines: Any
) -> None:
    second, third = served(2), served(3)
    for model in (second, third):
        store.promote(model)
        store.put(KEY, as_a_newer_version_writes(model.manifest.to_json()))
        predict.clock.now += 5
        lines()
        answer = predict.call(BODY)
        assert (answer.status, answer.json["model_version"]) == (200, model.manifest.model_version)
        assert answer.headers["x-model-staleness"] == "0.0"
        logged = lines()
        assert [line["event"] for line in logged] == ["mlops.model_loaded", "mlops.prediction"]
        assert "surprise" not in answer.text + json.dumps(logged) + json.dumps(answer.headers)


def test_the_manifest_of_a_newer_version_is_served_at_a_cold_start(
    store: Any, start: Callable[[], Any], lines: Any
) -> None:
    store.promote(served(1))
    store.put(KEY, as_a_newer_version_writes(served(1).manifest.to_json()))
    predict = start()
    assert [line["event"] for line in lines()] == ["mlops.model_loaded"]
    assert version(predict) == 1


def test_a_manifest_for_a_later_reader_says_so_in_the_log(predict: Any, store: Any, lines: Any) -> None:
    store.put(KEY, bad_manifests()["for a later reader"])
    predict.clock.now += 5
    lines()
    assert version(predict) == 1
    (refused,) = [line for line in lines() if line["event"] == "mlops.model_refused"]
    assert f"min_reader is {READER + 1}, and this reader is {READER}" in refused["reason"]


def bad_manifests() -> dict[str, bytes]:
    good = served(2).manifest
    document = json.loads(good.to_json())
    return {
        "empty": b"",
        "truncated": good.to_json()[:-20],
        "not JSON": b"\x00\xff",
        "a list": b"[]",
        "deeply nested": b"[" * 100_000,
        "for a later reader": json.dumps(document | {"min_reader": READER + 1}).encode(),
        "labels that are no labels": json.dumps(document | {"labels": [float(n) for n in range(10)]}).encode(),
        "a label that is no Unicode": json.dumps(document | {"labels": ["\ud800", *range(9)]}).encode(),
        "a name that is no Unicode": json.dumps(document | {"metrics": {"\ud800": "?"}}).encode(),
        "a number of thousands of digits": good.to_json()[:-1] + b',"more":' + b"9" * 5000 + b"}",
        "another schema": json.dumps(document | {"schema": 2}).encode(),
        "a missing field": json.dumps({k: v for k, v in document.items() if k != "sha256"}).encode(),
        "an ill-typed image": json.dumps(document | {"input": document["input"] | {"image": [28]}}).encode(),
        "an ill-typed input": json.dumps(document | {"input": document["input"] | {"name": 5}}).encode(),
        "another model's": replace(good, model_name="other", key=model_key("other", good.sha256)).to_json(),
        "another stage's": replace(good, stage="Staging").to_json(),
        "outside the bucket": replace(good, key="s3://elsewhere/model.onnx").to_json(),
        "outside serving/": replace(good, key=f"mlflow/{good.sha256}.onnx").to_json(),
        "upwards": replace(good, key=f"serving/digit-classifier/../../{good.sha256}.onnx").to_json(),
        "a wrong hash": replace(good, sha256="0" * 64, key=model_key("digit-classifier", "0" * 64)).to_json(),
        "labels that do not fit": replace(good, labels=(1, 2)).to_json(),
        "other features": replace(good, input=ModelInput("inputs", 100, None)).to_json(),
        "another input name": replace(good, input=ModelInput("pixels", 784, None)).to_json(),
        "a self-test that fails": replace(
            good, self_test=(good.self_test or {}) | {"probabilities": base64.b64encode(bytes(160)).decode()}
        ).to_json(),
        "a self-test that is garbage": replace(good, self_test={"inputs": 5}).to_json(),
        "too large a model": replace(good, size=1 << 40).to_json(),
        "a wrong size": replace(good, size=good.size - 1).to_json(),
        "itself too large": good.to_json() + b" " * (5 << 20),
    }


@pytest.mark.parametrize("case", bad_manifests())
def test_a_bad_manifest_leaves_the_old_model_serving(case: str, predict: Any, store: Any, lines: Any) -> None:
    store.promote(served(2))
    store.put(model_key("digit-classifier", "0" * 64), served(2).onnx)
    store.put(KEY, bad_manifests()[case])
    predict.clock.now += 5
    lines()
    assert version(predict) == 1
    refused = [line for line in lines() if line["event"] == "mlops.model_refused"]
    assert len(refused) == 1
    assert refused[0]["ModelRefused"] == 1
    assert refused[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "ModelRefused", "Unit": "Count"}]
    # It stands in the log once, is not fetched again at every refresh, and the staleness goes on growing.
    predict.clock.now += 6
    answer = predict.call(BODY)
    assert answer.headers["x-model-staleness"] == "11.0"
    assert [line["event"] for line in lines()] == ["mlops.prediction"]
    store.promote(served(3))
    predict.clock.now += 5
    assert version(predict) == 3


def bad_files() -> dict[str, Served]:
    weights = weights_of(2, 784, 10)
    fixed = perceptron(weights).replace(b"\x12\x01n", b"\x12\x01m")  # still symbolic: only a control
    return {
        "garbage": with_file(b"not an ONNX file" * 100),
        "empty protobuf": with_file(b"\x08\x08"),
        "cut short": with_file(served(2).onnx[:-1000]),
        "other inputs": with_file(perceptron(weights_of(2, 100, 10))),
        "other classes": with_file(perceptron(weights_of(2, 784, 7))),
        "external data": with_file(perceptron(weights, external="weights.bin")),
        "external data upwards": with_file(perceptron(weights, external="../../etc/passwd")),
        "weights that are not numbers": with_file(perceptron([weight * np.nan for weight in weights])),
        "control": with_file(fixed),
    }


@pytest.mark.parametrize("case", bad_files())
def test_a_bad_file_leaves_the_old_model_serving(case: str, predict: Any, store: Any, lines: Any) -> None:
    store.promote(bad_files()[case])
    predict.clock.now += 5
    lines()
    assert version(predict) == (2 if case == "control" else 1)
    assert [line["event"] for line in lines()].count("mlops.model_refused") == (0 if case == "control" else 1)


def test_external_data_is_refused_even_where_the_file_is_at_hand(
    predict: Any, store: Any, lines: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weights_of(2, 784, 10)
    (tmp_path / "weights.bin").write_bytes(b"".join(weight.tobytes() for weight in weights))
    monkeypatch.chdir(tmp_path)
    store.promote(with_file(perceptron(weights, external="weights.bin")))
    predict.clock.now += 5
    assert version(predict) == 1
    assert any("external data" in line.get("reason", "") for line in lines())


def test_a_refused_model_is_tried_again_after_a_minute(predict: Any, store: Any) -> None:
    second = served(2)
    store.put(second.manifest.key, b"not yet there")
    store.put(KEY, second.manifest.to_json())
    predict.clock.now += 5
    assert version(predict) == 1
    store.put(second.manifest.key, second.onnx)
    predict.clock.now += 5
    assert version(predict) == 1
    predict.clock.now += 60
    assert version(predict) == 2


def test_a_bad_model_with_no_old_one_is_503_and_not_fetched_for_every_request(
    store: Any, start: Callable[[], Any], lines: Any
) -> None:
    store.promote(with_file(b"garbage"))
    predict = start()
    lines()
    answers = [predict.call(BODY) for _ in range(5)]
    assert {answer.status for answer in answers} == {503}
    assert answers[0].headers["retry-after"] == "30"
    assert [line["event"] for line in lines()].count("mlops.model_refused") <= 1
    store.promote(served(2))
    predict.clock.now += 5
    assert version(predict) == 2


class Outage:
    """Stands between the cache and S3, and can be broken."""

    def __init__(self, inner: Any, unavailable: type[Exception], clock: Any) -> None:
        self.inner, self.unavailable, self.clock = inner, unavailable, clock
        self.broken, self.calls, self.takes = False, 0, 0.0

    def get(self, key: str, **options: Any) -> Any:
        self.calls += 1
        self.clock.now += min(self.takes, options["seconds"])
        if self.broken:
            raise self.unavailable("broken")
        return self.inner.get(key, **options)

    def fetch(self, key: str, sink: Any, **options: Any) -> None:
        if self.broken:
            raise self.unavailable("broken")
        self.inner.fetch(key, sink, **options)


@pytest.fixture
def outage() -> Callable[[Any], Outage]:
    def between(predict: Any) -> Outage:
        found = Outage(predict.app.models._objects, s3.S3Unavailable, predict.clock)
        predict.app.models._objects = found
        return found

    return between


class TestOutages:
    def test_after_the_first_answer_predictions_go_on(self, predict: Any, outage: Any, store: Any, lines: Any) -> None:
        s3 = outage(predict)
        s3.broken = True
        for _ in range(10):
            predict.clock.now += 5
            assert version(predict) == 1
        assert s3.calls == 10
        assert [line["event"] for line in lines()].count("mlops.model_unavailable") == 10
        s3.broken = False
        store.promote(served(2))
        predict.clock.now += 5
        assert version(predict) == 2

    def test_a_slow_s3_costs_a_tenth_of_the_time_at_most(self, predict: Any, outage: Any) -> None:
        s3 = outage(predict)
        s3.broken, s3.takes = True, 30.0
        waited = 0.0
        began = predict.clock.now
        for _ in range(1000):
            before = predict.clock.now
            assert version(predict) == 1
            waited += predict.clock.now - before
            predict.clock.now += 0.1
        assert waited <= 0.1 * (predict.clock.now - began) + 3

    def test_before_the_first_answer_it_is_503_with_retry_after(self, start: Callable[[], Any], outage: Any) -> None:
        predict = start()
        s3 = outage(predict)
        s3.broken, s3.takes = True, 2.0
        answer = predict.call(BODY)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        for _ in range(100):
            assert predict.call(BODY).status == 503
        assert s3.calls == 1  # the others did not wait for S3 one after the other

    def test_it_recovers_by_itself(self, start: Callable[[], Any], outage: Any, store: Any) -> None:
        predict = start()
        s3 = outage(predict)
        s3.broken = True
        assert predict.call(BODY).status == 503
        s3.broken = False
        store.promote(served(1))
        predict.clock.now += 1
        assert version(predict) == 1

    def test_a_promotion_whose_file_cannot_be_fetched_now_is_followed_later(
        self, predict: Any, outage: Any, store: Any
    ) -> None:
        s3 = outage(predict)
        store.promote(served(2))
        fetch = s3.inner.fetch
        s3.inner.fetch = lambda *_, **options: (_ for _ in ()).throw(s3.unavailable("broken"))
        predict.clock.now += 5
        assert version(predict) == 1
        s3.inner.fetch = fetch
        predict.clock.now += 5
        assert version(predict) == 2


class TestRoom:
    """Large models: what is loaded together, and what is loaded once."""

    def sessions(self, predict: Any) -> dict[tuple[str, str], Any]:
        return {place: slot.model.session for place, slot in predict.app.models._slots.items()}

    def test_a_file_that_another_stage_serves_is_not_loaded_again(self, store: Any, start: Callable[[], Any]) -> None:
        store.promote(served(1))
        store.promote(served(1, stage="Staging").with_manifest(cache_epoch=3))
        predict = start()
        assert predict.call(BODY).status == predict.call(BODY, "/predict/staging").status == 200
        production, staging = self.sessions(predict).values()
        assert production is staging

    def test_what_was_compared_longest_ago_makes_room_for_a_model_that_would_not_fit(
        self, store: Any, start: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = ["digit-classifier", "second", "third"]
        for name in names:
            store.promote(served(1, seed=len(name), model_name=name))
        predict = start()
        size = predict.app.models.current(names[0], "Production")[0].manifest.size
        monkeypatch.setattr("predict.model_cache.MAX_HELD_BYTES", 2 * size + size // 2)
        for name in names[1:]:
            predict.app.models.current(name, "Production")
        assert list(self.sessions(predict)) == [("second", "Production"), ("third", "Production")]
        store.promote(served(2, seed=99, model_name="third"))
        predict.clock.now += 5
        predict.app.models.current("third", "Production")
        assert list(self.sessions(predict)) == [("third", "Production")]
