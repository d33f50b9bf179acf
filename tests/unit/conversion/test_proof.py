"""The proof: it passes what is the same, and finds each way in which a conversion can be wrong."""

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from mlops_contract import Column, ColumnType, Contract, Task
from mlops_conversion.errors import CannotConvert, ProofTimeout
from mlops_conversion.proof import Kind, Proof, prove
from mlops_conversion.trees import convert, thresholds
from tests.support.columns import encoded, table

ROWS = 400
LEVELS = ("clerk", "nurse", "pilot")
CONTRACT = table(
    Task.CLASSIFICATION,
    {"age": ColumnType.DOUBLE, "children": ColumnType.LONG, "member": ColumnType.BOOLEAN, "since": ColumnType.DATETIME},
    {"job": LEVELS},
)


def frame(seed: int = 0, missing: float = 0.1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    since = np.datetime64("2015-01-01") + random.integers(0, 3000, ROWS).astype("m8[D]")
    columns: dict[str, Any] = {
        "age": random.normal(40, 12, ROWS).astype(np.float32).astype(np.float64),
        "children": random.integers(0, 6, ROWS).astype(np.float64),
        "member": random.integers(0, 2, ROWS).astype(np.float64),
        "since": since.astype("M8[us]"),
        "job": random.choice(LEVELS, ROWS).astype(object),
    }
    nulls = {"O": None, "M": np.datetime64("NaT"), "f": np.nan}
    for values in columns.values():
        values[random.random(ROWS) < missing] = nulls[values.dtype.kind]
    return columns


def coded(columns: Mapping[str, Any]) -> np.ndarray:
    """The matrix that the forests here are fitted on."""
    codes = {level: float(code) for code, level in enumerate(LEVELS)} | {None: np.nan}
    jobs = np.array([codes.get(job, len(LEVELS)) for job in columns["job"]], np.float32)
    return np.column_stack([encoded(CONTRACT, columns)["numbers"], jobs])


def outcome(columns: Mapping[str, Any]) -> np.ndarray:
    score = np.nan_to_num(columns["age"], nan=70) / 20 + np.nan_to_num(columns["children"], nan=3)
    return score + np.array([{"pilot": 2, "nurse": 1, None: 3}.get(job, 0) for job in columns["job"]])


def with_text(model: onnx.ModelProto, null: float = np.nan, other: float = float(len(LEVELS))) -> onnx.ModelProto:
    """The ONNX model of a coded matrix, behind the coding of its last column."""
    encoder = helper.make_node(
        "LabelEncoder",
        ["categories"],
        ["codes"],
        domain="ai.onnx.ml",
        keys_strings=[*LEVELS, ""],
        values_floats=[*map(float, range(len(LEVELS))), null],
        default_float=other,
    )
    model.graph.node.insert(0, helper.make_node("Concat", ["numbers", "codes"], ["inputs"], axis=1))
    model.graph.node.insert(0, encoder)
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["n", CONTRACT.numbers]))
    model.graph.input.append(helper.make_tensor_value_info("categories", TensorProto.STRING, ["n", 1]))
    return model


@pytest.fixture(scope="module")
def forest() -> RandomForestClassifier:
    columns = frame()
    score = outcome(columns)
    return RandomForestClassifier(8, max_depth=6, random_state=0).fit(coded(columns), score > np.median(score))


def proved(
    forest: RandomForestClassifier, model: onnx.ModelProto, contract: Contract = CONTRACT, **limits: float
) -> Proof:
    by_position = thresholds(forest, CONTRACT.numbers + 1)
    known = {column.name: by_position[column.position] for column in contract.columns[:2]}
    return prove(
        lambda columns: forest.predict_proba(coded(columns)),
        model.SerializeToString(),
        contract,
        frame(seed=1),
        encode=encoded,
        thresholds=known,
        **limits,
    )


def converted(forest: RandomForestClassifier) -> onnx.ModelProto:
    return convert(forest, CONTRACT.numbers + 1)


