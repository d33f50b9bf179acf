"""The rows that a run keeps of its proof, so that promotion's gate can ask them again."""

from collections.abc import Callable

import numpy as np

from mlops_contract import ColumnType, Contract
from mlops_contract.proof_rows import MAX_ROWS, ProofRows, most_rows
from mlops_contract.whole_columns import encode_columns
from mlops_conversion.proof.rows import Columns, allowed, count, spread, taken

LONGEST_TEXT = 100
"""Longer text is cut: in the file all texts are as wide as the longest one."""


def kept_rows(
    ask: Callable[[Columns], np.ndarray], proved: Contract, held_out: Columns, classes: int, scale: float
) -> ProofRows:
    """Return held-out rows that the contract allows, evenly spread, and what the original answers.

    Args:
        ask: The original.
        proved: The contract, as far as it was proved.
        held_out: Rows that training did not see.
        classes: The width of the model's output.
        scale: What differences are measured by.
    """
    columns = _cut(proved, spread(taken(held_out, np.flatnonzero(allowed(proved, held_out))), MAX_ROWS))
    columns = spread(columns, most_rows(encode_columns(proved, columns), classes))
    expected = np.asarray(ask(columns), np.float32).reshape(count(columns), -1)
    return ProofRows(encode_columns(proved, columns), expected, scale)


def _cut(contract: Contract, columns: Columns) -> Columns:
    # A closed column takes its levels only, whole.
    texts = [column.name for column in contract.columns if column.type is ColumnType.STRING and not column.closed]
    return {**columns, **{name: np.array([_as_read(text) for text in columns[name]], object) for name in texts}}


def _as_read(text: str | None) -> str | None:
    """Return the text as the file has it: cut, and without NULs at its end, which numpy takes for padding."""
    return None if text is None else text[:LONGEST_TEXT].rstrip("\0")
