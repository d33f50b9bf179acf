"""Table models as promotion would have put them up for serving: named columns in, classes or a quantity out."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from mlops.domain.manifest import Manifest, model_key
from mlops.domain.model_description import ModelOutput
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_contract.contract import CATEGORIES, NUMBERS
from mlops_contract.rows import RowEncoder
from tests.support.serving import Served

LABELS = ("stays", "leaves")
COLUMNS = (
    Column("age", ColumnType.DOUBLE, 0, low=18.0, high=90.0),
    Column("job", ColumnType.STRING, 0, levels=("nurse", "baker", "pilot")),
    Column("visits", ColumnType.LONG, 1, low=0, high=300),
    Column("member", ColumnType.BOOLEAN, 2),
    Column("since", ColumnType.DATETIME, 3),
    Column("plan", ColumnType.STRING, 1, null_ok=False, closed=True, levels=("basic", "gold")),
    Column("note", ColumnType.STRING, 2, absent_ok=True),
)
"""One column of each type: `plan` is closed and must not be null, rows may lack `note`."""
ROW = {
    "age": 41.5,
    "job": "baker",
    "visits": 12,
    "member": True,
    "since": "2024-05-17T08:30:00Z",
    "plan": "gold",
    "note": "called twice",
}
NUMBER_COLUMNS = (Column("width", ColumnType.DOUBLE, 0, null_ok=False), Column("count", ColumnType.LONG, 1))


def contract(columns: tuple[Column, ...] = COLUMNS, task: Task = Task.CLASSIFICATION) -> Contract:
    return Contract(task, "outcome", columns)


def table_onnx(
    made: Contract, *, classes: int = len(LABELS), metadata: dict[str, Any] | None = None, logits: bool = False
) -> ModelProto:
    """Strings to codes, missing numbers to zero, then linear; then a softmax, unless it is a regression or `logits`."""
    regression = made.task is Task.REGRESSION
    width = 1 if regression else classes
    nodes, parts, inputs, initializers = [], [], [], [numpy_helper.from_array(np.zeros(1, np.float32), "zero")]
    if made.numbers:
        inputs.append(helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, ["n", made.numbers]))
        nodes += [
            helper.make_node("IsNaN", [NUMBERS], ["missing"]),
            helper.make_node("Where", ["missing", "zero", NUMBERS], ["filled"]),
        ]
        parts.append("filled")
    if made.categories:
        inputs.append(helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, ["n", made.categories]))
        for column in (column for column in made.columns if column.type is ColumnType.STRING):
            at, code, levels = f"at_{column.position}", f"code_{column.position}", column.levels or ("a",)
            initializers.append(numpy_helper.from_array(np.array([column.position], np.int64), at))
            nodes += [
                helper.make_node("Gather", [CATEGORIES, at], [f"text_{column.position}"], axis=1),
                helper.make_node(
                    "LabelEncoder",
                    [f"text_{column.position}"],
                    [code],
                    domain="ai.onnx.ml",
                    keys_strings=list(levels),
                    values_floats=[float(index + 1) for index in range(len(levels))],
                    default_float=0.0,
                ),
            ]
            parts.append(code)
    random = np.random.default_rng(3)
    weights = random.standard_normal((made.numbers + made.categories, width)).astype(np.float32)
    # Days since 2000 are thousands: as other models do, this one scales what it takes.
    weights[: made.numbers] /= 10_000 if made.numbers > len(NUMBER_COLUMNS) else 10
    initializers += [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.full(width, 0.1, np.float32), "b"),
    ]
    nodes.append(helper.make_node("Concat", parts, ["x"], axis=1))
    nodes.append(helper.make_node("Gemm", ["x", "w", "b"], [made.output if regression or logits else "z"]))
    if not regression and not logits:
        nodes.append(helper.make_node("Softmax", ["z"], [made.output], axis=1))
    outputs = [helper.make_tensor_value_info(made.output, TensorProto.FLOAT, ["n", width])]
    graph = helper.make_graph(nodes, "table", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    labels = {} if regression else {"labels": list(LABELS[:classes])}
    document = {"contract": made.to_document(), **labels, **(metadata or {})}
    helper.set_model_props(model, {"mlops": json.dumps(document)})
    return model


def self_test(made: Contract, rows: list[dict[str, Any]], error: float = 0.0) -> dict[str, Any]:
    """The self-test of `table_onnx`, with answers that are `error` off."""
    import onnxruntime

    session = onnxruntime.InferenceSession(table_onnx(made).SerializeToString(), providers=["CPUExecutionProvider"])
    answers = session.run([made.output], RowEncoder(made).encode(rows).feeds)[0] + np.float32(error)
    return {"rows": rows, "outputs": base64.b64encode(answers.astype("<f4").tobytes()).decode()}


def served_table(
    version: int = 1,
    *,
    model_name: str = "churn",
    stage: str = "Production",
    columns: tuple[Column, ...] = COLUMNS,
    task: Task = Task.CLASSIFICATION,
) -> Served:
    """A table model and its manifest."""
    made = contract(columns, task)
    data = bytes(table_onnx(made).SerializeToString())
    sha256 = hashlib.sha256(data).hexdigest()
    regression = task is Task.REGRESSION
    manifest = Manifest(
        model_name=model_name,
        model_version=version,
        stage=stage,
        run_id=f"{version:032x}",
        key=model_key(model_name, sha256),
        sha256=sha256,
        size=len(data),
        input=None,
        output=ModelOutput(made.output, 1 if regression else len(LABELS)),
        labels=() if regression else LABELS,
        transition_id=f"transition-{version}",
        cache_epoch=0,
        written_at="2026-01-01T00:00:00.000Z",
        contract=made,
    )
    return Served(manifest, data)


def changed(name: str, **changes: Any) -> tuple[Column, ...]:
    """COLUMNS with another column of this name."""
    return tuple(replace(column, **changes) if column.name == name else column for column in COLUMNS)
