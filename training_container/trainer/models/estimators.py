"""What the scikit-learn model types share. They fit in one go: one epoch, and nothing to resume from but the start."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from mlops_contract import Task
from mlops_contract.explanations import Explanation, NoExplanation
from trainer.data import Dataset
from trainer.models import expansion
from trainer.models.calibration import recalibrated
from trainer.models.expansion import EXPANDED, Expansion
from trainer.models.importance import shares
from trainer.models.measures import mean_and_deviation, measured_rows, validation_metrics
from trainer.models.protocols import DataKind, OwnHyperparameters, Session, Space, Trained
from trainer.models.settings import settings
from trainer.models.splits import training_rows
from trainer.parameters import HyperparameterValue, Parameters

if TYPE_CHECKING:
    import onnx
    from sklearn.base import BaseEstimator

    from mlops_conversion.trees import Trees

OPSET = 17
CAPPED_LEVELS = 64
"""An estimator that weighs each level of a category has at most this many of them."""

Own = TypeVar("Own", bound=OwnHyperparameters)


@dataclass(frozen=True)
class EstimatorType(Generic[Own]):
    """A model type whose estimator `build` makes of its hyperparameters, the data set and the seed.

    Attributes:
        trees: Whether it splits by thresholds: then numbers stay as they are, and missing ones stay NaN. Otherwise they
            are standardised, and so are a regression's targets. An image's pixels share one scale already, and dividing
            those that hardly vary by next to nothing would blow their noise up.
    """

    name: str
    description: str
    hyperparameters: type[Own]
    build: "Callable[[Own, Dataset, int], BaseEstimator]"
    trees: bool = False
    tasks: tuple[Task, ...] = (Task.CLASSIFICATION, Task.REGRESSION)
    data: tuple[DataKind, ...] = (DataKind.TABLE, DataKind.VECTOR, DataKind.IMAGE)
    space: Space = field(default_factory=dict)
    grid: Mapping[str, Sequence[HyperparameterValue]] = field(default_factory=dict)
    preset: Mapping[str, HyperparameterValue] = field(default_factory=dict)

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Fit the estimator to the training rows, in one epoch.

        Raises:
            ParameterError: The type does not suit the data set, or a hyperparameter is not valid for it.
            Interrupted: By way of the session.
        """
        from sklearn.exceptions import ConvergenceWarning

        estimator = self.build(settings(self, self.hyperparameters, parameters, dataset), dataset, parameters.seed)
        session.on_train_begin(epochs=1)
        train, validation = training_rows(dataset, parameters, needed=False)
        expanded = self._expansion(dataset)
        mean, deviation = 0.0, 1.0
        if dataset.task is Task.REGRESSION:
            mean, deviation = mean_and_deviation(train.targets, train.weights)
        scaled = dataset.task is Task.REGRESSION and not self.trees
        targets = (train.targets - mean) / deviation if scaled else train.targets
        start = time.monotonic()
        with warnings.catch_warnings():
            # Not converged within max_iter: what it is worth shows in the evaluation.
            warnings.simplefilter("ignore", ConvergenceWarning)
            matrix = expanded.transform(train.inputs)
            estimator.fit(matrix, targets, sample_weight=train.weights)
        seconds = round(time.monotonic() - start, 4)
        if session.should_stop():
            session.interrupt(None)
        fitted = TrainedEstimator(
            estimator,
            expanded,
            tuple(feature.name for feature in dataset.feature_columns),
            dataset.task,
            (mean, deviation) if scaled else None,
            self.trees,
            matrix.mean(axis=0, dtype=np.float64),
        )
        trained = recalibrated(fitted, dataset, parameters, validation)
        rows = measured_rows(dataset, validation)
        metrics = validation_metrics(trained.predict(rows.inputs), rows, dataset.task, deviation**2)
        session.on_epoch_end(1, {**metrics, "epoch_seconds": seconds}, None)
        return trained

    def _expansion(self, dataset: Dataset) -> Expansion:
        inputs, features = dataset.train.inputs, dataset.feature_columns
        if self.trees:
            return expansion.for_trees(inputs, features)
        standardise = dataset.image is None
        return expansion.fit(inputs, features, standardise=standardise, most_levels=CAPPED_LEVELS, larger="capped")


