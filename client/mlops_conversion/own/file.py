"""The file of a converted model, with its description."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime

from mlops_contract import Contract
from mlops_contract.column_bins import reference_of
from mlops_contract.contract import NUMBERS
from mlops_contract.explanations import ENCODED, Explanation
from mlops_contract.whole_columns import encode_columns
from mlops_conversion import served_file
from mlops_conversion.converted import Converted
from mlops_conversion.errors import CannotConvert
from mlops_conversion.explained import Explained, explained, unexplained
from mlops_conversion.own import evaluation
from mlops_conversion.own.graph import Sums
from mlops_conversion.own.original import Array, Original
from mlops_conversion.own.profile import profile
from mlops_conversion.own.source import Source
from mlops_conversion.proof import Proof
from mlops_conversion.proof.kept_rows import kept_rows
from mlops_conversion.proof.rows import allowed, json_rows, rounded, taken
from mlops_conversion.reference import reference


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    """Load a model as predict does.

    Raises:
        CannotConvert: onnxruntime does not load it.
    """
    try:
        return served_file.session_of(model, quiet=True)  # a refused row is a result of the proof
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise CannotConvert(
            f"onnxruntime {onnxruntime.__version__} does not load the converted model ({text}); install the versions "
            "of the extra: pip install 'mlops-client[convert]'"
        ) from error


@dataclass(frozen=True)
class Explaining:
    """How a model's answers may be explained.

    Attributes:
        sums: What they are sums over; None if they are no sums.
        observed: Whether the given rows are real ones, with which production's can be compared.
    """

    sums: Sums | None
    observed: bool


def _explained(
    explaining: Explaining, contract: Contract, session: onnxruntime.InferenceSession, feeds: dict[str, Array]
) -> Explained:
    sums = explaining.sums
    if sums is None:
        return unexplained("the answers of this model are no sums of parts; those of linear models and trees are")
    sources = sums.features.sources
    if not sources:
        return unexplained("a step before the model mixes columns, so its features cannot be told apart by columns")
    if sums.needs_rows and not explaining.observed:
        return unexplained(
            "a linear model is explained against the mean of its rows, and it was logged without rows; log it with "
            "mlops_client.log_model and its data"
        )
    places = {column.name: place for place, column in enumerate(contract.columns)}

    def make() -> Explanation:
        (encoded,) = session.run([ENCODED], feeds)
        found = sums.make(encoded.mean(axis=0, dtype=np.float64))
        return replace(found, columns=np.array([places[name] for name in sources], np.int32))

    return explained(make, session, contract.output, feeds)


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
    explaining: Explaining,
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
        explaining: How the answers may be explained, and whether the given rows are real ones.
    """
    held_out = rounded(proved, source.columns)
    usual = taken(held_out, np.flatnonzero(allowed(proved, held_out)))
    feeds = encode_columns(proved, usual)
    served = served_file.answers(session, feeds)
    explained_by = _explained(explaining, proved, session, feeds)
    kept = kept_rows(
        lambda columns: original.ask(source.rebuild(columns)), proved, held_out, served.shape[1], proof.scale
    ).to_bytes()
    rows = json_rows(proved, taken(usual, slice(served_file.SELF_TEST_ROWS)))
    description: dict[str, Any] = {
        "labels": list(original.labels),
        **({} if original.decision_threshold is None else {"decision_threshold": original.decision_threshold}),
        "proof": {"sha256": hashlib.sha256(kept).hexdigest()},
    }
    if explaining.observed:
        inputs = feeds[NUMBERS] if source.tensor else served
        description["reference"] = reference(
            inputs, served, source.image, original.task, decision_threshold=original.decision_threshold
        )
    if source.tensor:
        description |= {"features": len(proved.columns), "image": list(source.image) if source.image else None}
        description["self_test"] = served_file.self_test_of_tensor(feeds[NUMBERS], served)
    else:
        description["contract"] = proved.to_document()
        description["explain"] = explained_by.entry
        if explaining.observed:
            description["column_reference"] = reference_of(proved, feeds, served).to_document()
        description["self_test"] = served_file.self_test_of_rows(rows, served[: len(rows)])
    return Converted(
        content=served_file.described(graph, description),
        task=original.task,
        labels=original.labels,
        contract=None if source.tensor else proved,
        features=len(proved.columns) if source.tensor else None,
        image=source.image,
        proof=proof.to_document(),
        proof_rows=kept,
        explanation=None if source.tensor else explained_by.content,
        example=tuple(list(row.values()) if source.tensor else row for row in rows),
        metrics={}
        if truth is None
        else evaluation.measured(answers, truth, original.task, original.decision_threshold),
        profile=None if source.tensor else profile(proved, source.columns, truth, original.labels),
        data_sha256=_digest(source, truth),
        notes=notes,
    )


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
