"""Bad challengers of five kinds: ONNX files that the gate admits, and the traffic that shows what is bad about each."""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto

from tests.support.onnx_models import CLASSES, FEATURES, model, node

BEYOND = 100.0
"""A value of the last feature that neither training nor the gate has seen; the crashing challenger fails from here."""
_SIDE, _PRODUCTS = 512, 2
"""Of the matrices that the slow challenger multiplies: about ten milliseconds."""


@dataclass(frozen=True)
class Kind:
    """A kind of bad challenger.

    Attributes:
        name: What is bad about it.
        guardrail: The guardrail that ends its rollout.
        onnx: Its file.
        rows: How many rows each request has.
        growth: By how much the last feature, which is 0 to 1 at first, grows in a second.
        beyond: Share of the requests whose last feature is `BEYOND`.
        labelled: Whether the true labels of the rows come.
    """

    name: str
    guardrail: str
    onnx: bytes
    rows: int = 1
    growth: float = 0.0
    beyond: float = 0.0
    labelled: bool = False


@dataclass(frozen=True)
class _Part:
    """Nodes from `x` and `last` to `none`, zeros that broadcast to the logits; and their initializers."""

    nodes: tuple[NodeProto, ...]
    values: dict[str, np.ndarray]


def champion() -> bytes:
    """Answers with the largest of the first three features, but for one row of twenty."""
    return _classifier(0.0, 0.05)


def kinds() -> list[Kind]:
    """One challenger of each kind."""
    return [
        Kind("wrong", "max_disagreement", _classifier(0.0, 0.6)),
        Kind("slow", "max_latency_ratio", _classifier(0.0, 0.05, part=_slow())),
        Kind("crashing", "max_error_rate", _classifier(0.0, 0.05, part=_crashing()), beyond=0.2),
        # Up to twice the range that there was in training it answers nearly as the champion does.
        Kind("drifting", "max_prediction_shift", _classifier(2.0, 1e9, leans=True), growth=0.05),
        # Wrong in 8 % of the rows instead of 5 %, and right in 2 % where the champion is wrong.
        Kind("subtly worse", "min_accuracy_delta", _classifier(0.02, 0.1), rows=100, labelled=True),
    ]


def _classifier(low: float, high: float, *, leans: bool = False, part: _Part | None = None) -> bytes:
    """Answers with the largest of the first three features.

    Where the last one is from `low` to below `high`, it answers with the label after that; if it `leans`, only with
    label 0 in place of label 1.
    """
    turned = np.zeros((FEATURES, CLASSES))
    if leans:
        turned[1, 0] = 10
    else:
        turned[:CLASSES] = 10 * np.roll(np.eye(CLASSES), 1, axis=1)
    values = {"right": 5 * np.eye(FEATURES, CLASSES), "turned": turned, "low": low, "high": high}
    floats = {name: np.asarray(value, np.float32) for name, value in values.items()}
    nodes = [
        node("Gather", "x three", "last", axis=1),
        node("GreaterOrEqual", "last low", "above"),
        node("Less", "last high", "below"),
        node("And", "above below", "within"),
        node("Cast", "within", "otherwise", to=TensorProto.FLOAT),
        node("MatMul", "x right", "plain"),
        node("MatMul", "x turned", "other"),
        node("Mul", "other otherwise", "more"),
        node("Add", "plain more", "z"),
        *(part.nodes if part else ()),
        node("Sum", "z none" if part else "z", "logits"),
        node("Softmax", "logits", "p", axis=1),
    ]
    initializers = {"three": np.array([FEATURES - 1]), **floats, **(part.values if part else {})}
    return bytes(model(nodes, initializers).SerializeToString())


def _slow() -> _Part:
    """Products of large matrices, which depend on the input, so that they are not computed once for all."""
    matrix = np.random.default_rng(3).standard_normal((_SIDE, _SIDE)).astype(np.float32) / _SIDE
    nodes = [node("ReduceMax", "x", "largest", keepdims=0), node("Mul", "matrix largest", "product_0")]
    for turn in range(_PRODUCTS):
        nodes += [
            node("Tanh", f"product_{turn}", f"bounded_{turn}"),
            node("MatMul", f"bounded_{turn} matrix", f"product_{turn + 1}"),
        ]
    nodes += [node("ReduceMax", f"product_{_PRODUCTS}", "one", keepdims=0), node("Mul", "one zero", "none")]
    return _Part(tuple(nodes), {"matrix": matrix, "zero": np.array(0, np.float32)})


def _crashing() -> _Part:
    """A look-up that leaves its table where the last feature is `BEYOND` or more: onnxruntime raises an error then."""
    nodes = (
        node("GreaterOrEqual", "last beyond", "is_beyond"),
        node("Cast", "is_beyond", "step", to=TensorProto.INT64),
        node("Mul", "step far", "place"),
        node("Gather", "table place", "none", axis=0),
    )
    values = {"beyond": np.array(BEYOND, np.float32), "far": np.array(9), "table": np.zeros(3, np.float32)}
    return _Part(nodes, values)
