"""The ONNX model of a forest."""

from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from mlops_conversion.errors import CannotConvert
from mlops_conversion.trees.forest import Array, Forest, Output, Tree

OPSET, ML_OPSET, IR_VERSION = 20, 5, 10
LARGEST_FILE = 2**31 - 1
"""Protocol buffers have no larger message."""
LARGEST_LEAF = 1 << 24
"""float32 has all whole numbers up to this one; leaves of several values are looked up by number."""
_LESS_OR_EQUAL, _LESS, _MEMBER = 0, 1, 6
_SUM = 1


def to_onnx(forest: Forest, features: int, output: Output) -> onnx.ModelProto:
    """Write a forest as an ONNX model, as `mlops_conversion.trees.convert` describes it.

    Raises:
        CannotConvert: The file would be too large.
    """
    classes = {Output.SHARES: forest.outputs, Output.LOGITS: forest.outputs, Output.LOGIT: 2}.get(output)
    name, width = ("prediction", 1) if classes is None else ("probabilities", classes)
    graph = _Graph([], [])
    if output is Output.SHARES and forest.outputs == 2:
        _both_classes(graph, _sum(graph, _second_class(forest)), name)
    elif output is Output.SHARES:
        _looked_up(graph, forest, name)
    else:
        _linked(graph, _centred(forest), output, name)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "trees",
            [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", features])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="mlops_conversion",
    )
    if model.ByteSize() > LARGEST_FILE:
        splits = sum(tree.splits for tree in forest.trees)
        raise CannotConvert(
            f"the model has {splits} splits, so its file would be over 2 GB; fit fewer or smaller trees"
        )
    return model


@dataclass(frozen=True)
class _Graph:
    """What a graph is made of so far."""

    nodes: list[NodeProto]
    constants: list[TensorProto]

    def add(self, operator: str, inputs: list[str], result: str, **attributes: int) -> str:
        """Add a node, and return the name of its result."""
        node = helper.make_node(operator, inputs, [result])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return result

    def constant(self, name: str, values: Array) -> str:
        """Add a constant, and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _linked(graph: _Graph, forest: Forest, output: Output, name: str) -> None:
    if output is Output.LOG_QUANTITY:
        # The base has its own factor: the exponential of the whole would multiply its rounding.
        factor = graph.constant("factor", np.exp(forest.base).astype(np.float32))
        graph.add("Mul", [graph.add("Exp", [_sum(graph, forest)], "exponential"), factor], name)
        return
    total = graph.add("Add", [_sum(graph, forest), graph.constant("base", forest.base.astype(np.float32))], "total")
    if output is Output.LOGIT:
        _both_classes(graph, graph.add("Sigmoid", [total], "second"), name)
    elif output is Output.LOGITS:
        graph.add("Softmax", [total], name, axis=1)
    else:
        graph.add("Identity", [total], name)


def _both_classes(graph: _Graph, second: str, name: str) -> None:
    first = graph.add("Sub", [graph.constant("one", np.array(1, np.float32)), second], "first")
    graph.add("Concat", [first, second], name, axis=1)


def _second_class(forest: Forest) -> Forest:
    """Return the forest of the second class's probabilities: those of the first are the rest to 1."""
    trees = tuple(replace(tree, values=tree.values[:, 1:]) for tree in forest.trees)
    return replace(forest, trees=trees, base=forest.base[1:])


def _centred(forest: Forest) -> Forest:
    """Return an equal forest whose leaves are about zero, tree by tree, with the means in its base.

    The sum is in float32: around a large mean it would lose the digits that tell one row from the next.
    """
    base = forest.base.copy()
    trees = []
    for tree in forest.trees:
        mean = tree.values.mean()
        base[tree.target] += mean
        trees.append(replace(tree, values=tree.values - mean))
    return replace(forest, trees=tuple(trees), base=base)


def _sum(graph: _Graph, forest: Forest) -> str:
    """Add the sum of trees whose leaves have one value each, `[n, outputs]`, without the forest's base."""
    targets = np.concatenate([np.full(len(tree.values), tree.target) for tree in forest.trees])
    weights = np.concatenate([tree.values[:, 0] for tree in forest.trees]).astype(np.float32)
    graph.nodes.append(_ensemble(forest, targets, weights, forest.outputs))
    return "trees"


