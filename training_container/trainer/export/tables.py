"""Prove and describe a model of tables: named columns in, and the contract as far as it was proved."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlops_contract import ColumnType, Contract, Task
from mlops_contract.whole_columns import encode_columns
from mlops_conversion.proof import Kind, Proof, prove
from mlops_conversion.proof.rows import Columns, allowed, taken
from trainer.data import Dataset
from trainer.errors import ParityError
from trainer.export.checked import Checked
from trainer.export.coding import code, decode, with_coding
from trainer.export.interface import TOLERANCE, check_answers, converted
from trainer.export.kept_rows import kept_rows
from trainer.export.onnx_session import answers, session_of
from trainer.export.vectors import SELF_TEST_ROWS, encoded
from trainer.models.protocols import Trained

PROOF_ROWS = 10_000
"""Held-out rows that the proof asks, evenly spread."""
_THRESHOLDS = (ColumnType.DOUBLE, ColumnType.LONG)


def check(trained: Trained, dataset: Dataset) -> Checked:
    """Convert the model, and prove that it answers as the trained one does.

    Raises:
        ParityError: It does not, within the contract that the proof narrows.
    """
    contract, features = dataset.contract, dataset.feature_columns
    assert contract is not None
    graph = converted(trained, dataset)
    with_coding(graph, contract, features)
    model: bytes = graph.SerializeToString(deterministic=True)
    session = session_of(model)
    held_out = decode(contract, features, dataset.held_out.inputs)
    spread = np.unique(np.linspace(0, len(dataset.held_out) - 1, PROOF_ROWS).astype(np.int64))
    scale = _scale(dataset)

    def ask(columns: Columns) -> np.ndarray:
        return trained.predict(code(contract, features, columns))

    proof = prove(
        ask,
        session,
        contract,
        taken(held_out, spread),
        encode=encode_columns,
        scale=scale,
        thresholds=_thresholds(trained, contract, dataset),
    )
    if not proof.passes():
        raise ParityError(_disagreement(proof))
    proved = proof.narrowed(contract)
    outputs = answers(session, encode_columns(contract, held_out))
    check_answers(outputs, len(dataset.held_out), dataset.task)
    compared = [entry for entry in proof.checks if entry.kind is Kind.HELD_OUT]
    worst = max(entry.largest for entry in compared) / scale
    rows = np.flatnonzero(allowed(proved, held_out))[:SELF_TEST_ROWS]
    kept = kept_rows(ask, proved, held_out, outputs.shape[1], scale).to_bytes()
    description = {
        "contract": proved.to_document(),
        "proof": {"sha256": hashlib.sha256(kept).hexdigest()},
        "self_test": {
            "rows": _json_rows(proved, taken(held_out, rows)),
            "outputs": encoded(outputs[rows]),
            "tolerance": TOLERANCE,
        },
    }
    first = encode_columns(proved, taken(held_out, rows[:1]))
    return Checked(
        model,
        outputs,
        worst,
        first,
        description,
        proof=proof.to_document(),
        proof_rows=kept,
        summary=_summary(proof, contract, proved),
    )


def _scale(dataset: Dataset) -> float:
    """Return the interquartile range of a target that is a quantity; 1 for classes."""
    if dataset.task is Task.CLASSIFICATION:
        return 1.0
    low, high = np.quantile(dataset.train.targets, [0.25, 0.75])
    return float(high - low) or float(np.ptp(dataset.train.targets))


def _thresholds(trained: Trained, contract: Contract, dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the numbers that the model compares each column of numbers with."""
    numbers = {column.position: column.name for column in contract.columns if column.type in _THRESHOLDS}
    return {numbers[place]: values for place, values in trained.thresholds().items() if place in numbers}


def _disagreement(proof: Proof) -> str:
    wrong = [check for check in proof.checks if check.off and check.kind not in (Kind.NULL, Kind.UNSEEN)]
    shown = "; ".join(
        f"{check.off} of {check.asked} rows of the kind {check.kind.value}"
        + (f" in the column {check.column!r}" if check.column else "")
        + (f" ({check.error})" if check.error else f", by up to {check.largest:.2g}")
        for check in wrong[:3]
    )
    return (
        f"the ONNX model differs from the trained one: {shown or 'no held-out row could be compared'}. The export of "
        "this model type is wrong, so the model was not registered"
    )


def _summary(proof: Proof, claimed: Contract, proved: Contract) -> tuple[str, ...]:
    asked = sum(check.asked for check in proof.checks)
    sentences = [
        f"it was asked {asked:,} rows, and answered as the trained model did within {proof.tolerance:g}"
        + (f" of the target's interquartile range ({proof.scale:g})" if proved.task is Task.REGRESSION else "")
    ]
    for before, after in zip(claimed.columns, proved.columns, strict=True):
        if before.null_ok and not after.null_ok:
            sentences.append(f"`{after.name}` must not be null: the two disagree there")
        if after.closed and not before.closed:
            sentences.append(f"`{after.name}` takes only values that training has seen: the two disagree on others")
    return tuple(sentences)


def _json_rows(contract: Contract, columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return whole columns as rows, as callers send them."""
    count = len(next(iter(columns.values())))
    return [
        {column.name: _json_value(column.type, columns[column.name][row]) for column in contract.columns}
        for row in range(count)
    ]


def _json_value(kind: ColumnType, value: Any) -> Any:
    if kind is ColumnType.STRING:
        return value
    if kind is ColumnType.DATETIME:
        return None if np.isnat(value) else f"{np.datetime_as_string(value, unit='s')}Z"
    if np.isnan(value):
        return None
    types = {ColumnType.LONG: int, ColumnType.BOOLEAN: bool}
    return types.get(kind, float)(value)
