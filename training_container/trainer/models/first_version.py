"""What requests and plug-ins of the first version mean today."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from mlops_contract import Task
from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.models.protocols import DataKind, OwnHyperparameters, Session, Space, Trained
from trainer.parameters import HyperparameterValue, Parameters

REQUEST_FIELDS = frozenset({"learning_rate", "epochs", "batch_size", "hidden_size", "dropout"})
"""The hyperparameters that each request of the first version had, whatever its model type."""


def translated(parameters: Parameters) -> dict[str, HyperparameterValue] | None:
    """Return the own hyperparameters that a request of the first version meant; None if it is not such a request.

    In the first version, all model types had the same fields: a forest's trees were its `hidden_size`, and C was a
    thousand times the `learning_rate`. Records and retraining recipes carry all of these fields at values, and must
    train again what they trained. `logistic_regression` is a name of that version only. The other two names are in use
    still: there, only a request that has all fields is an old one.
    """
    given = parameters.model_fields_set & REQUEST_FIELDS
    if parameters.hyperparameters:
        return None
    if parameters.model_type != "logistic_regression" and given != REQUEST_FIELDS:
        return None
    match parameters.model_type:
        case "logistic_regression" | "svm":
            return {"C": 1000 * parameters.learning_rate} if "learning_rate" in given else {}
        case "random_forest":
            return {"n_estimators": parameters.hidden_size}
    return None


class FirstVersionPlugin(Protocol):
    """A plugged-in type of the first version. It reads the flat fields of the request."""

    @property
    def preset(self) -> Mapping[str, HyperparameterValue]: ...
    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> "FirstVersionTrained": ...


class FirstVersionTrained(Protocol):
    """What it returns: classifiers of vectors."""

    def predict(self, inputs: np.ndarray) -> np.ndarray: ...
    def to_onnx(self) -> bytes: ...


class FlatFields(OwnHyperparameters):
    """No hyperparameters of its own: the type reads the request's flat fields."""


class FirstVersionType:
    """A plug-in of the first version as a model type: it classifies complete vectors."""

    description = "A plug-in that reads the request's flat fields."
    tasks = (Task.CLASSIFICATION,)
    data = (DataKind.TABLE, DataKind.VECTOR, DataKind.IMAGE)
    hyperparameters = FlatFields
    space: Space = MappingProxyType({})
    grid: Mapping[str, Sequence[HyperparameterValue]] = MappingProxyType({})

    def __init__(self, name: str, plugin: FirstVersionPlugin) -> None:
        self.name = name
        self.preset = plugin.preset
        self._plugin = plugin

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Train the plug-in. Raises ParameterError if the data has what it cannot know: text, or missing values."""
        for position, feature in enumerate(dataset.feature_columns):
            values = (split.inputs[:, position] for split in (dataset.train, dataset.held_out))
            if feature.levels is not None or any(np.isnan(column).any() for column in values):
                raise ParameterError(
                    f"--model-type {self.name} takes complete numbers only; the column {feature.column!r} of "
                    f"{dataset.name} has text or missing values: ignore the column, or use another model type"
                )
        return _Trained(self._plugin.train(dataset, parameters, session))


class _Trained:
    """The plug-in's model, which knows neither importance nor thresholds."""

    def __init__(self, trained: FirstVersionTrained) -> None:
        self.predict = trained.predict
        self.to_onnx = trained.to_onnx

    def importance(self) -> dict[str, float] | None:
        return None

    def thresholds(self) -> Mapping[int, np.ndarray]:
        return {}
