"""Prove and describe a model of vectors or images: one input, float32 `[n, features]`."""

import hashlib

import numpy as np

from mlops_contract import Contract
from mlops_conversion.proof import sentences
from mlops_conversion.proof.rows import Columns
from mlops_conversion.proof.tensors import kept_tensor_rows, prove_tensor
from mlops_conversion.served_file import answers, self_test_of_tensor, session_of
from trainer.data import Dataset
from trainer.export.checked import Checked
from trainer.export.interface import INPUT, check_answers, converted
from trainer.export.proving import passed, scale_of, worst_difference
from trainer.models.protocols import Trained

FRAMED = ("digits", "mnist")
"""Data sets whose digits are all placed in their pictures in one way, which whoever draws one has to know."""


def check(trained: Trained, dataset: Dataset) -> Checked:
    """Convert the model, and prove that it answers as the trained one does.

    Raises:
        ParityError: It does not, its answers are not probabilities, or this was not proved in time.
    """
    model: bytes = converted(trained, dataset).SerializeToString(deterministic=True)
    session = session_of(model)
    inputs, scale = dataset.held_out.inputs, scale_of(dataset)
    outputs = answers(session, {INPUT: inputs})
    check_answers(outputs, len(inputs), dataset.task)

    def ask(columns: Columns) -> np.ndarray:
        return trained.predict(columns[INPUT])

    proof = passed(
        lambda: prove_tensor(ask, session, dataset.task, INPUT, inputs, scale=scale, thresholds=trained.thresholds())
    )
    kept = kept_tensor_rows(ask, INPUT, inputs, outputs.shape[1], scale).to_bytes()
    description = {
        "features": dataset.features,
        "image": list(dataset.image) if dataset.image else None,
        "framing": dataset.name if dataset.name in FRAMED else None,
        "proof": {"sha256": hashlib.sha256(kept).hexdigest()},
        "self_test": self_test_of_tensor(inputs, outputs),
    }
    return Checked(
        model,
        session,
        outputs,
        worst_difference(proof),
        {INPUT: inputs[:1]},
        description,
        proof=proof.to_document(),
        proof_rows=kept,
        summary=sentences(proof, Contract(dataset.task, "", ())),
    )
