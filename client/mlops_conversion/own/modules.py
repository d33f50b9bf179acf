"""Modules of torch as originals."""

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from mlops_contract import Task
from mlops_contract.columns import LARGEST_WHOLE
from mlops_conversion.errors import CannotConvert
from mlops_conversion.own.graph import OPSET, Graph, Kind, Wires
from mlops_conversion.own.original import Array, Label, Original

ROWS = 256
"""Rows that decide what the module's answers are."""
_SUM_TOLERANCE = 1e-4
_PASSED_ON = frozenset({"Squeeze", "Unsqueeze", "Reshape", "Flatten", "Identity", "Cast"})
_FREE = "make the module take any number of rows: no number of rows in view, reshape or loops"


def original(model: Any, rows: Any, task: Task | None, labels: tuple[Label, ...] | None, example: Any) -> Original:
    """Return a module as an original. It is asked as `model.eval()`.

    Args:
        model: A module that takes one tensor `[n, …]`, and gives one: logits or probabilities `[n, classes]`; of two
            classes also `[n]` or `[n, 1]`; or a quantity.
        rows: A tensor as it takes it.
        task: What it predicts; needed only if it gives one number for each row.
        labels: Its classes, if they were given: then it predicts classes.
        example: A tensor to export it with, instead of the first rows.

    Raises:
        CannotConvert: It does not run, cannot be exported, or gives something else.
    """
    import torch

    model = model.eval()

    def run(tensor: Any) -> Any:
        with torch.no_grad():
            return model(tensor)

    try:
        answers = run(rows[:ROWS])
    except Exception as error:
        raise CannotConvert(
            f"the module ({type(model).__name__}) does not take the rows of data ({_reason(error)}); give data as it "
            "takes it, with its dtype (a tensor keeps it)"
        ) from error
    if not isinstance(answers, torch.Tensor) or answers.ndim not in (1, 2) or len(answers) != len(rows[:ROWS]):
        raise CannotConvert(
            f"the module ({type(model).__name__}) must give one tensor, [n, classes] or [n, 1]; wrap it in a module "
            "that returns that part alone"
        )
    values = answers.reshape(len(answers), -1).double().numpy()
    exported = _export(model, rows[:2] if example is None else example)
    task = _task(type(model).__name__, values.shape[1], task, labels)
    ending = _ending(exported, values, task, type(model).__name__)
    classes = max(values.shape[1], 2)

    def ask(tensor: Any) -> Array:
        return _ended(run(tensor).reshape(len(tensor), -1).double().numpy(), ending)

    def write(graph: Graph, wires: Wires, missing: Mapping[str, Any]) -> str:
        matrix = graph.cast(graph.joined(wires), Kind.FLOAT).name
        shaped = graph.add("Reshape", matrix, graph.constant(np.array([-1, *rows.shape[1:]], np.int64)))
        given = onnx.helper.np_dtype_to_tensor_dtype(rows.numpy().dtype)
        source = graph.add("Cast", shaped, to=given) if given != Kind.FLOAT.value else shaped
        (name,) = graph.include(exported, {exported.graph.input[0].name: source}).values()
        flat = graph.add("Reshape", name, graph.constant(np.array([-1, values.shape[1]], np.int64)))
        return _write_ending(graph, graph.add("Cast", flat, to=Kind.FLOAT.value), ending)

    return Original(task, tuple(range(classes)) if task is Task.CLASSIFICATION else (), ask, None, write)


def accepted(model: Any, row: Any, place: int) -> tuple[float, float] | None:
    """Return which whole numbers a module takes at a place of its input: an embedding has so many ids.

    Args:
        model: The module, in evaluation.
        row: A tensor of whole numbers that it takes, `[1, …]`.
        place: A place in the row, flattened.

    Returns:
        The smallest and the largest; None if it takes all that float32 has.
    """
    import torch

    known = int(row.reshape(-1)[place])

    def takes(value: int) -> bool:
        changed = row.clone()
        changed.view(-1)[place] = value
        try:
            with torch.no_grad():
                model(changed)
        except (IndexError, RuntimeError):
            return False
        return True

    def furthest(end: int) -> int:
        """Halve the way between a number that it takes, and one that it does not."""
        inside, outside = known, end
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            inside, outside = (middle, outside) if takes(middle) else (inside, middle)
        return inside

    low, high = (end if takes(end) else furthest(end) for end in (-LARGEST_WHOLE, LARGEST_WHOLE))
    return None if (low, high) == (-LARGEST_WHOLE, LARGEST_WHOLE) else (float(low), float(high))


def _task(name: str, outputs: int, task: Task | None, labels: tuple[Label, ...] | None) -> Task:
    if task is None and (outputs > 1 or labels is not None):
        task = Task.CLASSIFICATION
    if task is None:
        raise CannotConvert(
            f"the module ({name}) gives one number for each row: say what it is, with task='regression', or "
            "task='classification' for the second of two classes"
        )
    if task is Task.REGRESSION and outputs > 1:
        raise CannotConvert(f"the module ({name}) gives {outputs} quantities; make one model for each")
    return task


def _ending(exported: onnx.ModelProto, values: Array, task: Task, name: str) -> str:
    """Return what makes probabilities of the answers: "", "sigmoid", "second", "softmax"."""
    if task is Task.REGRESSION:
        return ""
    shares = bool(values.min() >= 0 and values.max() <= 1)
    if values.shape[1] > 1:
        return "" if shares and np.allclose(values.sum(axis=1), 1, atol=_SUM_TOLERANCE) else "softmax"
    if _last_operator(exported) == "Sigmoid":
        return "second"
    if shares:
        raise CannotConvert(
            f"the module ({name}) gives numbers from 0 to 1, and it is not clear whether they are probabilities; end "
            "it in torch.sigmoid, or let it give both probabilities [n, 2]"
        )
    return "sigmoid"


def _last_operator(model: onnx.ModelProto) -> str:
    """Return the operator that gives the answer, apart from those that only shape it."""
    makers = {output: node for node in model.graph.node for output in node.output}
    node = makers.get(model.graph.output[0].name)
    while node is not None and node.op_type in _PASSED_ON:
        node = makers.get(node.input[0])
    return node.op_type if node is not None else ""


def _ended(values: Array, ending: str) -> Array:
    if ending == "softmax":
        exponentials = np.exp(values - values.max(axis=1, keepdims=True))
        shares: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
        return shares
    if ending == "sigmoid":
        values = 1 / (1 + np.exp(-values))
    return np.column_stack([1 - values, values]) if ending else values


def _write_ending(graph: Graph, name: str, ending: str) -> str:
    if ending == "softmax":
        return graph.add("Softmax", name, axis=1)
    if ending == "sigmoid":
        name = graph.add("Sigmoid", name)
    if not ending:
        return name
    return graph.add("Concat", graph.add("Sub", graph.constant(np.float32(1)), name), name, axis=1)


def _export(model: Any, example: Any) -> onnx.ModelProto:
    import torch

    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (example,),
                file,  # type: ignore[arg-type]  # this exporter takes an open file too
                dynamo=False,
                opset_version=OPSET,
                input_names=["inputs"],
                output_names=["outputs"],
                dynamic_axes={"inputs": {0: "n"}, "outputs": {0: "n"}},
            )
    except Exception as error:  # torch raises a dozen unrelated types
        raise CannotConvert(
            f"the module ({type(model).__name__}) cannot be exported ({_reason(error)}); use operations that "
            f"torch.onnx.export has, and {_FREE}"
        ) from error
    return onnx.load_from_string(file.getvalue())


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
