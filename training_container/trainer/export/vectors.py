"""Check and describe a model of vectors or images: one input, float32 `[n, features]`."""

import base64

import numpy as np
import onnxruntime

from trainer.data import Dataset
from trainer.errors import ParityError
from trainer.export.checked import Checked
from trainer.export.onnx_session import answers, session_of
from trainer.models.protocols import Trained

INPUT = "inputs"
TOLERANCE = 1e-4
PARITY_ROWS = 1000
SELF_TEST_ROWS = 8


def check(trained: Trained, dataset: Dataset) -> Checked:
    """Convert the model, and compare its answers to held-out rows.

    Raises:
        ParityError: The answers differ by more than 1e-4, or are not probabilities.
    """
    model = trained.to_onnx()
    session = session_of(model)
    _check_shape(session, dataset)
    inputs = dataset.held_out.inputs
    probabilities = answers(session, {INPUT: inputs})
    worst = _parity(trained, probabilities, inputs)
    count = min(SELF_TEST_ROWS, len(inputs))
    description = {
        "features": dataset.features,
        "image": list(dataset.image) if dataset.image else None,
        "self_test": {
            "inputs": encoded(inputs[:count]),
            "probabilities": encoded(probabilities[:count]),
            "count": count,
            "tolerance": TOLERANCE,
        },
    }
    return Checked(model, probabilities, worst, {INPUT: inputs[:1]}, description)


def encoded(values: np.ndarray) -> str:
    """Return float32 values as base64, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _check_shape(session: onnxruntime.InferenceSession, dataset: Dataset) -> None:
    inputs = [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()]
    outputs = [(item.name, item.type) for item in session.get_outputs()]
    if inputs != [(INPUT, "tensor(float)", [dataset.features])] or outputs != [("probabilities", "tensor(float)")]:
        raise ParityError(
            f"the ONNX model takes {inputs} and gives {outputs}; serving wants one float32 input "
            f"`inputs` [n, {dataset.features}] and one float32 output `probabilities` [n, {dataset.classes}]"
        )


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
