"""What a model type is, what it needs of the run around it, and what it gives back."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from trainer.data import Dataset
from trainer.parameters import Parameters, ParameterValue


class Session(Protocol):
    """What a model type needs of the run around it."""

    def resume(self) -> bytes | None:
        """The state that an earlier attempt left, as it was given to `on_epoch_end` or `interrupt`."""

    def should_stop(self) -> bool:
        """Whether SIGTERM has arrived: call `interrupt` with the state now. Raises TrainingError to end the run."""

    def on_train_begin(self, epochs: int) -> None:
        """All is ready, and `epochs` epochs follow (1 for a type that fits in one go)."""

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        """Epoch `epoch` (from 1) is done. `state()` serialises all that the next one depends on."""

    def interrupt(self, state: bytes | None) -> None:
        """Keep `state` and raise Interrupted."""


class Trained(Protocol):
    """A trained model."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Class probabilities float32 `[n, classes]` of `inputs` float32 `[n, features]`."""

    def to_onnx(self) -> bytes:
        """The model as ONNX: input `inputs` float32 `[n, features]`, output `probabilities` float32 `[n, classes]`.

        The same training gives the same bytes.
        """


@runtime_checkable
class ModelType(Protocol):
    """A way to train. `preset` holds the parameters of `--preset best`, by the API's names."""

    preset: Mapping[str, ParameterValue]

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Train on `dataset.train`.

        Raises:
            TrainingError: with a reason for people.
            Interrupted: raised by the session, after the state was kept.
        """
