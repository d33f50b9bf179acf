"""Convert trained models to ONNX, and prove that the converted model answers as the original does.

It stands alone: no HTTP, no AWS, and no other package of the platform but the contract. The libraries that made a
model are imported when there is such a model.
"""

from collections.abc import Sequence
from typing import Any

from mlops_contract import Task
from mlops_conversion.converted import Converted, Description
from mlops_conversion.errors import CannotConvert, ConversionError, NotProved, ProofTimeout
from mlops_conversion.limits import PROOF_SECONDS

__all__ = [
    "CannotConvert",
    "ConversionError",
    "Converted",
    "Description",
    "NotProved",
    "ProofTimeout",
    "convert",
    "describe",
]


def convert(
    model: Any,
    data: Any,
    *,
    target: Any = None,
    task: Task | str | None = None,
    labels: Sequence[int | str] | None = None,
    example: Any = None,
    observed: bool = True,
    decision_threshold: float | None = None,
    proof_seconds: float = PROOF_SECONDS,
) -> Converted:
    """Convert a model that was made elsewhere to an ONNX file that the platform serves, and prove it.

    Args:
        model: A fitted estimator or pipeline of scikit-learn; a model of XGBoost or LightGBM, as their Booster or
            scikit-learn class; a torch module; a model of CatBoost or Keras, where these libraries are installed.
        data: Rows that training did not see, as the model takes them: a pandas DataFrame, a numpy array `[n, …]`, or
            for a module also a torch tensor `[n, …]`. The proof asks them, and variants of them.
        target: Their true values `[n]`, for the metrics, and for the spread that a quantity's error is measured by.
        task: "classification" or "regression"; only where the model does not say it, as a torch module.
        labels: One for each class, in the order of the model's outputs; only where the model does not know them.
        example: For a torch module, an input `[n, …]` to export it with, if it does not take the first rows of `data`.
        observed: Whether `data` are rows as production has them. Of rows that were made up, the file has no
            distributions, so drift is not measured against them; and a linear model's answers are not explained,
            because that is done against the mean row.
        decision_threshold: Of two classes: the probability of the second one from which on it is the answer. scikit-
            learn's FixedThresholdClassifier and TunedThresholdClassifierCV have one of their own.
        proof_seconds: How long the proof may take.

    Raises:
        CannotConvert: A part has no exact equivalent. The message names the step, and a way that works.
        NotProved: The ONNX model answers otherwise than the original. The message names the kind of row and the column.
        ProofTimeout: The proof was not done in its time. The message says how far it came.
        ValueError: The data, the target or the labels do not fit the model. The message names which.
    """
    from mlops_conversion.own import conversion

    return conversion.convert(
        model,
        data,
        target=target,
        task=task,
        labels=labels,
        example=example,
        observed=observed,
        decision_threshold=decision_threshold,
        proof_seconds=proof_seconds,
    )


def describe(model: Any) -> Description:
    """Say what kind of model it is, and how each of its parts would be converted. Nothing is converted.

    Raises:
        CannotConvert: It is no model that can be converted.
    """
    from mlops_conversion.own import description

    return description.describe(model)
