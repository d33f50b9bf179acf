"""What the proofs of tables and of tensors have in common."""

from collections.abc import Callable

from mlops_contract import Task
from mlops_conversion.errors import ProofTimeout
from mlops_conversion.proof import Kind, Proof, quantity_scale
from trainer.data import Dataset
from trainer.errors import ParityError


def passed(prove: Callable[[], Proof]) -> Proof:
    """Return the proof that `prove` makes.

    Raises:
        ParityError: It does not pass, or was not done in time.
    """
    try:
        proof = prove()
    except ProofTimeout as error:
        raise ParityError(
            f"{error}, so the model was not registered. Train a smaller model, leave out columns, or ask for more "
            "vCPUs (resources)"
        ) from error
    if not proof.passes():
        raise ParityError(
            f"the ONNX model differs from the trained one: {proof.disagreement()}. The export of this model type is "
            "wrong, so the model was not registered"
        )
    return proof


def worst_difference(proof: Proof) -> float:
    """Return the largest difference of the answers to held-out rows: of probabilities, or in parts of the scale."""
    return max(check.largest for check in proof.checks if check.kind is Kind.HELD_OUT) / proof.scale


def scale_of(dataset: Dataset) -> float:
    """Return the interquartile range of a target that is a quantity; 1 for classes."""
    if dataset.task is Task.CLASSIFICATION:
        return 1.0
    return quantity_scale(dataset.train.targets)
