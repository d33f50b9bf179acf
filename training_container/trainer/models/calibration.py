"""Make the probabilities of a model true again that was trained with `class_weight: balanced`.

Such a model answers as if all classes were equally frequent. The correction is fitted on the rows for validation, which
it was not trained on: softmax(slope · log p + offset), with one slope and an offset for each class. For two classes
that is Platt's sigmoid. It starts from, and is drawn to, slope 1 and the logarithms of the
classes' shares: Bayes' rule for a model that is true under equal shares. So few rows for validation change little. The
same formula stands behind the model in the ONNX graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlops_contract.explanations import Explanation, NoExplanation, Sum
from trainer.data import Dataset, Split
from trainer.models.protocols import Explainable, Trained
from trainer.models.splits import class_shares
from trainer.parameters import Parameters

LEAST = np.float32(1e-7)
"""Probabilities below are taken for this one, so that there is a logarithm."""
SLOPE_BOUNDS = (-3.0, 3.0)
"""Of the logarithm of the slope."""


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """A model whose probabilities are corrected: `slope` float32 `[]`, `offsets` float32 `[classes]`."""

    trained: Trained
    slope: np.ndarray
    offsets: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return class probabilities float32 `[n, classes]`."""
        return _corrected(self.trained.predict(inputs), self.slope, self.offsets).astype(np.float32)

    def to_onnx(self) -> bytes:
        """Return the model and the correction as ONNX."""
        import onnx

        from trainer.models.graphs import PROBABILITIES, behind, node

        model = onnx.load_from_string(self.trained.to_onnx())
        nodes = [
            node("Max", ["balanced_probabilities", "least_probability"], "balanced_bounded"),
            node("Log", ["balanced_bounded"], "balanced_logarithms"),
            node("Mul", ["balanced_logarithms", "calibration_slope"], "calibration_scaled"),
            node("Add", ["calibration_scaled", "calibration_offsets"], "calibration_logits"),
            node("Softmax", ["calibration_logits"], PROBABILITIES, axis=-1),
        ]
        constants = {
            "least_probability": np.array(LEAST),
            "calibration_slope": self.slope,
            "calibration_offsets": self.offsets,
        }
        behind(model, nodes, constants, "balanced_probabilities", PROBABILITIES)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def explanation(self) -> Explanation:
        """Return that of the model, corrected as its log-odds or scores are.

        Raises:
            NoExplanation: The model has none, or the correction of its sums is no sum.
        """
        if not isinstance(self.trained, Explainable):
            raise NoExplanation("the answers of this model type are no sums of parts")
        explanation = self.trained.explanation()
        offsets = self.offsets.astype(np.float64)
        match explanation.sum:
            case Sum.LOG_ODDS:
                return explanation.scaled(float(self.slope), offsets[1:] - offsets[:1])
            case Sum.SCORE:
                return explanation.scaled(float(self.slope), offsets)
        raise NoExplanation(
            "class_weight=balanced corrects the probabilities of a forest after they were summed, so its answers are "
            "no sums of parts; train a forest without class_weight, or a booster with it"
        )

    def importance(self) -> dict[str, float] | None:
        """Return that of the model."""
        return self.trained.importance()

    def thresholds(self) -> Mapping[int, np.ndarray]:
        """Return those of the model."""
        return self.trained.thresholds()


def recalibrated(trained: Trained, dataset: Dataset, parameters: Parameters, validation: Split | None) -> Trained:
    """Return the model with its probabilities corrected, or as it is if it was not trained with balanced classes."""
    if parameters.class_weight != "balanced" or validation is None:
        return trained
    slope, offsets = _fitted(trained.predict(validation.inputs), validation, class_shares(dataset))
    return Recalibrated(trained, slope, offsets)


def _fitted(probabilities: np.ndarray, rows: Split, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and offsets that minimise the rows' log loss; the pull to the start weighs as much as one row."""
    from scipy.optimize import minimize

    start = np.concatenate([[0.0], np.log(shares)])
    logarithms = np.log(np.maximum(probabilities, LEAST)).astype(np.float64)
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights.astype(np.float64)
    truth = np.eye(len(shares))[rows.targets]

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope = np.exp(parameters[0])
        answers = _softmax(slope * logarithms + parameters[1:])
        of_target = np.clip((answers * truth).sum(axis=1), 1e-300, 1)
        pull = parameters - start
        errors = (answers - truth) * weights[:, None]
        gradient = np.concatenate([[(errors * logarithms).sum() * slope], errors.sum(axis=0)])
        return float(-(weights * np.log(of_target)).sum() + (pull**2).sum() / 2), gradient + pull

    bounds = [SLOPE_BOUNDS, *[(None, None)] * len(shares)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return np.array(np.exp(found[0]), np.float32), found[1:].astype(np.float32)


def _corrected(probabilities: np.ndarray, slope: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return _softmax(np.log(np.maximum(probabilities, LEAST)) * slope + offsets)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    answers: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return answers
