"""Export a trained model.

The file's metadata holds what serving needs (labels, input or contract, a self-test, the reference), under the key
`mlops`, and nothing that differs between two runs of the same training: the same training gives the same SHA-256.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from mlops_conversion.reference import reference
from mlops_conversion.served_file import described, output_of
from trainer.data import Dataset
from trainer.export.checked import Checked
from trainer.models.protocols import Trained

LATENCY_CALLS = 200


@dataclass(frozen=True, eq=False)
class Exported:
    """The ONNX file, and its own answers to the held-out rows.

    Attributes:
        content: The file.
        sha256: Its hash.
        answers: Probabilities float32 `[n, classes]`, or quantities `[n, 1]`.
        worst_difference: The largest difference from the trained model's answers.
        latency_ms: Median milliseconds of a single prediction.
        proof: How the two were compared, as JSON.
        proof_rows: Rows of the proof, and what the trained model answered, as a file; its hash is in the ONNX file.
        proof_summary: The proof in sentences.
        explanation: What explains its answers, as a file; its hash is in the ONNX file. None if nothing does.
    """

    content: bytes
    sha256: str
    answers: np.ndarray
    worst_difference: float
    latency_ms: float
    proof: Mapping[str, Any]
    proof_rows: bytes
    proof_summary: tuple[str, ...]
    explanation: bytes | None = None


def export(trained: Trained, dataset: Dataset, decision_threshold: float | None = None) -> Exported:
    """Export, check and describe a trained model, which may have a decision threshold (`mlops_contract.decision`).

    Raises:
        ParityError: The ONNX model does not answer as the trained one does.
    """
    checked = _checked(trained, dataset)
    content = _described(checked, dataset, decision_threshold)
    return Exported(
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        answers=checked.answers,
        worst_difference=checked.worst_difference,
        latency_ms=_latency(checked),
        proof=checked.proof,
        proof_rows=checked.proof_rows,
        proof_summary=checked.summary,
        explanation=checked.explanation,
    )


def _checked(trained: Trained, dataset: Dataset) -> Checked:
    if dataset.contract is None:
        from trainer.export import vectors

        return vectors.check(trained, dataset)
    from trainer.export import tables

    return tables.check(trained, dataset)


def _described(checked: Checked, dataset: Dataset, decision_threshold: float | None) -> bytes:
    held_out = dataset.held_out
    decision = {} if decision_threshold is None else {"decision_threshold": decision_threshold}
    description = {
        "labels": list(dataset.labels),
        **decision,
        "reference": reference(
            held_out.inputs, checked.answers, dataset.image, dataset.task, held_out.targets, decision_threshold
        ),
        **checked.description,
    }
    return described(onnx.load_from_string(checked.model), description)


def _latency(checked: Checked) -> float:
    """Return the median milliseconds of a single prediction."""
    session = checked.session
    output, taken = output_of(session), []
    for _ in range(LATENCY_CALLS):
        began = time.perf_counter()
        session.run([output], dict(checked.first_row))
        taken.append(time.perf_counter() - began)
    return float(np.median(taken) * 1000)
