"""Find model types: the built-in ones, and those that other packages add.

A type is an object of `ModelType`. Ours stand in `BUILT_IN`, one line each. A package of yours adds one by an entry
point, without a change of ours:

    [project.entry-points."mlops.model_types"]
    my_type = "my_package.my_module:MY_TYPE"

Both are import strings, so that a run imports the libraries of its own type only.
"""

from importlib.metadata import EntryPoint, entry_points

from trainer.errors import ParameterError
from trainer.models.protocols import ModelType

GROUP = "mlops.model_types"

BUILT_IN = {
    "mlp": "trainer.models.networks:MLP",
    "cnn": "trainer.models.networks:CNN",
    "logistic_regression": "trainer.models.linear:LOGISTIC_REGRESSION",
    "random_forest": "trainer.models.forests:RANDOM_FOREST",
    "svm": "trainer.models.kernels:SVM",
}


def names() -> list[str]:
    """Return the names of all model types, of the trainer and of installed packages."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def find(name: str) -> ModelType:
    """Return the model type `name`, and import the libraries that it uses.

    Raises:
        ParameterError: There is no type with this name, or its package cannot be loaded.
    """
    if name in BUILT_IN:
        built_in: ModelType = EntryPoint(name, BUILT_IN[name], GROUP).load()
        return built_in
    for point in entry_points(group=GROUP, name=name):
        try:
            plugged_in = point.load()
        except Exception as error:  # whatever a foreign package raises while it is imported
            raise ParameterError(f"the model type {name!r} ({point.value}) cannot be loaded: {error}") from error
        if not isinstance(plugged_in, ModelType):
            raise ParameterError(f"the model type {name!r} ({point.value}) lacks `preset` or `train`")
        return plugged_in
    raise ParameterError(f"there is no model type {name!r}; choose one of: {', '.join(names())}")