def _looked_up(graph: _Graph, forest: Forest, name: str) -> None:
    """Add the sum of trees whose leaves have several values each.

    An ONNX leaf has one value. So each tree gives the number of its leaf, and the leaf's values are in a table.
    """
    sizes = np.array([len(tree.values) for tree in forest.trees])
    if sizes.max() > LARGEST_LEAF:
        raise CannotConvert(f"a tree has {sizes.max()} leaves, and {LARGEST_LEAF} are possible; fit smaller trees")
    targets = np.repeat(np.arange(len(sizes)), sizes)
    weights = np.concatenate([np.arange(size, dtype=np.float32) for size in sizes])
    graph.nodes.append(_ensemble(forest, targets, weights, len(sizes)))
    numbers = graph.add("Cast", ["trees"], "numbers_in_tree", to=TensorProto.INT64)
    starts = graph.constant("starts", np.cumsum(sizes) - sizes)
    rows = graph.add("Add", [numbers, starts], "rows")
    table = np.concatenate([tree.values for tree in forest.trees]).astype(np.float32)
    values = graph.add("Gather", [graph.constant("leaves", table), rows], "values", axis=0)
    axes = graph.constant("axes", np.array([1], np.int64))
    graph.add("ReduceSum", [values, axes], name, keepdims=0)


def _ensemble(forest: Forest, targets: Array, weights: Array, outputs: int) -> NodeProto:
    """Return the node that gives `trees`, float32 `[n, outputs]`: each leaf adds its weight to its target."""
    trees = [tree if tree.splits else _with_a_split(tree) for tree in forest.trees]
    splits = np.array([tree.splits for tree in trees])
    first_split = np.cumsum(splits) - splits
    leaves = np.array([len(tree.values) for tree in trees])
    first_leaf = np.cumsum(leaves) - leaves

    def flat(name: str) -> Array:
        return np.concatenate([getattr(tree, name) for tree in trees])

    left, right = flat("left"), flat("right")
    split_of, leaf_of = np.repeat(first_split, splits), np.repeat(first_leaf, splits)
    modes = np.full(len(left), _LESS if forest.strict else _LESS_OR_EQUAL, np.uint8)
    members = {
        int(start) + at: codes
        for start, tree in zip(first_split, trees, strict=True)
        for at, codes in tree.members.items()
    }
    modes[list(members)] = _MEMBER
    numbers = {
        "nodes_featureids": flat("feature"),
        "nodes_truenodeids": np.where(left < 0, leaf_of - 1 - left, split_of + left),
        "nodes_falsenodeids": np.where(right < 0, leaf_of - 1 - right, split_of + right),
        "nodes_trueleafs": left < 0,
        "nodes_falseleafs": right < 0,
        "nodes_missing_value_tracks_true": flat("missing_left"),
        "tree_roots": first_split,
        "leaf_targetids": targets,
    }
    tensors = {"nodes_splits": flat("threshold"), "nodes_modes": modes, "leaf_weights": weights}
    if members:
        end = np.array([np.nan], np.float32)
        sets = [part for at in sorted(members) for part in (members[at].astype(np.float32), end)]
        tensors["membership_values"] = np.concatenate(sets)
    node = NodeProto(op_type="TreeEnsemble", domain="ai.onnx.ml", input=["inputs"], output=["trees"])
    for name, values in numbers.items():
        attribute = node.attribute.add(name=name, type=AttributeProto.INTS)
        attribute.ints.extend(values.astype(np.int64).tolist())
    for name, values in tensors.items():
        node.attribute.add(name=name, type=AttributeProto.TENSOR, t=numpy_helper.from_array(values, name))
    for name, number in (("n_targets", outputs), ("aggregate_function", _SUM), ("post_transform", 0)):
        node.attribute.add(name=name, type=AttributeProto.INT, i=number)
    return node


def _with_a_split(tree: Tree) -> Tree:
    """Return a tree of one leaf as ONNX wants it: with one split, both of whose branches are the leaf."""
    leaf = np.full(1, -1)
    return replace(
        tree,
        feature=np.zeros(1, np.int64),
        threshold=np.zeros(1, np.float32),
        left=leaf,
        right=leaf,
        missing_left=np.zeros(1, bool),
    )
