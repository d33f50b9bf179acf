"""How a version was trained, for training it again: the request of its job, in the present form.

Requests of the first version had the same six fields for every type, and each type took what it could use of them: a
forest's trees were called `hidden_size`. Their jobs' records always have all six, also those that nobody gave.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mlops.domain.model_types import FORMER_NAMES
from mlops.domain.training_request import SHORT_FORM, TrainingSubject


def _network(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: request[name] for name in SHORT_FORM if name in request}


def _regularised(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"C": 1000 * request["learning_rate"]} if "learning_rate" in request else {}


def _forest(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"n_estimators": request["hidden_size"]} if "hidden_size" in request else {}


_FIRST_VERSION: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "mlp": _network,
    "cnn": _network,
    "logistic_regression": _regularised,
    "svm": _regularised,
    "random_forest": _forest,
}
"""For each type of the first version, its own hyperparameters from the six fields."""


class RecipeError(ValueError):
    """The request cannot be repeated. The message says why, and names the remedy."""


def recipe_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `TrainingSubject` from the request in a job's record, whichever version wrote it.

    Raises:
        RecipeError: A plug-in of the first version used the six fields in a way that only the plug-in knows.
    """
    recipe = {name: request[name] for name in TrainingSubject.model_fields if name in request}
    model_type = recipe.get("model_type", "mlp")
    if "hyperparameters" not in recipe:
        if model_type not in _FIRST_VERSION:
            raise RecipeError(
                f"the request was made before {model_type!r} had hyperparameters of its own; train it once with them"
            )
        recipe["hyperparameters"] = _FIRST_VERSION[model_type](request)
    return {**recipe, "model_type": FORMER_NAMES.get(model_type, model_type)}
