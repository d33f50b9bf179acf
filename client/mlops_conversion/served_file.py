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
    return asked_in_order(session, output_of(session), feeds, BATCH_ROWS)


def asked_in_order(
    session: onnxruntime.InferenceSession, output: str, feeds: Mapping[str, Array], batch: int | None = None
) -> Array:
    """Return the answers to rows, `[n, k]`, in their order; rows with the same texts are asked one after another.

    onnxruntime compares a category with the members of a split one by one. Neighbours with the same texts take the
    same branches, which processors foresee: this halves the time of models of trees, and no answer depends on it.

    Args:
        session: The model.
        output: The name of the output.
        feeds: Its inputs.
        batch: How many rows are asked together; all if None.
    """
    rows = len(next(iter(feeds.values())))
    order = _by_texts(feeds)
    parts = []
    for start in range(0, rows, batch or max(rows, 1)) or (0,):
        some = slice(start, start + (batch or rows))
        part = {name: values[some if order is None else order[some]] for name, values in feeds.items()}
        parts.append(session.run([output], part)[0])
    found = np.concatenate(parts)
    if order is None:
        return found
    result = np.empty_like(found)
    result[order] = found
    return result


def _by_texts(feeds: Mapping[str, Array]) -> Array | None:
    """Return an order in which rows with the same texts are neighbours, intp `[n]`; None if there are no texts."""
    numbered = [
        _numbered(values[:, place])
        for values in feeds.values()
        if values.dtype == object and values.ndim == 2
        for place in range(values.shape[1])
    ]
    # The column with the most texts comes first: its splits have the most members.
    return np.lexsort(sorted(numbered, key=lambda numbers: int(numbers.max(initial=0)))) if numbered else None


def _numbered(texts: Array) -> Array:
    """Return the same number for the same texts, int64 `[n]`."""
    values = texts.tolist()
    numbers = {text: number for number, text in enumerate(dict.fromkeys(values))}
    return np.array([numbers[text] for text in values], np.int64)


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
