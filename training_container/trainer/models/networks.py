"""The torch model types: a multilayer perceptron and a convolutional network."""

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.models import fit
from trainer.models.protocols import Session
from trainer.parameters import Parameters, ParameterValue

OPSET = 17


class Normalise(nn.Module):
    """Inputs to mean 0 and deviation 1: one pair for all pixels of images, one for each feature of other vectors."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        axis = None if dataset.image else 0
        mean = dataset.train.inputs.mean(axis=axis, dtype=np.float64)
        deviation = dataset.train.inputs.std(axis=axis, dtype=np.float64)
        # A feature that never varies says nothing: it is centred and left at 0.
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer(
            "deviation", torch.as_tensor(np.where(deviation > 1e-12, deviation, 1), dtype=torch.float32)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs - self.mean) / self.deviation


def perceptron(dataset: Dataset, parameters: Parameters) -> nn.Module:
    """One hidden layer: float32 `[n, features]` to logits `[n, classes]`."""
    return nn.Sequential(
        Normalise(dataset),
        nn.Linear(dataset.features, parameters.hidden_size),
        nn.ReLU(),
        nn.Dropout(parameters.dropout),
        nn.Linear(parameters.hidden_size, dataset.classes),
    )


def convolutional(dataset: Dataset, parameters: Parameters) -> nn.Module:
    """Three convolutions: float32 `[n, features]` to logits `[n, classes]`.

    The first has stride 2, as most of the time would go there. `hidden_size` 256 makes 32 and 64 channels, and 87,000
    parameters on MNIST.

    Raises:
        ParameterError: the data set is not of images of at least 8x8 pixels.
    """
    if dataset.image is None or min(dataset.image) < 8:
        raise ParameterError(
            "--model-type cnn needs images of at least 8x8 pixels; "
            f"{dataset.name} has vectors of {dataset.features}: use mlp"
        )
    narrow = parameters.hidden_size // 8
    wide = 2 * narrow

    rows, columns = ((size + 1) // 2 // 2 for size in dataset.image)

    def convolution(before: int, after: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
        layer = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
        return [layer, nn.BatchNorm2d(after), nn.ReLU()]

    return nn.Sequential(
        Normalise(dataset),
        nn.Unflatten(1, (1, *dataset.image)),
        *convolution(1, narrow, size=5, stride=2),
        *convolution(narrow, wide),
        nn.MaxPool2d(2),
        *convolution(wide, wide),
        nn.Flatten(),
        nn.Dropout(parameters.dropout),
        nn.Linear(wide * rows * columns, dataset.classes),
    )


@dataclass(frozen=True)
class TorchType:
    """A model type whose module `build` makes; all are fitted in the same way (`fit.fit`).

    `reduced` allows bfloat16 in the forward pass, which is worth it where the arithmetic outweighs the conversions.
    """

    build: Callable[[Dataset, Parameters], nn.Module]
    reduced: bool = False
    preset: Mapping[str, ParameterValue] = field(default_factory=dict)

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> "TrainedNetwork":
        """Build the network and fit it. Raises ParameterError, Diverged, and Interrupted by way of the session."""
        fit.deterministic(parameters.seed)
        network = self.build(dataset, parameters)
        fit.fit(network, dataset, parameters, session, self.reduced)
        return TrainedNetwork(network, dataset.features)


MLP = TorchType(
    perceptron,
    preset={"learning_rate": 0.005, "epochs": 30, "batch_size": 256, "hidden_size": 128, "dropout": 0.0, "shift": 1},
)
CNN = TorchType(
    convolutional,
    reduced=True,
    preset={"learning_rate": 0.01, "epochs": 14, "batch_size": 128, "hidden_size": 256, "dropout": 0.2, "shift": 2},
)


@dataclass(frozen=True)
class TrainedNetwork:
    """A fitted network that takes `features` features and gives logits."""

    network: nn.Module
    features: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Class probabilities float32 `[n, classes]` of `inputs` float32 `[n, features]`."""
        probabilities: np.ndarray = torch.softmax(fit.logits(self.network, torch.from_numpy(inputs)), 1).numpy()
        return probabilities

    def to_onnx(self) -> bytes:
        """The network with a softmax behind it as ONNX."""
        file = io.BytesIO()
        served = nn.Sequential(self.network, nn.Softmax(dim=1)).eval()
        with warnings.catch_warnings():
            # The exporter that torch wants to retire: a twentieth of the other's time, and the same bytes each time.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                served,
                (torch.zeros(1, self.features),),
                file,  # type: ignore[arg-type]  # this exporter takes an open file too
                dynamo=False,
                opset_version=OPSET,
                input_names=["inputs"],
                output_names=["probabilities"],
                dynamic_axes={"inputs": {0: "n"}, "probabilities": {0: "n"}},
            )
        return file.getvalue()
