"""Put nodes before and behind an ONNX model: what is done to the inputs, and to the answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

INPUTS = "inputs"
PROBABILITIES, PREDICTION = "probabilities", "prediction"

Constants = Mapping[str, np.ndarray[Any, Any]]


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> NodeProto:
    """Return a node with one output, which names the node too."""
    return helper.make_node(operator, list(inputs), [output], name=output, **attributes)


def before(model: onnx.ModelProto, features: int, nodes: Sequence[NodeProto], constants: Constants, made: str) -> None:
    """Let a model take `inputs` float32 `[n, features]`, of which the nodes make its only input.

    Args:
        model: Is changed.
        features: The width of `inputs`.
        nodes: From `inputs` to `made`.
        constants: The tensors that the nodes name.
        made: The name of what the nodes make.
    """
    graph = model.graph
    _rename(graph, graph.input[0].name, made if nodes else INPUTS)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(INPUTS, TensorProto.FLOAT, ["n", features]))
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *own])
    graph.initializer.extend(_tensors(constants))


def behind(model: onnx.ModelProto, nodes: Sequence[NodeProto], constants: Constants, raw: str, output: str) -> None:
    """Put nodes behind a model's only output.

    Args:
        model: Is changed.
        nodes: From `raw` to `output`. Without nodes the output is just renamed.
        constants: The tensors that the nodes name.
        raw: The new name of what the model gave before.
        output: The name of the output.
    """
    graph = model.graph
    info = graph.output[0]
    _rename(graph, info.name, raw if nodes else output)
    graph.node.extend(nodes)
    graph.initializer.extend(_tensors(constants))
    shape = [item.dim_value or "n" for item in info.type.tensor_type.shape.dim]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))


def keep_only(model: onnx.ModelProto, output: str) -> None:
    """Drop the other outputs of a model (the label, which serving does not need), and the nodes for them."""
    graph = model.graph
    needed, kept = {output}, []
    for item in reversed(graph.node):
        if needed.intersection(item.output):
            needed.update(item.input)
            kept.append(item)
    initializers = [item for item in graph.initializer if item.name in needed]
    outputs = [item for item in graph.output if item.name == output]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(initializers)
    graph.output.extend(outputs)


def _tensors(constants: Constants) -> list[TensorProto]:
    return [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for item in graph.node:
        item.input[:] = [new if name == old else name for name in item.input]
        item.output[:] = [new if name == old else name for name in item.output]
