"""Find model types: the built-in ones, and those that other packages add.

A type is an object of `ModelType`. Ours stand in `BUILT_IN`, one line each. A package of yours adds one by an entry
point, without a change of ours:

    [project.entry-points."mlops.model_types"]
    my_type = "my_package.my_module:MY_TYPE"

Both are import strings, and our modules import the libraries that train only when they train.
"""

from importlib.metadata import EntryPoint, entry_points

from mlops.domain.model_types import FORMER_NAMES
from trainer.errors import ParameterError
from trainer.models.first_version import FirstVersionType
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
_OF_THE_FIRST_VERSION = ("preset", "train")
_ADDED_SINCE = ("name", "description", "tasks", "data", "hyperparameters", "space", "grid")


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
    """Return a plugged-in type that has all attributes. Raises ParameterError if it lacks some."""
    if any(not hasattr(plugged_in, attribute) for attribute in _OF_THE_FIRST_VERSION):
        raise ParameterError(f"the model type {name!r} ({place}) lacks `preset` or `train`")
    lacking = [attribute for attribute in _ADDED_SINCE if not hasattr(plugged_in, attribute)]
    if len(lacking) == len(_ADDED_SINCE):
        return FirstVersionType(name, plugged_in)
    if lacking:
        raise ParameterError(f"the model type {name!r} ({place}) lacks `{lacking[0]}`; see trainer.models.ModelType")
    return plugged_in
