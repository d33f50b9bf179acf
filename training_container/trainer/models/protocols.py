"""What a model type is, what it needs of the run around it, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlops.domain.training_request import Range
from mlops_contract import Task
from mlops_contract.explanations import Explanation
from trainer.data import Dataset
from trainer.parameters import HyperparameterValue, Parameters

Space = Mapping[str, Sequence[HyperparameterValue] | Range]
"""For each hyperparameter a list of values, or a range to draw from."""


class DataKind(StrEnum):
    """The kinds of data sets: tables with named columns, plain vectors, and flattened images."""

    TABLE = "table"
    VECTOR = "vector"
    IMAGE = "image"

    @classmethod
    def of(cls, dataset: Dataset) -> "DataKind":
        """Return the kind of a data set."""
        if dataset.contract is not None:
            return cls.TABLE
        return cls.IMAGE if dataset.image else cls.VECTOR


class OwnHyperparameters(BaseModel):
    """Base of a model type's hyperparameters. Unknown names, NaN, infinities and text for numbers are refused.

    A field that only one task uses says so: `json_schema_extra={"tasks": ["regression"]}`. To give it for the other
    task is an error.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Session(Protocol):
    """What a model type needs of the run around it."""

    def resume(self) -> bytes | None:
        """The state that an earlier attempt left, as it was given to `on_epoch_end` or `interrupt`."""

    def should_stop(self) -> bool:
        """Whether SIGTERM has arrived: call `interrupt` with the state now. Raises TrainingError to end the run."""

    def on_train_begin(self, epochs: int) -> None:
        """All is ready, and `epochs` epochs follow (1 for a type that fits in one go)."""

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        """Epoch `epoch` (from 1) is done. `state()` serialises all that the next one depends on.

        `metrics` has `val_loss`, and the objective as `val_` and its name if it costs little. Both are of the rows for
        validation if the data set has some. A sweep that prunes compares them, and may end the run here.
        """

    def interrupt(self, state: bytes | None) -> None:
        """Keep `state` and raise Interrupted."""


@runtime_checkable
class Trained(Protocol):
    """A trained model. A class that inherits from this one needs `predict` and `to_onnx` only."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the answers for `inputs` float32 `[n, features]`.

        They are class probabilities float32 `[n, classes]`, or the quantities float32 `[n]` of a regression.
        """

    def to_onnx(self) -> bytes:
        """Return the model as ONNX. The same training gives the same bytes.

        Its input is `inputs` float32 `[n, features]`. Its output is `probabilities` float32 `[n, classes]`, or
        `prediction` float32 `[n, 1]` for a regression.
        """

    def importance(self) -> dict[str, float] | None:
        """Return the share of each feature of a table in the answers, by name; None if the type has no measure."""
        return None

    def thresholds(self) -> Mapping[int, np.ndarray]:
        """Return the numbers with which the model compares features, by their positions; empty if it has no trees.

        The proof asks rows there and beside them, where a wrong conversion would take another branch.
        """
        return {}


@runtime_checkable
class Explainable(Protocol):
    """A trained model whose answers are exact sums of parts, such as a linear model or trees."""

    def explanation(self) -> Explanation:
        """Return how the answers are explained, by the positions of the inputs.

        Its features are the value `expanded` of the ONNX model if there is one, else `inputs`.

        Raises:
            NoExplanation: They are not, after all.
        """


class ModelType(Protocol):
    """A way to train.

    Attributes:
        name: As in `model_type`.
        description: One sentence.
        tasks: What it can predict.
        data: What it can be trained on.
        hyperparameters: The model of its hyperparameters, with the names of the library that trains. The seed is not
            among them. A type that has all the flat fields of a request takes these as a short form.
        space: The default space of a sweep that draws. What only one task uses is left out for the other one.
        grid: The default space of a sweep over a grid, likewise.
        preset: The hyperparameters of `preset: best`.

    A type that trains on a GPU if there is one says so by an attribute `gpu`, which is True.
    """

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def tasks(self) -> tuple[Task, ...]: ...
    @property
    def data(self) -> tuple[DataKind, ...]: ...
    @property
    def hyperparameters(self) -> type[BaseModel]: ...
    @property
    def space(self) -> Space: ...
    @property
    def grid(self) -> Mapping[str, Sequence[HyperparameterValue]]: ...
    @property
    def preset(self) -> Mapping[str, HyperparameterValue]: ...

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Train on `dataset.train`.

        Raises:
            TrainingError: with a reason for people.
            Interrupted: raised by the session, after the state was kept.
        """
