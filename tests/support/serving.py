"""A model as promotion would have put it up for serving: for the benches, and for the tests of predict."""

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from mlops.domain.manifest import Manifest, explain_key, manifest_key, model_key
from mlops.domain.model_description import ModelInput, ModelOutput

FEATURES, HIDDEN, CLASSES = 784, 128, 10
"""The platform's default model: 784 pixels, one hidden layer, ten digits."""


@dataclass(frozen=True)
class Served:
    """An ONNX file and the manifest that belongs to it."""

    manifest: Manifest
    onnx: bytes
    explanation: bytes | None = None

    def with_manifest(self, **changes: Any) -> "Served":
        return replace(self, manifest=replace(self.manifest, **changes))

    def objects(self) -> dict[str, bytes]:
        """The bucket's objects by key, the file before the manifest, as promotion writes them."""
        manifest = self.manifest
        explained = {explain_key(manifest.model_name, manifest.sha256): self.explanation} if self.explanation else {}
        return {
            **explained,
            manifest.key: self.onnx,
            manifest_key(manifest.model_name, manifest.stage): manifest.to_json(),
        }


def served(
    version: int = 1,
    *,
    seed: int | None = None,
    model_name: str = "digit-classifier",
    stage: str = "Production",
    features: int = FEATURES,
    image: tuple[int, int] | None = (28, 28),
    classes: int = CLASSES,
    labels: tuple[int | str, ...] | None = None,
    self_test: bool = True,
) -> Served:
    """A multilayer perceptron with random weights (`seed`, by default the version), and its manifest."""
    weights = weights_of(seed if seed is not None else version, features, classes)
    data = perceptron(weights)
    sha256 = hashlib.sha256(data).hexdigest()
    test = None
    if self_test:
        inputs = np.random.default_rng(7).random((4, features), np.float32)
        test = {
            "inputs": base64.b64encode(inputs.tobytes()).decode(),
            "probabilities": base64.b64encode(forward(weights, inputs).tobytes()).decode(),
            "count": 4,
            "tolerance": 1e-4,
        }
    manifest = Manifest(
        model_name=model_name,
        model_version=version,
        stage=stage,
        run_id=f"{version:032x}",
        key=model_key(model_name, sha256),
        sha256=sha256,
        size=len(data),
        input=ModelInput("inputs", features, image),
        output=ModelOutput("probabilities", classes),
        labels=labels if labels is not None else tuple(range(classes)),
        transition_id=f"transition-{version}",
        cache_epoch=0,
        written_at="2026-01-01T00:00:00.000Z",
        self_test=test,
    )
    return Served(manifest, data)


def perceptron(weights: list[np.ndarray], external: str | None = None) -> bytes:
    """ONNX of inputs → linear → ReLU → linear → softmax; with `external`, the weights are said to be in that file."""
    names = ["w1", "b1", "w2", "b2"]
    initializers = [numpy_helper.from_array(weight, name) for weight, name in zip(weights, names, strict=True)]
    if external is not None:
        for tensor in initializers:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", external
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["inputs", "w1", "b1"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "perceptron",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", weights[0].shape[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", weights[3].shape[0]])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if external is None:
        checker.check_model(model)
    return bytes(model.SerializeToString())


def weights_of(seed: int, features: int, classes: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = [(features, HIDDEN), (HIDDEN,), (HIDDEN, classes), (classes,)]
    return [(random.standard_normal(shape) * 2 / np.sqrt(shape[0])).astype(np.float32) for shape in shapes]


def forward(weights: list[np.ndarray], inputs: np.ndarray) -> np.ndarray:
    w1, b1, w2, b2 = (weight.astype(np.float64) for weight in weights)
    logits = np.maximum(inputs @ w1 + b1, 0) @ w2 + b2
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
