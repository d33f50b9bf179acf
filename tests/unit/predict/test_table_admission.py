"""Files with a contract of named columns: what the gate admits predict answers, and what it refuses it names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused
from mlops.inference.table_rows import generated_table_rows
from mlops_contract import Column, ColumnType, Task
from mlops_contract.onnx_file import ModelFile
from mlops_contract.rows import RowEncoder
from promotion.examination import Limits, Placement, examine, examine_apart
from promotion.gate import GateSettings, check_integrity
from tests.support.serving import Served
from tests.support.table_models import COLUMNS, NUMBER_COLUMNS, ROW, changed, contract, self_test, table_onnx

MODEL = "digit-classifier"
PLACEMENT = Placement(MODEL, 7, Stage.PRODUCTION, "run", {"accuracy": 0.9}, "tr_7")
LIMITS = Limits(memory_mb=1769)
REGRESSION = contract(task=Task.REGRESSION)
TEXTS = contract((Column("text", ColumnType.STRING, 0),))

HONEST: dict[str, Callable[[], ModelProto]] = {
    "classes": lambda: table_onnx(contract()),
    "a quantity": lambda: table_onnx(REGRESSION),
    "numbers only": lambda: table_onnx(contract(NUMBER_COLUMNS)),
    "text only": lambda: table_onnx(TEXTS),
    "nothing may be null": lambda: table_onnx(
        contract(tuple(replace(column, null_ok=False, absent_ok=False) for column in COLUMNS))
    ),
    "the empty text is a level": lambda: table_onnx(contract(changed("job", levels=("", "baker"), null_token="None"))),
    "limits of any size": lambda: table_onnx(contract(changed("visits", low=-1e308, high=1e308))),
    "right self-test": lambda: table_onnx(contract(), metadata={"self_test": self_test(contract(), [ROW, ROW])}),
    "right self-test of a quantity": lambda: table_onnx(
        REGRESSION, metadata={"self_test": self_test(REGRESSION, [ROW])}
    ),
}


def without_one(name: str) -> ModelProto:
    """A file whose contract has another number of columns than the graph."""
    document = contract((*COLUMNS, Column("more", ColumnType.DOUBLE, 7))).to_document()
    return table_onnx(contract(), metadata={name: document})


def spoiled(value: float) -> ModelProto:
    """A regression whose weights have become this number."""
    made = table_onnx(REGRESSION)
    for tensor in made.graph.initializer:
        if tensor.name == "b":
            tensor.CopyFrom(numpy_helper.from_array(np.array([value], np.float32), "b"))
    return made


def with_metadata(**metadata: Any) -> ModelProto:
    return table_onnx(contract(), metadata=metadata)


def one_row() -> ModelProto:
    made = table_onnx(contract())
    for entry in (*made.graph.input, *made.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    return made


HOSTILE: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "another width": (lambda: without_one("contract"), r"needs the inputs numbers: tensor\(float\) \[n, 8\]"),
    "no contract": (lambda: with_metadata(contract=None), "or a contract of named columns"),
    "a contract of nothing": (lambda: with_metadata(contract={}), "contract.task"),
    "a contract of text": (lambda: with_metadata(contract="columns"), "contract is not an object"),
    "another task": (lambda: with_metadata(contract=REGRESSION.to_document()), "needs the output prediction"),
    "rows are one": (one_row, "number of rows is fixed"),
    "logits": (lambda: table_onnx(contract(), logits=True), "not probabilities"),
    "one class": (lambda: table_onnx(contract(), classes=1), "at least two classes"),
    "labels that read the same": (lambda: with_metadata(labels=[1, "1"]), "two of its labels"),
    "a quantity with labels": (lambda: table_onnx(REGRESSION, metadata={"labels": ["a"]}), "neither labels"),
    "NaN": (lambda: spoiled(float("nan")), "finite"),
    "infinity": (lambda: spoiled(float("inf")), "finite"),
    "wrong self-test": (
        lambda: with_metadata(self_test=self_test(contract(), [ROW], 0.01)),
        "differ from its self-test",
    ),
    "wrong self-test of a quantity": (
        lambda: table_onnx(REGRESSION, metadata={"self_test": self_test(REGRESSION, [ROW], 0.01)}),
        "differ from its self-test",
    ),
    "self-test of other rows": (
        lambda: with_metadata(self_test=self_test(contract(), [ROW]) | {"rows": [ROW, ROW]}),
        "1 answers for 2 rows",
    ),
    "self-test that the contract refuses": (
        lambda: with_metadata(self_test=self_test(contract(), [ROW]) | {"rows": [{"age": "old"}]}),
        "age: must be a number",
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_the_gate_admits_predict_answers(store: Any, start: Any, name: str) -> None:
    data = bytes(HONEST[name]().SerializeToString())
    manifest = examine(ModelFile(data), PLACEMENT, LIMITS).manifest
    assert manifest.input is None
    assert manifest.contract is not None
    store.promote(Served(manifest, data))
    predict = start()
    for kind, rows in generated_table_rows(manifest.contract, seed=99):
        batch = predict.call({"rows": rows}, "/predict/batch")
        assert batch.status == 200, f"{kind}: {batch.text}"
        assert batch.json["batch_size"] == len(rows)
        single = predict.call({"row": rows[0]})
        alone, first = (single.json["prediction"], batch.json["predictions"][0])
        assert alone == (pytest.approx(first, rel=1e-4) if manifest.predicts_quantity else first)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_predict_cannot_answer_the_gate_refuses_with_the_reason(name: str) -> None:
    build, reason = HOSTILE[name]
    with pytest.raises(ModelRefused, match=reason):
        examine(ModelFile(bytes(build().SerializeToString())), PLACEMENT, LIMITS)


def test_what_is_generated_has_each_null_that_is_allowed_and_values_from_everywhere() -> None:
    rows = dict(generated_table_rows(contract()))
    assert all(row[name] is None for row in rows["nulls"] for name in ("age", "job", "visits", "member", "since"))
    assert {row["plan"] for row in rows["nulls"]} == {"basic", "gold"}
    assert {row["job"] for row in rows["values that training has not seen"]}.isdisjoint({"nurse", "baker", "pilot"})
    ages = [row["age"] for row in rows["the smallest and largest values, and a little beyond"]]
    assert (min(ages), max(ages)) == (18 - 7.2, 90 + 7.2)
    assert "note" not in rows["rows with the required columns only"][0]
    for each in rows.values():
        RowEncoder(contract()).encode(each)


def test_in_a_process_of_its_own_it_says_the_same() -> None:
    data = bytes(HONEST["right self-test"]().SerializeToString())
    apart, here = (
        examine_apart(ModelFile(data), PLACEMENT, LIMITS).manifest,
        examine(ModelFile(data), PLACEMENT, LIMITS).manifest,
    )
    assert replace(apart, written_at="") == replace(here, written_at="")


@pytest.mark.parametrize(
    ("name", "about"), [("classes", "7 columns, 2 classes"), ("a quantity", "7 columns, a quantity")]
)
def test_the_gate_says_what_was_loaded(name: str, about: str) -> None:
    file = ModelFile(bytes(HONEST[name]().SerializeToString()))
    results = check_integrity(file, None, lambda: examine(file, PLACEMENT, LIMITS), GateSettings()).results
    (serves,) = [result for result in results if result.check == "serves"]
    assert serves.passed
    assert serves.detail == f"{about}; loaded and asked as by predict"
