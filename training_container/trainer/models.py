"""The model types, and the point where another package plugs in its own.

A type is an object of `ModelType`. Ours stand in `BUILT_IN`, one line each. A package of yours adds one without
touching ours, by an entry point:

    [project.entry-points."mlops.model_types"]
    my_type = "my_package.my_module:MY_TYPE"

Both are import strings, so that a run imports the libraries of its own type only.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.parameters import Parameters

GROUP = "mlops.model_types"

BUILT_IN = {
    "mlp": "trainer.networks:MLP",
    "cnn": "trainer.networks:CNN",
    "logistic_regression": "trainer.estimators:LOGISTIC_REGRESSION",
    "random_forest": "trainer.estimators:RANDOM_FOREST",
    "svm": "trainer.estimators:SVM",
}


class Session(Protocol):
    """What a model type needs of the run around it."""

    def resume(self) -> bytes | None:
        """The state that an earlier attempt left, as it gave it to `epoch_done` or `interrupted`."""

    def stopping(self) -> bool:
        """Whether SIGTERM has arrived: give the state to `interrupted` now."""

    def begins(self, epochs: int) -> None:
        """All is ready; `epochs` epochs follow (1 for a type that fits in one go)."""

    def epoch_done(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        """Epoch `epoch` (from 1) is done; `state()` serialises all that the next one depends on."""

    def interrupted(self, state: bytes | None) -> None:
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

    preset: Mapping[str, Any]

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> Trained:
        """Train on `dataset.train`. Raises TrainingError with a reason for people, and Interrupted."""


def names() -> list[str]:
    """All model types, ours and the installed packages'."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find(name: str) -> ModelType:
    """The model type `name`; imports what it is made of.

    Raises:
        ParameterError: there is none of that name, or its package cannot be loaded.
    """
    if name in BUILT_IN:
        found: Any = EntryPoint(name, BUILT_IN[name], GROUP).load()
        return found  # type: ignore[no-any-return]
    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except Exception as error:  # whatever a foreign package raises while it is imported
            raise ParameterError(f"the model type {name!r} ({point.value}) cannot be loaded: {error}") from error
        if not isinstance(found, ModelType):
            raise ParameterError(f"the model type {name!r} ({point.value}) lacks `preset` or `train`")
        return found
    raise ParameterError(f"there is no model type {name!r}; there are: {', '.join(names())}")
