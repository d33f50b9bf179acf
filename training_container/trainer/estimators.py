"""The scikit-learn model types. They fit in one go: one epoch, and nothing to resume from but the start."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from trainer.data import Dataset
from trainer.evaluate import evaluate
from trainer.models import Session
from trainer.parameters import Parameters

OPSET = 17


def logistic_regression(dataset: Dataset, parameters: Parameters) -> BaseEstimator:
    """`learning_rate` is not one of a solver's; it stands for 1/regularisation here: C = 1000 x learning_rate."""
    return LogisticRegression(C=1000 * parameters.learning_rate, max_iter=1000, random_state=parameters.seed)


def random_forest(dataset: Dataset, parameters: Parameters) -> BaseEstimator:
    """`hidden_size` trees."""
    return RandomForestClassifier(n_estimators=parameters.hidden_size, random_state=parameters.seed, n_jobs=-1)


def support_vector_machine(dataset: Dataset, parameters: Parameters) -> BaseEstimator:
    """Radial kernel; probabilities by Platt's sigmoid over three folds. Its time grows with the square of the rows."""
    machine = SVC(C=1000 * parameters.learning_rate, random_state=parameters.seed, cache_size=500)
    return CalibratedClassifierCV(machine, ensemble=False, cv=3)


@dataclass(frozen=True)
class EstimatorType:
    """A model type whose estimator `build` makes. `scaled` standardises vectors first; an image's pixels already share
    one scale, and dividing those that hardly vary by next to nothing would make them shout."""

    build: Callable[[Dataset, Parameters], BaseEstimator]
    scaled: bool
    preset: Mapping[str, Any] = field(default_factory=dict)

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> "TrainedEstimator":
        session.begins(epochs=1)
        steps: list[Any] = [StandardScaler()] if self.scaled and dataset.image is None else []
        pipeline = make_pipeline(*steps, self.build(dataset, parameters))
        began = time.monotonic()
        with warnings.catch_warnings():
            # Not converged within max_iter: what it is worth shows in the evaluation.
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(dataset.train.inputs, dataset.train.targets)
        seconds = round(time.monotonic() - began, 4)
        if session.stopping():
            session.interrupted(None)
        trained = TrainedEstimator(pipeline, dataset.features)
        watched = dataset.held_out
        measured = evaluate(trained.predict(watched.inputs), watched.targets, dataset.labels)
        metrics = {"val_loss": measured.loss, "val_accuracy": measured.accuracy, "epoch_seconds": seconds}
        session.epoch_done(1, metrics, None)
        return trained


LOGISTIC_REGRESSION = EstimatorType(logistic_regression, scaled=True, preset={"learning_rate": 0.0001})
# On MNIST a tree is 0.8 MB of ONNX and takes 20 MB to convert: more would be too large for the gate and for the job.
RANDOM_FOREST = EstimatorType(random_forest, scaled=False, preset={"hidden_size": 96})
SVM = EstimatorType(support_vector_machine, scaled=True, preset={"learning_rate": 0.005})


@dataclass(frozen=True)
class TrainedEstimator:
    pipeline: Any
    features: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        probabilities: np.ndarray = self.pipeline.predict_proba(inputs).astype(np.float32)
        return probabilities

    def to_onnx(self) -> bytes:
        # Here, not above: the conversion's imports are of no use before the model is fitted.
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        with warnings.catch_warnings():
            # The converter still reads attributes that scikit-learn deprecates.
            warnings.simplefilter("ignore", FutureWarning)
            model = to_onnx(
                self.pipeline,
                initial_types=[("inputs", FloatTensorType([None, self.features]))],
                target_opset=OPSET,
                options={id(self.pipeline): {"zipmap": False}},
            )
        _keep_only(model, "probabilities")
        content: bytes = model.SerializeToString()
        return content


def _keep_only(model: Any, output: str) -> None:
    """Drop the other outputs of an ONNX model (the label, which serving does not need), and what made them."""
    graph = model.graph
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    initializers = [item for item in graph.initializer if item.name in needed]
    outputs = [item for item in graph.output if item.name == output]
    for entries, wanted in ((graph.node, kept[::-1]), (graph.initializer, initializers), (graph.output, outputs)):
        del entries[:]
        entries.extend(wanted)
