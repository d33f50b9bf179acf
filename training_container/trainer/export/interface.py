"""What serving needs of a model type's ONNX model: one input, one output, and answers that are answers."""

import numpy as np
import onnx

from mlops_contract import Task
from mlops_contract.agreement import TOLERANCE
from trainer.data import Dataset
from trainer.errors import ParityError
from trainer.models.protocols import Trained

INPUT = "inputs"
_OUTPUTS = {Task.CLASSIFICATION: "probabilities", Task.REGRESSION: "prediction"}


def converted(trained: Trained, dataset: Dataset) -> onnx.ModelProto:
    """Return the ONNX model of a trained one.

    Raises:
        ParityError: What the model type gave is no such model. Says what serving needs.
    """
    if not isinstance(trained, Trained):
        raise ParityError(
            f"the model type gave a {type(trained).__qualname__}, which lacks a method of trainer.models.Trained: let "
            "its class inherit from that one"
        )
    content = trained.to_onnx()
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's own, which has no types
        raise ParityError("`to_onnx` of the trained model does not return the bytes of an ONNX model") from error
    constants = {constant.name for constant in model.graph.initializer}
    inputs = [_described(value) for value in model.graph.input if value.name not in constants]
    outputs = [_described(value) for value in model.graph.output]
    output, width = _OUTPUTS[dataset.task], dataset.classes if dataset.task is Task.CLASSIFICATION else 1
    if inputs != [(INPUT, "float32", [dataset.features])] or [value[:2] for value in outputs] != [(output, "float32")]:
        raise ParityError(
            f"the ONNX model takes {inputs} and gives {outputs}; serving wants one float32 input "
            f"`{INPUT}` [n, {dataset.features}] and one float32 output `{output}` [n, {width}]"
        )
    return model


def check_answers(answers: np.ndarray, rows: int, task: Task) -> None:
    """Raise ParityError if answers are not float32 `[rows, k]`, finite, and probabilities where they should be."""
    if answers.ndim != 2 or len(answers) != rows or not np.isfinite(answers).all():
        raise ParityError(
            "the ONNX model's answers to the held-out rows are not finite numbers, one row for each input; a missing "
            "number or category is NaN there, and has to be filled in the graph"
        )
    if task is Task.CLASSIFICATION and np.abs(answers.sum(axis=1) - 1).max() > TOLERANCE:
        raise ParityError("the ONNX model's probabilities do not sum to 1")


def _described(value: onnx.ValueInfoProto) -> tuple[str, str, list[int | str]]:
    """Return name, type and shape of an input or output, without the number of rows."""
    tensor = value.type.tensor_type
    kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else "no tensor"
    return value.name, kind, [size.dim_param or size.dim_value for size in tensor.shape.dim[1:]]
