"""The file that serves: an ONNX model with a description of itself, which the gate and predict read."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime

from mlops_contract.agreement import TOLERANCE
from mlops_contract.explanations import ENCODED

METADATA_KEY, SCHEMA = "mlops", 1
SELF_TEST_ROWS = 8
BATCH_ROWS = 1_000

Array = np.ndarray[Any, np.dtype[Any]]


def session_of(model: bytes, *, quiet: bool = False) -> onnxruntime.InferenceSession:
    """Load a model as it is served: one prediction at a time, on one thread.

    Args:
        model: The ONNX file.
        quiet: Whether onnxruntime says nothing of rows that the model refuses, where that is a result.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    if quiet:
        options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def output_of(session: onnxruntime.InferenceSession) -> str:
    """Return the name of the output that has the model's answers."""
    (output,) = (entry.name for entry in session.get_outputs() if entry.name != ENCODED)
    return str(output)


def answers(session: onnxruntime.InferenceSession, feeds: Mapping[str, Array]) -> Array:
    """Return the model's answers to whole inputs, float32 `[n, k]`, asked in batches."""
    output = output_of(session)
    rows = len(next(iter(feeds.values())))
    batches = [
        {name: values[start : start + BATCH_ROWS] for name, values in feeds.items()}
        for start in range(0, rows, BATCH_ROWS)
    ]
    return np.concatenate([session.run([output], batch)[0] for batch in batches])


def self_test_of_tensor(inputs: Array, probabilities: Array) -> dict[str, Any]:
    """Return the part of the description with which serving tests a model of one tensor: the first of these rows."""
    return {
        "inputs": _encoded(inputs[:SELF_TEST_ROWS]),
        "probabilities": _encoded(probabilities[:SELF_TEST_ROWS]),
        "count": min(SELF_TEST_ROWS, len(inputs)),
        "tolerance": TOLERANCE,
    }


def self_test_of_rows(rows: Sequence[Mapping[str, Any]], outputs: Array) -> dict[str, Any]:
    """Return the same for a table: rows as callers send them, and their answers `[rows, k]`."""
    return {"rows": list(rows), "outputs": _encoded(outputs), "tolerance": TOLERANCE}


def described(model: onnx.ModelProto, description: Mapping[str, Any]) -> bytes:
    """Write the description into a model, and return the file. The same content gives the same bytes."""
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps({"schema": SCHEMA, **description}, sort_keys=True)})
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _encoded(values: Array) -> str:
    """Return float32 values as base64, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
