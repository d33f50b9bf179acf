"""Prove and describe a model of tables: named columns in, and the contract as far as it was proved."""

import hashlib
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime

from mlops_contract import ColumnType, Contract
from mlops_contract.column_bins import reference_of
from mlops_contract.whole_columns import encode_columns
from mlops_conversion.explained import Explained, explained, expose, unexplained
from mlops_conversion.proof import prove, sentences
from mlops_conversion.proof.kept_rows import kept_rows
from mlops_conversion.proof.rows import Columns, allowed, json_rows, taken
from mlops_conversion.served_file import SELF_TEST_ROWS, answers, self_test_of_rows, session_of
from trainer.data import Dataset
from trainer.export.checked import Checked
from trainer.export.coding import CODED, code, columns_of_the_coded_matrix, decode, with_coding
from trainer.export.interface import check_answers, converted
from trainer.export.proving import passed, scale_of, worst_difference
from trainer.models.expansion import EXPANDED
from trainer.models.protocols import Explainable, Trained

_THRESHOLDS = (ColumnType.DOUBLE, ColumnType.LONG)


def check(trained: Trained, dataset: Dataset) -> Checked:
    """Convert the model, and prove that it answers as the trained one does.

    Raises:
        ParityError: It does not, within the contract that the proof narrows, or this was not proved in time.
    """
    contract, features = dataset.contract, dataset.feature_columns
    assert contract is not None
    graph = converted(trained, dataset)
    with_coding(graph, contract, features)
    if isinstance(trained, Explainable):
        _expose_features(graph)
    model: bytes = graph.SerializeToString(deterministic=True)
    session = session_of(model)
    held_out = decode(contract, features, dataset.held_out.inputs)
    scale = scale_of(dataset)

    def ask(columns: Columns) -> np.ndarray:
        return trained.predict(code(contract, features, columns))

    proof = passed(
        lambda: prove(
            ask,
            session,
            contract,
            held_out,
            encode=encode_columns,
            scale=scale,
            thresholds=_thresholds(trained, contract, dataset),
        )
    )
    proved = proof.narrowed(contract)
    feeds = encode_columns(contract, held_out)
    outputs = answers(session, feeds)
    check_answers(outputs, len(dataset.held_out), dataset.task)
    usual = np.flatnonzero(allowed(proved, held_out))
    rows = usual[:SELF_TEST_ROWS]
    explanations = _explained(trained, proved, session, encode_columns(proved, taken(held_out, usual)))
    kept = kept_rows(ask, proved, held_out, outputs.shape[1], scale).to_bytes()
    description = {
        "contract": proved.to_document(),
        "column_reference": reference_of(contract, feeds, outputs).to_document(),
        "proof": {"sha256": hashlib.sha256(kept).hexdigest()},
        "self_test": self_test_of_rows(json_rows(proved, taken(held_out, rows)), outputs[rows]),
        "explain": explanations.entry,
    }
    first = encode_columns(proved, taken(held_out, rows[:1]))
    return Checked(
        model,
        session,
        outputs,
        worst_difference(proof),
        first,
        description,
        proof=proof.to_document(),
        proof_rows=kept,
        explanation=explanations.content,
        summary=sentences(proof, contract),
    )


def _expose_features(graph: onnx.ModelProto) -> None:
    """Make the features that the model sums over its further output."""
    made = {name for node in graph.graph.node for name in node.output}
    expose(graph, EXPANDED if EXPANDED in made else CODED)


def _explained(
    trained: Trained, contract: Contract, session: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray]
) -> Explained:
    """Return what explains the model's answers, by the contract's columns."""
    if not isinstance(trained, Explainable):
        return unexplained("the answers of this model type are no sums of parts; those of linear models and trees are")
    places = columns_of_the_coded_matrix(contract)
    return explained(lambda: trained.explanation().over(places), session, contract.output, feeds)


def _thresholds(trained: Trained, contract: Contract, dataset: Dataset) -> dict[str, np.ndarray]:
    """Return the numbers that the model compares each column of numbers with."""
    numbers = {column.position: column.name for column in contract.columns if column.type in _THRESHOLDS}
    return {numbers[place]: values for place, values in trained.thresholds().items() if place in numbers}
