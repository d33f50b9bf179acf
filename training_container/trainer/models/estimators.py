"""What the scikit-learn model types share. They fit in one go: one epoch, and nothing to resume from but the start."""

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from trainer.data import Dataset
from trainer.evaluation import evaluate_classification
from trainer.models.protocols import Session
from trainer.parameters import Parameters, ParameterValue

OPSET = 17


@dataclass(frozen=True)
class EstimatorType:
    """A model type whose estimator `build` makes.

    `scaled` standardises vectors first. An image's pixels share one scale already, and dividing those that hardly vary
    by next to nothing would blow their noise up.
    """

    build: Callable[[Dataset, Parameters], BaseEstimator]
    scaled: bool
    preset: Mapping[str, ParameterValue] = field(default_factory=dict)

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> "TrainedEstimator":
        """Fit the pipeline to `dataset.train`, in one epoch. Raises Interrupted by way of the session."""
        session.on_train_begin(epochs=1)
        steps: list[BaseEstimator] = [StandardScaler()] if self.scaled and dataset.image is None else []
        pipeline = make_pipeline(*steps, self.build(dataset, parameters))
        start = time.monotonic()
        with warnings.catch_warnings():
            # Not converged within max_iter: what it is worth shows in the evaluation.
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(dataset.train.inputs, dataset.train.targets)
        seconds = round(time.monotonic() - start, 4)
        if session.should_stop():
            session.interrupt(None)
        trained = TrainedEstimator(pipeline, dataset.features)
        held_out = dataset.held_out
        evaluation = evaluate_classification(trained.predict(held_out.inputs), held_out.targets, dataset.labels)
        metrics = {"val_loss": evaluation.loss, "val_accuracy": evaluation.accuracy, "epoch_seconds": seconds}
        session.on_epoch_end(1, metrics, None)
        return trained


@dataclass(frozen=True)
class TrainedEstimator:
    """A fitted pipeline that takes `features` features."""

    pipeline: Pipeline
    features: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Class probabilities float32 `[n, classes]` of `inputs` float32 `[n, features]`."""
        probabilities: np.ndarray = self.pipeline.predict_proba(inputs).astype(np.float32)
        return probabilities

    def to_onnx(self) -> bytes:
        """The pipeline as ONNX, with `probabilities` as its only output."""
        # Not imported above: the converter is of no use before the model is fitted.
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        with warnings.catch_warnings():
            # The converter still reads attributes that scikit-learn deprecates.
            warnings.simplefilter("ignore", FutureWarning)
            model: onnx.ModelProto = to_onnx(
                self.pipeline,
                initial_types=[("inputs", FloatTensorType([None, self.features]))],
                target_opset=OPSET,
                options={id(self.pipeline): {"zipmap": False}},
            )
        _keep_only(model, "probabilities")
        content: bytes = model.SerializeToString()
        return content


def _keep_only(model: onnx.ModelProto, output: str) -> None:
    """Drop the other outputs of an ONNX model (the label, which serving does not need), and the nodes for them."""
    graph = model.graph
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    initializers = [item for item in graph.initializer if item.name in needed]
    outputs = [item for item in graph.output if item.name == output]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(initializers)
    graph.output.extend(outputs)
