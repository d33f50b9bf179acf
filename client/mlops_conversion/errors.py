"""Why a model was not converted."""

from collections.abc import Mapping
from typing import Any


class ConversionError(Exception):
    """The model was not converted. The message says why, and the remedy."""


class CannotConvert(ConversionError):
    """The model cannot become an ONNX model that answers as it does. The message says why, and the remedy.

    Of a pipeline it names the step by its name and class.
    """


class ProofTimeout(ConversionError):
    """The proof was not done in its time. The message says how far it came; the remedy is the caller's."""


class NotProved(ConversionError):
    """The converted model answers otherwise than the original. The message names the kind of row and the column.

    Attributes:
        proof: The whole proof as a JSON object.
    """

    def __init__(self, message: str, proof: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.proof = proof
