"""Find model types: the built-in ones, and those that other packages add.

A type is an object of `ModelType`. Ours stand in `BUILT_IN`, one line each. A package of yours adds one by an entry
point, without a change of ours: docs/model-types.md says how. Both are import strings, and our modules import the
libraries that train only when they train.
"""

from importlib.metadata import EntryPoint, entry_points

from mlops.domain.model_types import FORMER_NAMES
from trainer.errors import ParameterError
from trainer.models.protocols import ModelType

GROUP = "mlops.model_types"

BUILT_IN = {
    "mlp": "trainer.models.networks:MLP",
    "cnn": "trainer.models.networks:CNN",
    "linear": "trainer.models.linear:LINEAR",
    "random_forest": "trainer.models.forests:RANDOM_FOREST",
    "lightgbm": "trainer.models.light_gbm:LIGHTGBM",
    "xgboost": "trainer.models.xg_boost:XGBOOST",
    "svm": "trainer.models.kernels:SVM",
}
_ATTRIBUTES = ("name", "description", "tasks", "data", "hyperparameters", "space", "grid", "preset", "train")


def names() -> list[str]:
    """Return the names of all model types, of the trainer and of installed packages."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find(name: str) -> ModelType:
    """Return the model type `name`.

    Raises:
        ParameterError: There is no type with this name, or its package cannot be loaded.
    """
    name = FORMER_NAMES.get(name, name)
    if name in BUILT_IN:
        built_in: ModelType = EntryPoint(name, BUILT_IN[name], GROUP).load()
        return built_in
    for point in entry_points(group=GROUP, name=name):
        try:
            plugged_in = point.load()
        except Exception as error:  # whatever a foreign package raises while it is imported
            raise ParameterError(f"the model type {name!r} ({point.value}) cannot be loaded: {error}") from error
        return _checked(name, point.value, plugged_in)
    raise ParameterError(f"there is no model type {name!r}; choose one of: {', '.join(names())}")


def _checked(name: str, place: str, plugged_in: ModelType) -> ModelType:
    """Return a plugged-in type that has all attributes, and the name of its entry point.

    Raises:
        ParameterError: It lacks an attribute, or has another name.
    """
    where = f"the model type {name!r} ({place})"
    for attribute in _ATTRIBUTES:
        if not hasattr(plugged_in, attribute):
            raise ParameterError(f"{where} lacks `{attribute}`; see trainer.models.ModelType")
    if plugged_in.name != name:
        raise ParameterError(f"{where} has the `name` {plugged_in.name!r}; give it the name of its entry point")
    return plugged_in
