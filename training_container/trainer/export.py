"""The model as one ONNX file that describes itself, checked against the model it was made from.

The file's metadata holds what serving needs (labels, input, a self-test, the reference), under the key `mlops`, and
nothing that differs between two runs of the same training: the same training gives the same SHA-256.
"""

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import onnx
import onnxruntime

from trainer.data import Dataset, Label
from trainer.errors import ParityError
from trainer.models.protocols import Trained
from trainer.reference import Reference, reference

METADATA_KEY = "mlops"
SCHEMA = 1
TOLERANCE = 1e-4
PARITY_ROWS = 1000
SELF_TEST_ROWS = 8
LATENCY_CALLS = 200


@dataclass(frozen=True, eq=False)
class Exported:
    """The ONNX file, and its own answers: float32 `[n, classes]` for the held-out rows."""

    content: bytes
    sha256: str
    probabilities: np.ndarray
    worst_difference: float
    latency_ms: float


class SelfTest(TypedDict):
    """Rows and the model's answers, float32 in base64, by which a loaded model proves itself."""

    inputs: str
    probabilities: str
    count: int
    tolerance: float


class Metadata(TypedDict):
    """What serving needs to know of a model, as it stands in the file."""

    schema: int
    labels: list[Label]
    features: int
    image: list[int] | None
    self_test: SelfTest
    reference: Reference | None


def export(trained: Trained, dataset: Dataset) -> Exported:
    """Export, check and describe a trained model.

    Raises:
        ParityError: the ONNX model's answers differ from the trained one's by more than 1e-4, or are not probabilities.
    """
    plain = trained.to_onnx()
    session = _session(plain)
    _check_shape(session, dataset)
    inputs = dataset.held_out.inputs
    probabilities = _answers(session, inputs)
    worst = _parity(trained, probabilities, inputs)
    content = _described(plain, dataset, probabilities)
    return Exported(
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        probabilities=probabilities,
        worst_difference=worst,
        latency_ms=_latency(session, inputs[:1]),
    )


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # As it is served: one prediction at a time, on one thread.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _check_shape(session: onnxruntime.InferenceSession, dataset: Dataset) -> None:
    inputs = [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()]
    outputs = [(item.name, item.type) for item in session.get_outputs()]
    if inputs != [("inputs", "tensor(float)", [dataset.features])] or outputs != [("probabilities", "tensor(float)")]:
        raise ParityError(
            f"the ONNX model takes {inputs} and gives {outputs}; serving wants one float32 input "
            f"`inputs` [n, {dataset.features}] and one float32 output `probabilities` [n, {dataset.classes}]"
        )


def _answers(session: onnxruntime.InferenceSession, inputs: np.ndarray) -> np.ndarray:
    batches = [inputs[start : start + PARITY_ROWS] for start in range(0, len(inputs), PARITY_ROWS)]
    return np.concatenate([session.run(["probabilities"], {"inputs": batch})[0] for batch in batches])


def _parity(trained: Trained, probabilities: np.ndarray, inputs: np.ndarray) -> float:
    if probabilities.shape[0] != len(inputs) or not np.isfinite(probabilities).all():
        raise ParityError("the ONNX model's answers are not finite probabilities, one row for each input")
    if np.abs(probabilities.sum(axis=1) - 1).max() > TOLERANCE:
        raise ParityError("the ONNX model's probabilities do not sum to 1")
    expected = trained.predict(inputs[:PARITY_ROWS])
    differences = np.abs(probabilities[:PARITY_ROWS] - expected).max(axis=1)
    worst = float(differences.max())
    if worst > TOLERANCE:
        raise ParityError(
            f"the ONNX model differs from the trained one by {worst:.2g} (held-out row {int(differences.argmax())}; "
            f"{TOLERANCE:g} is allowed): the export of this model type is wrong, so the model was not registered"
        )
    return worst


def _described(model: bytes, dataset: Dataset, probabilities: np.ndarray) -> bytes:
    described = onnx.load_from_string(model)
    metadata = json.dumps(_metadata(dataset, probabilities), sort_keys=True)
    onnx.helper.set_model_props(described, {METADATA_KEY: metadata})
    onnx.checker.check_model(described)
    content: bytes = described.SerializeToString(deterministic=True)
    return content


def _metadata(dataset: Dataset, probabilities: np.ndarray) -> Metadata:
    count = min(SELF_TEST_ROWS, len(dataset.held_out))
    return {
        "schema": SCHEMA,
        "labels": list(dataset.labels),
        "features": dataset.features,
        "image": list(dataset.image) if dataset.image else None,
        "self_test": {
            "inputs": _encoded(dataset.held_out.inputs[:count]),
            "probabilities": _encoded(probabilities[:count]),
            "count": count,
            "tolerance": TOLERANCE,
        },
        "reference": reference(dataset.held_out.inputs, probabilities, dataset.image, dataset.task),
    }


def _encoded(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _latency(session: onnxruntime.InferenceSession, row: np.ndarray) -> float:
    """Median milliseconds of a single prediction."""
    taken = []
    for _ in range(LATENCY_CALLS):
        began = time.perf_counter()
        session.run(["probabilities"], {"inputs": row})
        taken.append(time.perf_counter() - began)
    return float(np.median(taken) * 1000)
