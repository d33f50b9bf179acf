"""The explanations of a model that serves: its further output, and the file beside it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from mlops_contract import Task
from mlops_contract.explanations import ENCODED, Explanation, Linear, NoExplanation, Sum

CHECKED_ROWS = 100

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Explained:
    """What explains a model's answers, or why nothing does.

    Attributes:
        content: The file `explain.npz`; None if there is none.
        entry: What the model's description says of it: `sha256` and `size`, or `reason`.
    """

    content: bytes | None
    entry: Mapping[str, Any]


def unexplained(reason: str) -> Explained:
    """Return that a model's answers are not explained."""
    return Explained(None, {"reason": reason})


def explained(
    make: Callable[[], Explanation], session: onnxruntime.InferenceSession, output: str, feeds: Mapping[str, Array]
) -> Explained:
    """Make the file, and check that its sums are the model's answers.

    Args:
        make: Returns how the model is explained, by the columns of its contract. Raises NoExplanation.
        session: The model, with the output `encoded`.
        output: The name of the other output.
        feeds: The inputs of some rows.
    """
    try:
        explanation = make()
        content = explanation.to_bytes()
    except NoExplanation as error:
        return unexplained(str(error))
    few = {name: values[:CHECKED_ROWS] for name, values in feeds.items()}
    answers, encoded = session.run([output, ENCODED], few)
    off = sum(not explanation.fits(row, answer) for row, answer in zip(encoded, answers, strict=True))
    if off:
        return unexplained(
            f"the parts of {off} of {len(answers)} answers do not add up to them; only exact explanations are given"
        )
    return Explained(content, {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)})


def explain_linear(weights: Array, start: Array, means: Array, task: Task) -> Explanation:
    """Return how a linear model is explained, by its own inputs.

    Args:
        weights: Its coefficients, float64 `[outputs, inputs]`; of two classes those of the second.
        start: Its intercepts, float64 `[outputs]`.
        means: Those of its inputs in training, float64 `[inputs]`.
        task: What it predicts. Of classes, the sums are log-odds, or scores for softmax.
    """
    kind = Sum.VALUE
    if task is Task.CLASSIFICATION:
        kind = Sum.LOG_ODDS if len(weights) == 1 else Sum.SCORE
    return Explanation(kind, Linear(weights, means, np.asarray(start)), np.arange(len(means), dtype=np.int32))


def expose(model: onnx.ModelProto, value: str) -> None:
    """Make a value of a model its further output `encoded`, float32 `[n, features]`, in place."""
    for node in model.graph.node:
        node.input[:] = [ENCODED if name == value else name for name in node.input]
        node.output[:] = [ENCODED if name == value else name for name in node.output]
    model.graph.output.append(helper.make_tensor_value_info(ENCODED, TensorProto.FLOAT, ["n", "features"]))
