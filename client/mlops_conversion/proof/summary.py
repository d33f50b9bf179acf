"""A proof in sentences, for people."""

from mlops_contract import ColumnType, Contract, Task
from mlops_conversion.proof.proof import Proof


def sentences(proof: Proof, claimed: Contract, original: str = "the trained model") -> tuple[str, ...]:
    """Return what was asked, and what the contract refuses because of it.

    Args:
        proof: A proof that passes.
        claimed: The contract before it.
        original: What the ONNX model was compared with.
    """
    asked = sum(check.asked for check in proof.checks)
    found = [
        f"it was asked {asked:,} rows, and answered as {original} did within {proof.tolerance:g}"
        + (f" of the target's interquartile range ({proof.scale:g})" if claimed.task is Task.REGRESSION else "")
    ]
    for before, after in zip(claimed.columns, proof.narrowed(claimed).columns, strict=True):
        if before.null_ok and not after.null_ok:
            found.append(f"`{after.name}` must not be null: the two disagree there")
        if after.closed and not before.closed:
            if after.type is ColumnType.STRING:
                found.append(f"`{after.name}` takes only values that training has seen: the two disagree on others")
            else:
                found.append(
                    f"`{after.name}` takes only numbers from {after.low:g} to {after.high:g}, and refuses others"
                )
    return tuple(found)
