"""The proof of a model of vectors or images: rows of one tensor, whose columns have no names."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mlops_contract import Contract, Task
from mlops_contract.proof_rows import MAX_BYTES, ProofRows
from mlops_conversion.errors import ProofTimeout
from mlops_conversion.proof import Kind, Proof, sentences
from mlops_conversion.proof.rows import Columns
from mlops_conversion.proof.tensors import HELD_OUT_ROWS, kept_tensor_rows, prove_tensor
from mlops_conversion.served_file import session_of

FEATURES = 3
ROWS = np.random.default_rng(0).uniform(0.1, 0.9, (2_500, FEATURES)).astype(np.float32)

Answer = Callable[[np.ndarray], np.ndarray]


def of_two(second: np.ndarray) -> np.ndarray:
    """Probabilities of two classes, by that of the second."""
    return np.column_stack([1 - second, second])


def converted(*nodes: onnx.NodeProto, **constants: np.ndarray | float) -> bytes:
    """An ONNX model that makes `second`, float32 `[n, 1]`, of `inputs`."""
    constants = {"one": 1.0, "axes": np.array([1], np.int64), **constants}
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("Sub", ["one", "second"], ["first"]),
            helper.make_node("Concat", ["first", "second"], ["probabilities"], axis=1),
        ],
        "tensor",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])],
        [
            onnx.numpy_helper.from_array(value if isinstance(value, np.ndarray) else np.float32(value), name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


MEAN = helper.make_node("ReduceMean", ["inputs", "axes"], ["mean"])


def proved(original: Answer, model: bytes, **more: object) -> Proof:
    def ask(columns: Columns) -> np.ndarray:
        return of_two(original(columns["inputs"]))

    return prove_tensor(ask, session_of(model, quiet=True), Task.CLASSIFICATION, "inputs", ROWS, **more)  # type: ignore[arg-type]


def off(proof: Proof) -> dict[Kind, int]:
    return {check.kind: check.off for check in proof.checks if check.off}


def share_of_ink(rows: np.ndarray) -> np.ndarray:
    return np.clip(rows.mean(axis=1), 0, 1)


def test_a_right_conversion_is_asked_every_kind_of_row_and_passes():
    model = converted(MEAN, helper.make_node("Clip", ["mean", "low", "one"], ["second"]), low=0.0)
    proof = proved(share_of_ink, model, thresholds={1: np.array([0.25, 0.5])})
    asked = {check.kind: check.asked for check in proof.checks}
    assert asked.keys() == {Kind.HELD_OUT, Kind.EXTREME, Kind.BEYOND, Kind.THRESHOLD, Kind.SINGLE}
    assert asked[Kind.HELD_OUT] == HELD_OUT_ROWS
    assert asked[Kind.THRESHOLD] == 6
    assert proof.passes()
    assert "answered as the trained model did" in sentences(proof, Contract(Task.CLASSIFICATION, "", ()))[0]


def test_another_branch_at_a_threshold_is_found():
    greater = helper.make_node("Greater", ["row", "half"], ["right"])
    nodes = (
        helper.make_node("Gather", ["inputs", "place"], ["row"], axis=1),
        greater,
        helper.make_node("Cast", ["right"], ["second"], to=TensorProto.FLOAT),
    )
    model = converted(*nodes, half=0.5, place=np.array([1], np.int64))
    proof = proved(lambda rows: (rows[:, 1] >= 0.5).astype(float), model, thresholds={1: np.array([0.5])})
    assert off(proof) == {Kind.THRESHOLD: 1}
    assert not proof.passes()
    (worst,) = [check.worst for check in proof.checks if check.worst]
    assert worst["inputs"][1] == 0.5


def test_what_is_cut_off_beyond_the_range_only_is_found():
    clipped = helper.make_node("Clip", ["inputs", "low", "one"], ["kept"])
    mean = helper.make_node("ReduceMean", ["kept", "axes"], ["mean"])
    model = converted(clipped, mean, helper.make_node("Clip", ["mean", "low", "one"], ["second"]), low=0.0)
    proof = proved(share_of_ink, model)
    assert off(proof).keys() == {Kind.BEYOND}
    assert not proof.passes()


def test_rows_that_the_original_refuses_are_a_disagreement_because_no_contract_refuses_them():
    def original(rows: np.ndarray) -> np.ndarray:
        if rows.max() > 1:
            raise ValueError("a pixel is at most 1")
        return share_of_ink(rows)

    model = converted(MEAN, helper.make_node("Clip", ["mean", "low", "one"], ["second"]), low=0.0)
    proof = proved(original, model)
    assert off(proof).keys() == {Kind.BEYOND}
    assert "a pixel is at most 1" in proof.disagreement()
    assert not proof.passes()


def test_an_answer_that_depends_on_the_other_rows_is_found():
    model = converted(
        helper.make_node("ReduceMean", ["inputs"], ["all"], keepdims=0),
        MEAN,
        helper.make_node("Mul", ["mean", "nothing"], ["none"]),
        helper.make_node("Add", ["none", "all"], ["second"]),
        nothing=0.0,
    )
    assert Kind.SINGLE in off(proved(lambda rows: np.full(len(rows), rows.mean()), model))


def test_a_proof_that_takes_too_long_ends():
    model = converted(MEAN, helper.make_node("Clip", ["mean", "low", "one"], ["second"]), low=0.0)
    with pytest.raises(ProofTimeout, match="rows of the kind 'held_out'"):
        proved(share_of_ink, model, seconds=-1.0)


def test_rows_of_many_features_fit_into_the_file():
    wide = np.zeros((300, 60_000), np.float32)
    kept = kept_tensor_rows(lambda columns: of_two(columns["inputs"][:, 0]), "inputs", wide, 2, 1.0)
    assert 1 < len(kept) < 300
    assert kept.feeds["inputs"].nbytes <= MAX_BYTES
    again = ProofRows.from_bytes(kept.to_bytes())
    assert again.feeds.keys() == {"inputs"}
    assert np.array_equal(again.expected, kept.expected)
