"""Check and describe a model of vectors or images: one input, float32 `[n, features]`."""

import numpy as np

from mlops_contract.agreement import TOLERANCE
from mlops_conversion.served_file import answers, self_test_of_tensor, session_of
from trainer.data import Dataset
from trainer.errors import ParityError
from trainer.export.checked import Checked
from trainer.export.interface import INPUT, check_answers, converted
from trainer.models.protocols import Trained

PARITY_ROWS = 1000
FRAMED = ("digits", "mnist")
"""Data sets whose digits are all placed in their pictures in one way, which whoever draws one has to know."""


def check(trained: Trained, dataset: Dataset) -> Checked:
    """Convert the model, and compare its answers to held-out rows.

    Raises:
        ParityError: The answers differ by more than 1e-4, or are not probabilities.
    """
    model: bytes = converted(trained, dataset).SerializeToString(deterministic=True)
    session = session_of(model)
    inputs = dataset.held_out.inputs
    probabilities = answers(session, {INPUT: inputs})
    check_answers(probabilities, len(inputs), dataset.task)
    worst = _parity(trained, probabilities, inputs)
    description = {
        "features": dataset.features,
        "image": list(dataset.image) if dataset.image else None,
        "framing": dataset.name if dataset.name in FRAMED else None,
        "self_test": self_test_of_tensor(inputs, probabilities),
    }
    return Checked(model, session, probabilities, worst, {INPUT: inputs[:1]}, description)


def _parity(trained: Trained, probabilities: np.ndarray, inputs: np.ndarray) -> float:
    expected = trained.predict(inputs[:PARITY_ROWS])
    differences = np.abs(probabilities[:PARITY_ROWS] - expected).max(axis=1)
    worst = float(differences.max())
    if worst > TOLERANCE:
        raise ParityError(
            f"the ONNX model differs from the trained one by {worst:.2g} (held-out row {int(differences.argmax())}; "
            f"{TOLERANCE:g} is allowed): the export of this model type is wrong, so the model was not registered"
        )
    return worst