def change(model: onnx.ModelProto, name: str, edit: Any) -> None:
    """Change an attribute of the trees."""
    (node,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    (attribute,) = [attribute for attribute in node.attribute if attribute.name == name]
    if attribute.ints:
        attribute.ints[:] = edit(np.array(attribute.ints)).tolist()
    else:
        attribute.t.CopyFrom(numpy_helper.from_array(edit(numpy_helper.to_array(attribute.t).copy()), name))


def test_an_exact_conversion_passes_and_keeps_its_contract(forest: RandomForestClassifier):
    proof = proved(forest, with_text(converted(forest)))
    assert proof.passes(0.0)
    assert all(check.off == 0 for check in proof.checks)
    assert proof.narrowed(CONTRACT) == CONTRACT
    asked = {(check.kind, check.column) for check in proof.checks if check.asked}
    assert asked == {
        *((Kind.NULL, column.name) for column in CONTRACT.columns),
        *((Kind.EXTREME, name) for name in ("age", "children", "member", "since")),
        *((Kind.BEYOND, name) for name in ("age", "children")),
        *((Kind.THRESHOLD, name) for name in ("age", "children")),
        (Kind.UNSEEN, "job"),
        (Kind.HELD_OUT, None),
        (Kind.SINGLE, None),
    }


def test_it_is_a_document(forest: RandomForestClassifier):
    model = with_text(converted(forest))
    change(model, "leaf_weights", lambda weights: weights + np.float32(0.01))
    document = json.loads(json.dumps(proved(forest, model).to_document(), allow_nan=False))
    assert document["passes"] is False
    (held_out,) = [check for check in document["checks"] if check["rows"] == "held_out"]
    assert held_out["off"] == held_out["asked"] > 0
    assert held_out["largest"] == pytest.approx(0.08, abs=1e-3)
    assert set(held_out["worst"]) == {column.name for column in CONTRACT.columns}


def test_a_perturbed_leaf_does_not_pass(forest: RandomForestClassifier):
    model = with_text(converted(forest))

    def perturbed(weights: np.ndarray) -> np.ndarray:
        weights[0] += 0.01
        return weights

    change(model, "leaf_weights", perturbed)
    assert not proved(forest, model).passes()


def test_a_threshold_one_ulp_off_does_not_pass(forest: RandomForestClassifier):
    model = with_text(converted(forest))
    change(model, "nodes_splits", lambda splits: np.nextafter(splits, np.float32(np.inf)))
    proof = proved(forest, model)
    assert not proof.passes()
    off = {check.kind for check in proof.checks if check.off}
    assert Kind.THRESHOLD in off
    assert Kind.HELD_OUT not in off, "no held-out row would have shown it"


def test_the_other_direction_for_missing_makes_columns_required(forest: RandomForestClassifier):
    model = with_text(converted(forest))
    change(model, "nodes_missing_value_tracks_true", lambda flags: 1 - flags)
    proof = proved(forest, model)
    narrowed = proof.narrowed(CONTRACT)
    assert not any(column.null_ok for column in narrowed.columns if column.name in ("age", "children", "job"))
    assert proof.passes()
    (held_out,) = [check for check in proof.checks if check.kind is Kind.HELD_OUT]
    assert 0 < held_out.asked < ROWS, "only rows that the narrowed contract allows"


def test_a_wrong_code_for_unseen_text_closes_the_column(forest: RandomForestClassifier):
    proof = proved(forest, with_text(converted(forest), other=0.0))
    assert [column.name for column in proof.narrowed(CONTRACT).columns if column.closed] == ["job"]
    assert proof.passes()


def test_a_wrong_code_for_missing_text_makes_the_column_required(forest: RandomForestClassifier):
    proof = proved(forest, with_text(converted(forest), null=0.0))
    assert [column.name for column in proof.narrowed(CONTRACT).columns if not column.null_ok] == ["job"]
    assert proof.passes()


def test_text_of_which_no_values_are_known_must_agree(forest: RandomForestClassifier):
    """Its column cannot be closed, so what disagrees does not pass."""
    open_text = replace(CONTRACT, columns=(*CONTRACT.columns[:-1], replace(CONTRACT.columns[-1], levels=None)))
    assert proved(forest, with_text(converted(forest)), open_text).passes()
    assert not proved(forest, with_text(converted(forest), other=0.0), open_text).passes()


def test_what_the_contract_does_not_claim_is_not_asked(forest: RandomForestClassifier):
    strict = tuple(replace(column, null_ok=False, closed=column.levels is not None) for column in CONTRACT.columns)
    contract = replace(CONTRACT, columns=strict)
    proof = proved(forest, with_text(converted(forest), null=0.0, other=0.0), contract)
    assert proof.passes()
    assert {Kind.NULL, Kind.UNSEEN}.isdisjoint(check.kind for check in proof.checks)
    assert proof.narrowed(contract) == contract


def test_an_original_that_refuses_makes_the_column_required_or_closed(forest: RandomForestClassifier):
    def strict(columns: Mapping[str, Any]) -> np.ndarray:
        if np.isnan(columns["age"]).any():
            raise ValueError("age contains NaN")
        if not set(columns["job"]) <= {*LEVELS, None}:
            raise ValueError("unknown job")
        return forest.predict_proba(coded(columns))

    model = with_text(converted(forest)).SerializeToString()
    proof = prove(strict, model, CONTRACT, frame(seed=1), encode=encoded)
    narrowed = {column.name: column for column in proof.narrowed(CONTRACT).columns}
    assert [name for name, column in narrowed.items() if not column.null_ok] == ["age"]
    assert narrowed["job"].closed
    assert proof.passes()
    assert any("the original: ValueError: age contains NaN" in check.error for check in proof.checks)


def test_an_unseen_held_out_value_is_not_blamed_on_other_columns(forest: RandomForestClassifier):
    columns = frame(seed=1)
    columns["job"][:200] = "astronaut"
    model = with_text(converted(forest), other=0.0).SerializeToString()
    proof = prove(lambda rows: forest.predict_proba(coded(rows)), model, CONTRACT, columns, encode=encoded)
    narrowed = proof.narrowed(CONTRACT)
    assert [column.name for column in narrowed.columns if column.closed] == ["job"]
    assert all(column.null_ok for column in narrowed.columns)
    assert proof.passes()


def test_the_token_for_missing_text_is_found(forest: RandomForestClassifier):
    model = with_text(converted(forest))
    (encoder,) = [node for node in model.graph.node if node.op_type == "LabelEncoder"]
    (keys,) = [attribute for attribute in encoder.attribute if attribute.name == "keys_strings"]
    keys.strings[-1] = b"nan"
    proof = proved(forest, model)
    assert proof.narrowed(CONTRACT).columns[-1] == replace(CONTRACT.columns[-1], null_token="nan")
    assert proof.passes()


def test_nothing_passes_if_the_contract_allows_no_held_out_row(forest: RandomForestClassifier):
    columns = frame(seed=1)
    columns["age"][:] = np.nan
    model = with_text(converted(forest))
    change(model, "nodes_missing_value_tracks_true", lambda flags: 1 - flags)
    proof = prove(
        lambda rows: forest.predict_proba(coded(rows)), model.SerializeToString(), CONTRACT, columns, encode=encoded
    )
    assert not proof.passes()


def test_other_shapes_do_not_pass(forest: RandomForestClassifier):
    model = with_text(converted(forest)).SerializeToString()
    proof = prove(lambda rows: np.ones(len(rows["age"])), model, CONTRACT, frame(seed=1), encode=encoded)
    assert not proof.passes()
    assert "the original answers [" in proof.checks[0].error


def test_a_flipped_class_at_equal_probability_is_no_disagreement():
    inputs = np.array([[0.0], [1.0]], np.float32).repeat(20, axis=0)
    forest = RandomForestClassifier(4, random_state=0).fit(inputs, np.arange(40) % 2)
    contract = Contract(Task.CLASSIFICATION, "y", (Column("x", ColumnType.DOUBLE, 0),))
    model = convert(forest, 1)
    model.graph.input[0].name = "numbers"
    for node in model.graph.node:
        node.input[:] = ["numbers" if name == "inputs" else name for name in node.input]

    def nearly(columns: Mapping[str, Any]) -> np.ndarray:
        return forest.predict_proba(np.float32(columns["x"])[:, None]) + np.array([5e-5, -5e-5])

    held_out = {"x": inputs[:, 0].astype(np.float64)}
    assert prove(nearly, model.SerializeToString(), contract, held_out, encode=encoded).passes(0.0)


@pytest.mark.parametrize(("shift", "passes"), [(0.5, True), (20.0, False)])
def test_a_quantity_may_differ_by_a_part_of_its_spread(shift: float, passes: bool):
    columns = frame()
    prices = 200_000 + 10_000 * outcome(columns)
    spread = float(np.subtract(*np.quantile(prices, [0.75, 0.25])))
    forest = RandomForestRegressor(8, max_depth=6, random_state=0).fit(coded(columns), prices)
    contract = replace(CONTRACT, task=Task.REGRESSION)
    proof = prove(
        lambda rows: forest.predict(coded(rows)) + shift,
        with_text(convert(forest, CONTRACT.numbers + 1)).SerializeToString(),
        contract,
        frame(seed=1),
        encode=encoded,
        scale=spread,
    )
    assert 0.5 < 1e-4 * spread < 20
    assert proof.passes() is passes


def test_no_rows_prove_nothing(forest: RandomForestClassifier):
    none = {name: values[:0] for name, values in frame().items()}
    with pytest.raises(ValueError, match="no held-out rows"):
        prove(forest.predict_proba, b"", CONTRACT, none, encode=encoded)


def test_a_model_that_does_not_load_is_refused(forest: RandomForestClassifier):
    with pytest.raises(CannotConvert, match="does not load"):
        prove(forest.predict_proba, b"no model", CONTRACT, frame(), encode=encoded)


def test_a_proof_that_is_not_done_in_time_says_how_far_it_came(
    forest: RandomForestClassifier, monkeypatch: pytest.MonkeyPatch
):
    """Each look at the clock finds a second more: that of the start, and of each question."""
    model = with_text(converted(forest))
    monkeypatch.setattr(time, "monotonic", itertools.count().__next__)
    with pytest.raises(
        ProofTimeout,
        match=r"not done after 1 seconds: the two models had answered [1-9][\d,]* rows, ",
    ):
        proved(forest, model, seconds=1)
    assert proved(forest, model, seconds=100).passes(0.0)