@dataclass(frozen=True, eq=False)
class TrainedEstimator:
    """A fitted estimator behind an expansion.

    Attributes:
        estimator: Of scikit-learn.
        expansion: Before it.
        names: Of the features; empty unless the data set is a table.
        task: What it predicts.
        scale: Mean and deviation of the targets if it predicts standardised ones.
        trees: Whether it is made of trees.
        means: Of its inputs in training, float64 `[width]`.
    """

    estimator: "BaseEstimator"
    expansion: Expansion
    names: tuple[str, ...]
    task: Task
    scale: tuple[float, float] | None
    trees: bool
    means: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return class probabilities float32 `[n, classes]`, or quantities float32 `[n]`."""
        expanded = self.expansion.transform(inputs)
        answers: np.ndarray
        if self.task is Task.CLASSIFICATION:
            answers = self.estimator.predict_proba(expanded)
        else:
            mean, deviation = self.scale or (0.0, 1.0)
            answers = self.estimator.predict(expanded) * deviation + mean
        return answers.astype(np.float32)

    def to_onnx(self) -> bytes:
        """Return the expansion and the estimator as ONNX."""
        # Not imported above: of no use before the model is fitted.
        from trainer.models import graphs

        model = self._estimator_graph()
        nodes, constants = self.expansion.nodes()
        graphs.before(model, self.expansion.features, nodes, constants, EXPANDED)
        if self.task is Task.REGRESSION:
            graphs.behind(model, *self._to_the_target(), "standardised", graphs.PREDICTION)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def thresholds(self) -> Mapping[int, np.ndarray]:
        """Return those of the trees, if it is made of trees."""
        return self.expansion.unexpanded(self._trees.thresholds()) if self.trees else {}

    def explanation(self) -> Explanation:
        """Return the paths of trees, or the coefficients of a linear model.

        Raises:
            NoExplanation: It is neither, or has too many leaves.
        """
        explanation = self._trees.explanation() if self.trees else self._of_coefficients()
        if self.scale is not None:
            mean, deviation = self.scale
            explanation = explanation.scaled(deviation, np.array([mean]))
        return explanation.over(self.expansion.sources)

    def importance(self) -> dict[str, float] | None:
        """Return each feature's share of the impurity that trees reduced, or of the coefficients' sizes."""
        measure = getattr(self.estimator, "feature_importances_", None)
        if measure is None and (coefficients := getattr(self.estimator, "coef_", None)) is not None:
            measure = np.abs(np.atleast_2d(coefficients)).sum(axis=0)
        return None if measure is None else shares(measure, self.expansion.sources, self.names)

    @cached_property
    def _trees(self) -> "Trees":
        # Its dump takes as long to read as a small model to train, and nothing changes it any more.
        from mlops_conversion.trees import read

        return read(self.estimator, self.expansion.width)

    def _of_coefficients(self) -> Explanation:
        from mlops_conversion.explained import explain_linear

        coefficients = getattr(self.estimator, "coef_", None)
        if coefficients is None:
            raise NoExplanation(f"the answers of {type(self.estimator).__name__} are no sums of parts")
        weights = np.atleast_2d(np.asarray(coefficients, np.float64))
        start = np.broadcast_to(np.asarray(getattr(self.estimator, "intercept_", 0.0), np.float64), len(weights))
        return explain_linear(weights, start, self.means, self.task)

    def _estimator_graph(self) -> "onnx.ModelProto":
        if self.trees:
            # skl2onnx loses where missing values go, and its graph is three times as large.
            return self._trees.to_onnx()
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        from trainer.models.graphs import PROBABILITIES, keep_only

        classifies = self.task is Task.CLASSIFICATION
        with warnings.catch_warnings():
            # The converter still reads attributes that scikit-learn deprecates.
            warnings.simplefilter("ignore", FutureWarning)
            model: onnx.ModelProto = to_onnx(
                self.estimator,
                initial_types=[("inputs", FloatTensorType([None, self.expansion.width]))],
                target_opset=OPSET,
                options={id(self.estimator): {"zipmap": False}} if classifies else None,
            )
        if classifies:
            keep_only(model, PROBABILITIES)
        return model

    def _to_the_target(self) -> tuple[list[Any], dict[str, np.ndarray]]:
        """Return the nodes from a standardised target to the target's own units."""
        from trainer.models.graphs import PREDICTION, node

        if self.scale is None:
            return [], {}
        nodes = [
            node("Mul", ["standardised", "target_deviation"], "target_scaled"),
            node("Add", ["target_scaled", "target_mean"], PREDICTION),
        ]
        mean, deviation = (np.array(value, np.float32) for value in self.scale)
        return nodes, {"target_mean": mean, "target_deviation": deviation}
