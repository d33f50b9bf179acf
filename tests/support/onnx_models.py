"""Small ONNX models, honest and hostile, as people and attackers make them."""

import json
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

FEATURES, CLASSES = 4, 3
FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


def model(
    nodes: list[NodeProto],
    initializers: dict[str, np.ndarray] | None = None,
    *,
    batch: str | int | None = "n",
    features: int | str = FEATURES,
    inputs: list[Any] | None = None,
    outputs: list[Any] | None = None,
    opset: int = 17,
    metadata: Any = None,
    domain: str | None = None,
) -> ModelProto:
    """A graph from `x`, float32 `[batch, features]`, to `p`, float32 `[batch, 3]`, unless other ones are given."""
    tensors = [numpy_helper.from_array(value, name) for name, value in (initializers or {}).items()]
    graph = helper.make_graph(
        nodes,
        "model",
        inputs or [helper.make_tensor_value_info("x", FLOAT, [batch, features])],
        outputs or [helper.make_tensor_value_info("p", FLOAT, [batch, CLASSES])],
        tensors,
    )
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if metadata is not None:
        helper.set_model_props(made, {"mlops": metadata if isinstance(metadata, str) else json.dumps(metadata)})
    return made


def node(kind: str, sources: str, targets: str, **attributes: Any) -> NodeProto:
    """A node; names are separated by blanks."""
    return helper.make_node(kind, sources.split(), targets.split(), **attributes)


def weights(columns: int = CLASSES, rows: int = FEATURES) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(5)
    return {
        "w": generator.standard_normal((rows, columns)).astype(np.float32) / 4,
        "b": generator.standard_normal(columns).astype(np.float32) / 4,
    }


LINEAR = [node("Gemm", "x w b", "z")]
SOFTMAX = [*LINEAR, node("Softmax", "z", "p", axis=1)]


def classifier(**changes: Any) -> ModelProto:
    """Linear, then softmax: what any gate admits."""
    return model(SOFTMAX, weights(), **changes)


def after_linear(*nodes: NodeProto, **more: np.ndarray) -> ModelProto:
    """Linear, then these nodes from `z` to `p`."""
    return model([*LINEAR, *nodes], {**weights(), **more})


def column(*nodes: NodeProto) -> ModelProto:
    """One number per row: a regressor, or with a sigmoid a binary classifier of one output."""
    output = [helper.make_tensor_value_info("p", FLOAT, ["n", 1])]
    return model([node("Gemm", "x w b", "z"), *nodes], weights(1), outputs=output)


def constants(values: list[float]) -> ModelProto:
    """The same numbers for each row."""
    zeros = np.zeros((FEATURES, CLASSES), np.float32)
    return model([node("Gemm", "x w b", "p")], {"w": zeros, "b": np.array(values, np.float32)})


def branching() -> ModelProto:
    """If the first row's sum is positive, one softmax, else another."""
    branches = [
        helper.make_graph(
            [node("Softmax", "z", name, axis=1)],
            name,
            [],
            [helper.make_tensor_value_info(name, FLOAT, ["n", CLASSES])],
        )
        for name in ("yes", "no")
    ]
    return model(
        [
            *LINEAR,
            node("ReduceSum", "x", "sum", keepdims=0),
            node("Greater", "sum zero", "positive"),
            node("If", "positive", "p", then_branch=branches[0], else_branch=branches[1]),
        ],
        {**weights(), "zero": np.array(0, np.float32)},
    )


def endless() -> ModelProto:
    """A loop that never ends, then softmax."""
    body = helper.make_graph(
        [node("Identity", "true", "go_on"), node("Identity", "carried", "passed")],
        "body",
        [
            helper.make_tensor_value_info("turn", INT64, []),
            helper.make_tensor_value_info("unused", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", FLOAT, ["n", CLASSES]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("passed", FLOAT, ["n", CLASSES]),
        ],
    )
    return model(
        [*LINEAR, node("Loop", "turns true z", "y", body=body), node("Softmax", "y", "p", axis=1)],
        {**weights(), "turns": np.array(2**62, np.int64), "true": np.array(True)},
    )


def large(floats: int) -> ModelProto:
    """A file of some hundred bytes that takes that many float32 when it is asked."""
    return model(
        [
            *LINEAR,
            node("ConstantOfShape", "size", "much", value=numpy_helper.from_array(np.ones(1, np.float32))),
            node("ReduceMax", "much", "one", keepdims=0),
            node("Mul", "z one", "y"),
            node("Softmax", "y", "p", axis=1),
        ],
        {**weights(), "size": np.array([floats], np.int64)},
    )
