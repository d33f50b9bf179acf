"""From a fitted model to its ONNX model."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

import onnx

from mlops_contract.explanations import Explanation
from mlops_conversion.errors import CannotConvert
from mlops_conversion.trees import explain
from mlops_conversion.trees.forest import Array, Forest, Output
from mlops_conversion.trees.writer import to_onnx

_READERS = {
    "sklearn": "mlops_conversion.trees.scikit_learn",
    "lightgbm": "mlops_conversion.trees.lightgbm",
    "xgboost": "mlops_conversion.trees.xgboost",
}
"""The module that reads a library's models, which has `read`. It is imported when there is such a model."""


class _Reader(Protocol):
    def read(self, model: Any) -> tuple[Forest, Output, int]:
        """Return the model's trees, what their sum means, and the number of features."""
        ...


@dataclass(frozen=True, eq=False)
class Trees:
    """The trees of a fitted model, as they were when it was read.

    Attributes:
        forest: They.
        features: How many features the model's inputs have.
        output: What their sum means.
    """

    forest: Forest
    features: int
    output: Output

    def to_onnx(self) -> onnx.ModelProto:
        """Return the ONNX model, as `convert` does."""
        return to_onnx(self.forest, self.features, self.output)

    def explanation(self) -> Explanation:
        """Return how the answers are explained, exactly, by the features.

        Raises:
            NoExplanation: There are more leaves than can be explained in time.
        """
        return explain.explanation(self.forest, self.features, self.output)

    def thresholds(self) -> dict[int, Array]:
        """Return the thresholds, float32 and sorted, for each feature that is compared with any."""
        return self.forest.thresholds()


def read(model: Any, features: int) -> Trees:
    """Read the trees of a fitted model, for whoever wants more than one thing of them.

    Args:
        model: A forest, a tree, GradientBoosting or HistGradientBoosting of scikit-learn, or a model of LightGBM or
            XGBoost, as their Booster or their scikit-learn class.
        features: How many features its inputs have.

    Raises:
        CannotConvert: It is another model, has a part that has no exact equivalent, or has other features.
    """
    library = type(model).__module__.partition(".")[0]
    if library not in _READERS:
        raise CannotConvert(
            f"{type(model).__qualname__} is not a model of trees that can be converted; these can: "
            "forests, GradientBoosting and HistGradientBoosting of scikit-learn, LightGBM and XGBoost"
        )
    reader = cast(_Reader, import_module(_READERS[library]))
    forest, output, expected = reader.read(model)
    if features != expected:
        raise CannotConvert(f"the model was fitted with {expected} features, and {features} are given")
    return Trees(forest, features, output)


def convert(model: Any, features: int) -> onnx.ModelProto:
    """Convert a fitted model of trees.

    The result takes `inputs`, float32 `[n, features]`, in which NaN is missing. It gives `probabilities`, float32
    `[n, classes]` in the order of the model's classes, or `prediction`, float32 `[n, 1]`. The same model gives the
    same bytes.

    Args:
        model: As for `read`.
        features: Likewise.

    Raises:
        CannotConvert: As `read`, or the file would be too large.
    """
    return read(model, features).to_onnx()


def explanation(model: Any, features: int) -> Explanation:
    """Return how the answers of a fitted model are explained, exactly, by its features.

    Raises:
        CannotConvert: As `read`.
        NoExplanation: It has more leaves than can be explained in time.
    """
    return read(model, features).explanation()


def thresholds(model: Any, features: int) -> dict[int, Array]:
    """Return the thresholds of a model, float32 and sorted, for each feature that it compares with any.

    Raises:
        CannotConvert: As `read`.
    """
    return read(model, features).thresholds()
