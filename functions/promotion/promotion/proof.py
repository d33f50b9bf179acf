"""The check `proof`: a file still answers the rows of its proof as the model did that it was made from.

It guards against accidents, such as a converted file that was changed, mixed up or damaged, or a machine that computes
otherwise. It does not guard against malice: who can write a model and its run can write a proof that fits.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from mlops.domain.transition import GateResult
from mlops.inference.model import Model, brief
from mlops_contract.agreement import TOLERANCE, agreement
from mlops_contract.proof_rows import PROOF_FILE, ProofRows, UnreadableRows

BATCH = 100
"""Rows that are asked together, as in the trial of a file."""
REMEDY = "train the model again, and promote the new version"


@dataclass(frozen=True)
class Reasked:
    """What the rows of a proof showed.

    Attributes:
        asked: How many there are.
        off: To how many the file answers otherwise than the original.
        largest: The largest difference: of probabilities, or in parts of the target's interquartile range.
        problem: Why the rows could not be asked, or "".
    """

    asked: int = 0
    off: int = 0
    largest: float = 0.0
    problem: str = ""


def reask(model: Model, stated: str | None, proof: bytes | None) -> Reasked | None:
    """Ask a model the rows of its proof.

    Args:
        model: The model, as predict loads it.
        stated: The SHA-256 of the proof, as the model's file says; None if the file has no proof.
        proof: The file among the artifacts of the version's run, if there is one.

    Returns:
        What the rows showed; None if the model has no proof.
    """
    if stated is None:
        return None
    if proof is None:
        return Reasked(problem=f"its run has no {PROOF_FILE}")
    digest = hashlib.sha256(proof).hexdigest()
    if digest != stated:
        return Reasked(problem=f"the {PROOF_FILE} of its run has the SHA-256 {digest}, and its own has {stated}")
    try:
        rows = ProofRows.from_bytes(proof)
    except UnreadableRows as error:
        return Reasked(problem=f"its {PROOF_FILE} cannot be read: {error}")
    try:
        answers = np.concatenate([model.outputs(feeds) for feeds in rows.batches(BATCH)])
        compared = agreement(rows.expected.astype(np.float64), answers.astype(np.float64), rows.scale)
    except Exception as error:  # onnxruntime raises errors of many types
        return Reasked(problem=f"it does not take the rows of its {PROOF_FILE} ({brief(error)})")
    return Reasked(len(rows), int(compared.off.sum()), float(compared.differences.max()) / rows.scale)


def proof_result(reasked: Reasked | None, tolerance: float, *, admitted: bool) -> GateResult:
    """Return the result of the check.

    Args:
        reasked: What the rows showed; None if the file has no proof.
        tolerance: The share of rows that may be answered otherwise.
        admitted: Whether the version was admitted before, so that the rows were asked then.
    """
    if reasked is None:
        return GateResult("proof", True, "the file has no proof: there is no original model to compare it with")
    if reasked.problem:
        if admitted:
            return GateResult("proof", True, f"{reasked.problem}; it was asked when the version was first admitted")
        return GateResult("proof", False, f"{reasked.problem}: {REMEDY}")
    passed = reasked.off <= tolerance * reasked.asked
    detail = (
        f"{reasked.off} of {reasked.asked} rows are answered otherwise than by the original model (by more than "
        f"{TOLERANCE:g}); at most {100 * tolerance:g}% may be"
    )
    if passed:
        return GateResult("proof", True, detail)
    return GateResult("proof", False, f"{detail}. The largest difference is {reasked.largest:.2g}: {REMEDY}")
