"""Over a table of models: what the gate admits, predict answers; what predict could not answer, the gate refuses."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper
from pydantic import ValidationError
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops.api.schemas.predict import BatchPredictResponse, PredictResponse
from mlops.domain.manifest import Manifest
from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused, describe, open_session
from promotion.examination import Limits, Placement, _manifest, examine, examine_apart
from tests.support import onnx_models as models
from tests.support.onnx_models import after_linear, classifier, column, constants, model, node, weights
from tests.support.serving import Served, perceptron, served, weights_of

MODEL = "digit-classifier"
PLACEMENT = Placement(MODEL, 7, Stage.PRODUCTION, "run", {"accuracy": 0.9}, "tr_7")
LIMITS = Limits(memory_mb=1769)
REQUESTS = 100
Built = ModelProto | bytes


def labelled(labels: Any, **more: Any) -> ModelProto:
    return classifier(metadata={"labels": labels, **more})


def of_scikit_learn(estimator: Any, **options: Any) -> bytes:
    generator = np.random.default_rng(3)
    rows = generator.standard_normal((90, models.FEATURES)).astype(np.float32)
    estimator.fit(rows, np.arange(90) % models.CLASSES)
    converted = to_onnx(estimator, rows[:1], options={"zipmap": False} | options)
    return bytes(converted.SerializeToString())


def with_input(kind: int, shape: list[Any], *nodes: Any, **more: np.ndarray) -> ModelProto:
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    return model([*nodes, *models.SOFTMAX], {**weights(), **more}, inputs=inputs)


def two_inputs() -> ModelProto:
    inputs = [helper.make_tensor_value_info(name, models.FLOAT, ["n", models.FEATURES]) for name in ("x", "y")]
    return model([node("Add", "x y", "s"), node("Gemm", "s w b", "p")], weights(), inputs=inputs)


def two_outputs() -> ModelProto:
    outputs = [helper.make_tensor_value_info(name, models.FLOAT, ["n", models.CLASSES]) for name in ("p", "z")]
    return model(models.SOFTMAX, weights(), outputs=outputs)


def as_double() -> ModelProto:
    outputs = [helper.make_tensor_value_info("p", models.DOUBLE, ["n", models.CLASSES])]
    nodes = [*models.LINEAR, node("Softmax", "z", "y", axis=1), node("Cast", "y", "p", to=models.DOUBLE)]
    return model(nodes, weights(), outputs=outputs)


def self_test(error: float, tolerance: float) -> ModelProto:
    made = served(features=4, image=None, classes=2)
    test = dict(made.manifest.self_test or {}, tolerance=tolerance)
    answers = np.frombuffer(base64.b64decode(test["probabilities"]), "<f4") + np.float32(error)
    test["probabilities"] = base64.b64encode(answers.tobytes()).decode()
    loaded = ModelProto.FromString(made.onnx)
    helper.set_model_props(loaded, {"mlops": json.dumps({"self_test": test})})
    return loaded


def hidden_external_data() -> bytes:
    """A second graph, of external data, under a tag that protobuf cuts down to that of a graph."""
    graph = ModelProto.FromString(perceptron(weights_of(1, 4, 3), "weights.bin")).graph.SerializeToString()
    tag = 1 << 35 | 7 << 3 | 2
    return bytes(classifier().SerializeToString()) + varint(tag) + varint(len(graph)) + bytes(graph)


def varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


HONEST: dict[str, Callable[[], Built]] = {
    "softmax": classifier,
    "perceptron": lambda: served(features=4, image=None, classes=2).onnx,
    "image": lambda: labelled([0, 1, 2], image=[2, 2]),
    "digits": lambda: served().onnx,
    "batch without a name": lambda: classifier(batch=None),
    "batch of another name": lambda: classifier(batch="batch_size"),
    "old opset": lambda: classifier(opset=11),
    "text labels": lambda: labelled(["setosa", "versicolor", "virginica"]),
    "labels of the field": lambda: labelled(["<=50K", "R&D", "10% " + "x" * 300]),
    "labels with leading zeros": lambda: labelled(["01", "1", "001"]),
    "largest labels": lambda: labelled([-(2**63 - 1), 0, 2**63 - 1]),
    "labels in other scripts": lambda: labelled(["²", "日本", "🙂"]),
    "200 classes": lambda: model(
        models.SOFTMAX, weights(200), outputs=[helper.make_tensor_value_info("p", models.FLOAT, ["n", 200])]
    ),
    "sigmoid with its complement": lambda: model(
        [*models.LINEAR, node("Sigmoid", "z", "s"), node("Sub", "one s", "r"), node("Concat", "r s", "p", axis=1)],
        {**weights(1), "one": np.ones(1, np.float32)},
        outputs=[helper.make_tensor_value_info("p", models.FLOAT, ["n", 2])],
    ),
    "certain": lambda: constants([0, 1, 0]),
    "right self-test": lambda: self_test(0, 1e-4),
    "logistic regression": lambda: of_scikit_learn(LogisticRegression()),
    "scaled": lambda: of_scikit_learn(make_pipeline(StandardScaler(), LogisticRegression())),
    "forest": lambda: of_scikit_learn(RandomForestClassifier(10, random_state=1)),
}

HOSTILE: dict[str, tuple[Callable[[], Built], str]] = {
    "empty file": (lambda: b"", "the file|load"),
    "text": (lambda: b"a pickle, they said", "not ONNX|does not load"),
    "truncated": (lambda: classifier().SerializeToString()[:-20], "not ONNX|does not load"),
    "external data": (lambda: perceptron(weights_of(1, 4, 3), "weights.bin"), "save_as_external_data=False"),
    "external data behind a long tag": (hidden_external_data, "longer than 32 bits"),
    "operator of nobody": (
        lambda: model([helper.make_node("Magic", ["x"], ["p"], domain="nobody")], domain="nobody"),
        "does not load",
    ),
    "batch of one": (lambda: classifier(batch=1), "variable batch size"),
    "batch of two": (lambda: classifier(batch=2), "variable batch size"),
    "one row, whatever the batch": (
        lambda: after_linear(node("ReduceMean", "z", "m", axes=[0]), node("Softmax", "m", "p", axis=1)),
        r"\(1, 3\)",
    ),
    "free number of features": (lambda: classifier(features="f"), "must be fixed"),
    "double input": (
        lambda: with_input(models.DOUBLE, ["n", 4], node("Cast", "x", "q", to=1)),
        "one input, float32|does not load",
    ),
    "three dimensions": (lambda: with_input(models.FLOAT, ["n", 2, 2]), "one input, float32|does not load"),
    "two inputs": (two_inputs, "one input, float32"),
    "two outputs": (two_outputs, "one output of class probabilities"),
    "double output": (as_double, "one output of class probabilities"),
    "ZipMap": (lambda: of_scikit_learn(LogisticRegression(), zipmap=True), "'zipmap': False"),
    "opset of another time": (lambda: classifier(opset=99), "does not load"),
    "logits": (lambda: model([node("Gemm", "x w b", "p")], weights()), "softmax"),
    "regressor": (lambda: column(node("Identity", "z", "p")), "at least two classes"),
    "single sigmoid": (lambda: column(node("Sigmoid", "z", "p")), "at least two classes"),
    "numbers of any size": (lambda: constants([7, -5, 1e30]), "not probabilities"),
    "sum of two": (lambda: constants([1, 0.5, 0.5]), "sum to"),
    "NaN on some rows": (
        lambda: after_linear(node("Log", "z", "l"), node("Softmax", "l", "p", axis=1)),
        "NaN|finite",
    ),
    "infinity always": (lambda: constants([float("inf"), 0, 0]), "NaN|finite"),
    "tolerance of its own": (lambda: self_test(0.3, float(2**60)), "differ from its self-test"),
    "wrong self-test": (lambda: self_test(0.01, 1e-4), "differ from its self-test"),
    "normalised over the batch": (
        lambda: after_linear(
            node("Softmax", "z", "s", axis=0),
            node("ReduceSum", "s one", "t", keepdims=1),
            node("Div", "s t", "p"),
            one=np.array([1], np.int64),
        ),
        "depends on the other rows of the batch",
    ),
    "noise at each call": (
        lambda: after_linear(
            node("RandomNormalLike", "z", "noise"), node("Add", "z noise", "y"), node("Softmax", "y", "p", axis=1)
        ),
        "depends on the other rows of the batch, or changes",
    ),
    "If": (models.branching, "uses If"),
    "Loop": (models.endless, "uses Loop"),
    "neighbours": (lambda: of_scikit_learn(KNeighborsClassifier(3)), "uses Scan"),
    "image of another size": (lambda: labelled([0, 1, 2], image=[3, 3]), "4 pixels|pixels"),
    "image of no size": (lambda: labelled([0, 1, 2], image=[0, 4]), "positive"),
    "image of negative size": (lambda: labelled([0, 1, 2], image=[-2, -2]), "positive"),
    "image of text": (lambda: labelled([0, 1, 2], image="22"), "positive"),
    "image of a number": (lambda: labelled([0, 1, 2], image=22), "metadata"),
    "labels of 20 digits": (lambda: labelled([10**20, 1, 2]), r"labels\[0\]"),
    "truth as labels": (lambda: labelled([True, False, 2]), r"labels\[0\]"),
    "fractions as labels": (lambda: labelled([0.5, 1, 2]), r"labels\[0\]"),
    "nested labels": (lambda: labelled([[1], [2], [3]]), r"labels\[0\]"),
    "objects as labels": (lambda: labelled([{"a": 1}, 1, 2]), r"labels\[0\]"),
    "half a surrogate pair": (lambda: labelled(["\ud800", "b", "c"]), r"labels\[0\]"),
    "a label short": (lambda: labelled(["a", "b"]), "2 labels do not fit 3 classes"),
    "labels that read the same": (lambda: labelled([1, "1", 2]), "two of its labels"),
    "labels of 5 MB": (lambda: labelled(["a" * 5_000_000, "b", "c"]), "predict reads at most"),
    "metadata that is no JSON": (lambda: classifier(metadata="{"), "metadata"),
    "metadata that is a list": (lambda: classifier(metadata="[1]"), "metadata"),
    "metadata of a thousand brackets": (lambda: classifier(metadata="[" * 100_000), "metadata"),
}


def bytes_of(built: Built) -> bytes:
    return built if isinstance(built, bytes) else bytes(built.SerializeToString())


def answers_all(predict: Any, manifest: Manifest) -> bool:
    """Whether predict answers a hundred generated requests, each with the published schema and probabilities."""
    generator = np.random.default_rng(99)
    features, image = manifest.input.features, manifest.input.image is not None
    for index in range(REQUESTS):
        count = (1, 1, 2, 100)[index % 4]
        # Pixels lie in 0..1, other features anywhere.
        rows = generator.random((count, features))
        if not image and index % 3 == 0:
            rows = 10 * generator.standard_normal((count, features))
        if index % 4:
            sent = predict.call({"images" if image else "inputs_list": rows.tolist()}, "/predict/batch")
        else:
            sent = predict.call({"image" if image else "inputs": rows[0].tolist()})
        if sent.status != 200:
            return False
        try:
            (BatchPredictResponse if index % 4 else PredictResponse).model_validate_json(sent.text, strict=True)
        except ValidationError:
            return False
        confidences = sent.json["confidences"] if index % 4 else sent.json["probabilities"]
        if not all(0 <= confidence <= 1.001 for confidence in confidences):
            return False
        if index % 4 == 0 and (abs(sum(confidences) - 1) > 1e-3 or sent.json["prediction"] not in manifest.labels):
            return False
    return True


def promoted(store: Any, start: Any, manifest: Manifest, data: bytes) -> Any:
    """predict, started on the file and manifest as promotion writes them."""
    store.promote(Served(manifest, data))
    return start()


def test_the_table_has_forty_models_and_more() -> None:
    assert len(HONEST) + len(HOSTILE) >= 40


@pytest.mark.parametrize("name", HONEST)
def test_what_the_gate_admits_predict_answers(store: Any, start: Any, name: str) -> None:
    data = bytes_of(HONEST[name]())
    examined = examine(data, PLACEMENT, LIMITS)
    assert answers_all(promoted(store, start, examined.manifest, data), examined.manifest)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_predict_cannot_answer_the_gate_refuses_with_the_reason(name: str) -> None:
    build, reason = HOSTILE[name]
    with pytest.raises(ModelRefused, match=reason):
        examine(bytes_of(build()), PLACEMENT, LIMITS)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("external data", "mlflow.onnx.log_model(…, save_as_external_data=False)"),
        ("ZipMap", "export it with that output alone (skl2onnx: options={'zipmap': False})"),
        ("opset of another time", "with a lower opset (target_opset, opset_version) or other operators"),
        ("batch of one", "export it with a variable batch size (torch: dynamic_shapes or dynamic_axes)"),
    ],
)
def test_what_an_exporter_made_by_its_defaults_is_refused_with_the_remedy_last(name: str, remedy: str) -> None:
    """The remedy is not cut, however long the list of what the file has is."""
    with pytest.raises(ModelRefused) as refused:
        examine(bytes_of(HOSTILE[name][0]()), PLACEMENT, LIMITS)
    assert str(refused.value).endswith(remedy)


@pytest.mark.slow
def test_a_model_that_mlflow_logs_as_its_refusal_says_is_admitted(tmp_path: Path) -> None:
    """mlflow.onnx keeps large tensors in another file by default."""
    import mlflow.onnx

    def large() -> ModelProto:  # made twice, as MLflow takes the tensors out of what it saves
        return model(models.SOFTMAX, weights(rows=1000), features=1000)

    mlflow.onnx.save_model(large(), tmp_path / "default")
    with pytest.raises(ModelRefused, match="save_as_external_data=False"):
        examine((tmp_path / "default" / "model.onnx").read_bytes(), PLACEMENT, LIMITS)
    mlflow.onnx.save_model(large(), tmp_path / "one", save_as_external_data=False)
    assert examine((tmp_path / "one" / "model.onnx").read_bytes(), PLACEMENT, LIMITS).latency_ms > 0


@pytest.mark.parametrize(
    "name",
    [
        "batch of one",
        "one row, whatever the batch",
        "logits",
        "numbers of any size",
        "sum of two",
        "NaN on some rows",
        "infinity always",
        "wrong self-test",
    ],
)
def test_nor_would_predict_have_answered_it(store: Any, start: Any, name: str) -> None:
    data = bytes_of(HOSTILE[name][0]())
    manifest = _manifest(PLACEMENT, data, describe(open_session(data)))
    assert not answers_all(promoted(store, start, manifest, data), manifest)


class TestApart:
    """In a process of its own, which may be stopped."""

    def test_it_says_what_the_same_check_says_here(self) -> None:
        data = bytes_of(classifier())
        apart, here = examine_apart(data, PLACEMENT, LIMITS), examine(data, PLACEMENT, LIMITS)
        assert json.loads(apart.manifest.to_json()) | {"written_at": ""} == json.loads(here.manifest.to_json()) | {
            "written_at": ""
        }
        assert apart.latency_ms > 0

    @pytest.mark.parametrize("name", ["logits", "text", "half a surrogate pair"])
    def test_a_refusal_comes_back_with_its_reason(self, name: str) -> None:
        build, reason = HOSTILE[name]
        with pytest.raises(ModelRefused, match=reason):
            examine_apart(bytes_of(build()), PLACEMENT, LIMITS)

    @pytest.mark.parametrize("floats", [2**28, 2**31])
    def test_a_file_that_takes_more_memory_than_predict_has_is_refused(self, floats: int) -> None:
        with pytest.raises(ModelRefused, match=r"memory|MiB"):
            examine_apart(bytes_of(models.large(floats)), PLACEMENT, LIMITS)

    @pytest.mark.slow
    def test_so_is_one_that_never_answers(self) -> None:
        with pytest.raises(ModelRefused, match="within 5 seconds"):
            examine_apart(bytes_of(models.endless()), PLACEMENT, Limits(1769, control_flow=True, seconds=5))

    def test_where_control_flow_is_allowed_it_is_asked_as_any_other(self) -> None:
        assert examine(bytes_of(models.branching()), PLACEMENT, Limits(1769, control_flow=True)).latency_ms > 0

    def test_no_credentials_reach_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        from promotion.examination import _environment

        assert "secret" not in _environment().values()
