"""Prove a conversion: ask the original and the ONNX model the same rows, and compare what they answer.

What is not proved is refused, not guessed: the proof narrows the contract, or does not pass.
"""

from mlops_conversion.proof.proof import Check, Kind, Proof
from mlops_conversion.proof.prove import prove, quantity_scale
from mlops_conversion.proof.summary import sentences

__all__ = ["Check", "Kind", "Proof", "prove", "quantity_scale", "sentences"]
