"""The file of a converted model, with its description."""

import base64
import hashlib
import json
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime

from mlops_contract import Contract
from mlops_contract.agreement import TOLERANCE
from mlops_contract.contract import NUMBERS
from mlops_contract.whole_columns import encode_columns
from mlops_conversion.converted import Converted
from mlops_conversion.errors import CannotConvert
from mlops_conversion.own import evaluation
from mlops_conversion.own.original import Array, Original
from mlops_conversion.own.profile import profile
from mlops_conversion.own.source import Source
from mlops_conversion.proof import Proof
from mlops_conversion.proof.kept_rows import kept_rows
from mlops_conversion.proof.rows import allowed, json_rows, rounded, taken
from mlops_conversion.reference import reference

METADATA_KEY, SCHEMA = "mlops", 1
SELF_TEST_ROWS = 8
BATCH_ROWS = 1_000


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    """Load a model as predict does.

    Raises:
        CannotConvert: onnxruntime does not load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a refused row is a result of the proof
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise CannotConvert(
            f"onnxruntime {onnxruntime.__version__} does not load the converted model ({text}); install the versions "
            "of the extra: pip install 'mlops-client[convert]'"
        ) from error


def described(
    graph: onnx.ModelProto,
    session: onnxruntime.InferenceSession,
    original: Original,
    source: Source,
    proved: Contract,
    proof: Proof,
    truth: Array | None,
    answers: Array,
    notes: tuple[str, ...],
) -> Converted:
    """Return the converted model, whose file says all that the gate and predict need.

    Args:
        graph: The ONNX model, which gets its description.
        session: The same, loaded.
        original: The model that it was made from.
        source: The given rows.
        proved: The contract, as far as it was proved.
        proof: How the two were compared.
        truth: The true values: places of the classes, or quantities.
        answers: The original's answers to all rows.
        notes: Sentences about the conversion.
    """
    held_out = rounded(proved, source.columns)
    usual = taken(held_out, np.flatnonzero(allowed(proved, held_out)))
    served = _answers(session, encode_columns(proved, usual), proved.output)
    first = taken(usual, slice(SELF_TEST_ROWS))
    kept = kept_rows(
        lambda columns: original.ask(source.rebuild(columns)), proved, held_out, served.shape[1], proof.scale
    ).to_bytes()
    feeds = encode_columns(proved, first)
    rows = json_rows(proved, first)
    pixels = encode_columns(proved, usual)[NUMBERS] if source.tensor else served
    metadata = {
        "schema": SCHEMA,
        "labels": list(original.labels),
        "proof": {"sha256": hashlib.sha256(kept).hexdigest()},
        "reference": reference(pixels, served, source.image, original.task),
    }
    if source.tensor:
        metadata |= {"features": len(proved.columns), "image": list(source.image) if source.image else None}
        metadata["self_test"] = {
            "inputs": encoded(feeds[NUMBERS]),
            "probabilities": encoded(served[:SELF_TEST_ROWS]),
            "count": len(rows),
            "tolerance": TOLERANCE,
        }
    else:
        metadata["contract"] = proved.to_document()
        metadata["self_test"] = {"rows": rows, "outputs": encoded(served[:SELF_TEST_ROWS]), "tolerance": TOLERANCE}
    onnx.helper.set_model_props(graph, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    onnx.checker.check_model(graph)
    return Converted(
        content=graph.SerializeToString(deterministic=True),
        task=original.task,
        labels=original.labels,
        contract=None if source.tensor else proved,
        features=len(proved.columns) if source.tensor else None,
        image=source.image,
        proof=proof.to_document(),
        proof_rows=kept,
        example=tuple(list(row.values()) if source.tensor else row for row in rows),
        metrics={} if truth is None else evaluation.measured(answers, truth, original.task),
        profile=None if source.tensor else profile(proved, source.columns, truth, original.labels),
        data_sha256=_digest(source, truth),
        notes=notes,
    )


def encoded(values: Array) -> str:
    """Return float32 values as base64, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def _digest(source: Source, truth: Array | None) -> str:
    """Return the SHA-256 of the rows and their true values. It does not depend on the order of the columns."""
    digest = hashlib.sha256()
    for name in sorted(source.columns):
        values = source.columns[name]
        content = json.dumps(values.tolist()).encode() if values.dtype == object else values.tobytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    if truth is not None:
        digest.update(truth.tobytes())
    return digest.hexdigest()


def _answers(session: onnxruntime.InferenceSession, feeds: Mapping[str, Array], output: str) -> Array:
    rows = len(next(iter(feeds.values())))
    parts = [
        session.run([output], {name: values[start : start + BATCH_ROWS] for name, values in feeds.items()})[0]
        for start in range(0, rows, BATCH_ROWS)
    ]
    return np.concatenate(parts)
