"""What a check of a converted model gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime


@dataclass(frozen=True, eq=False)
class Checked:
    """An ONNX model that answers as the trained one does.

    Attributes:
        model: The ONNX file, without its description.
        session: The same, loaded as it is served.
        answers: Its answers to the held-out rows, float32 `[n, classes]`, or `[n, 1]` for a quantity.
        worst_difference: The largest difference from the trained model's answers; for a quantity in parts of the
            target's interquartile range.
        first_row: The inputs of one row, by name.
        description: The part of the file's description that depends on the kind of data.
        proof: The whole proof as JSON.
        proof_rows: Rows of the proof, and what the trained model answered, as a file.
        summary: Sentences about the proof, for the model card.
        explanation: What explains its answers, as a file; its hash is in the description.
    """

    model: bytes
    session: onnxruntime.InferenceSession
    answers: np.ndarray
    worst_difference: float
    first_row: Mapping[str, np.ndarray]
    description: Mapping[str, Any]
    proof: Mapping[str, Any]
    proof_rows: bytes
    summary: tuple[str, ...]
    explanation: bytes | None = None
