"""The torch model types: a multilayer perceptron and a convolutional network. torch is imported when one trains."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mlops.domain.training_request import NetworkFields, Range
from mlops_contract import Task
from trainer.data import Dataset
from trainer.models.calibration import recalibrated
from trainer.models.protocols import DataKind, OwnHyperparameters, Session, Space, Trained
from trainer.models.settings import settings
from trainer.models.splits import training_rows
from trainer.parameters import HyperparameterValue, Parameters

if TYPE_CHECKING:
    from torch import nn


class NetworkHyperparameters(NetworkFields, OwnHyperparameters):
    """Those of both networks. The flat fields of a request are a short form of some of them."""

    shift: Annotated[
        int, Field(ge=0, le=8, description="Shift each image by up to this many pixels, differently in each epoch")
    ] = 0
    patience: Annotated[
        int, Field(ge=0, le=100, description="Stop after this many epochs without a better validation loss; 0: never")
    ] = 0


@dataclass(frozen=True)
class NetworkType:
    """A model type whose network `build` makes; all are fitted in the same way (`fit.fit`).

    Attributes:
        build: Returns the network: float32 `[n, features]` to logits `[n, classes]` or standardised targets `[n, 1]`.
        reduced: Whether the forward pass may be in bfloat16: worth it where the arithmetic outweighs the conversions.
        gpu: Whether it trains on a GPU if there is one.
    """

    name: str
    description: str
    build: "Callable[[Dataset, NetworkHyperparameters], nn.Module]"
    preset: Mapping[str, HyperparameterValue]
    tasks: tuple[Task, ...]
    data: tuple[DataKind, ...]
    reduced: bool = False
    gpu: bool = True
    hyperparameters: type[NetworkHyperparameters] = NetworkHyperparameters
    space: Space = field(
        default_factory=lambda: {
            "learning_rate": Range(low=5e-4, high=1e-2, log=True),
            "hidden_size": [64, 128, 256],
            "dropout": [0.0, 0.1, 0.2, 0.3],
            "batch_size": [32, 64, 128],
        }
    )
    grid: Mapping[str, Sequence[HyperparameterValue]] = field(
        default_factory=lambda: {
            "learning_rate": [0.001, 0.003, 0.01],
            "hidden_size": [64, 128],
            "dropout": [0.0, 0.2],
        }
    )

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Build the network and fit it. Raises ParameterError, TrainingError, and by way of the session Interrupted."""
        own = settings(self, self.hyperparameters, parameters, dataset)
        from trainer.models import devices, fit, losses
        from trainer.models.modules import TrainedNetwork

        device = devices.chosen()
        devices.deterministic(parameters.seed, device)
        train, validation = training_rows(dataset, parameters, needed=own.patience > 0)
        loss = losses.of(dataset.task, train)
        network = self.build(dataset, own)
        rows = fit.Rows(train, validation, dataset.held_out, dataset.image)
        fit.fit(network, rows, loss, own, session, device, self.reduced)
        return recalibrated(TrainedNetwork(network, dataset.features, loss), dataset, parameters, validation)


def _perceptron(dataset: Dataset, own: NetworkHyperparameters) -> "nn.Module":
    from trainer.models.modules import perceptron

    return perceptron(dataset, own.hidden_size, own.dropout)


def _convolutional(dataset: Dataset, own: NetworkHyperparameters) -> "nn.Module":
    from trainer.models.modules import convolutional

    return convolutional(dataset, own.hidden_size, own.dropout)


MLP = NetworkType(
    "mlp",
    "A network with one hidden layer; categories with many levels are embedded.",
    _perceptron,
    preset={"learning_rate": 0.005, "epochs": 30, "batch_size": 256, "hidden_size": 128, "dropout": 0.0, "shift": 1},
    tasks=(Task.CLASSIFICATION, Task.REGRESSION),
    data=(DataKind.TABLE, DataKind.VECTOR, DataKind.IMAGE),
)
CNN = NetworkType(
    "cnn",
    "A convolutional network for images of at least 8x8 pixels.",
    _convolutional,
    preset={"learning_rate": 0.01, "epochs": 14, "batch_size": 128, "hidden_size": 256, "dropout": 0.2, "shift": 2},
    tasks=(Task.CLASSIFICATION,),
    data=(DataKind.IMAGE,),
    reduced=True,
)
