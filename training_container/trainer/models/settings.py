"""The hyperparameters of a run: those that were given, checked and completed by its model type.

A type with all flat fields of a request (a network) takes these as a short form of its own names. For the other types a
flat field is an error, because it would be ignored.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import BaseModel, ValidationError

from trainer.data import Dataset
from trainer.errors import ParameterError
from trainer.models import first_version, registry
from trainer.models.first_version import REQUEST_FIELDS
from trainer.models.protocols import DataKind, ModelType
from trainer.parameters import HyperparameterValue, Parameters, ParameterValue

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FLAT_FIELDS = REQUEST_FIELDS | {"shift", "patience"}
_DATA_NAMES = {DataKind.TABLE: "a table", DataKind.VECTOR: "vectors", DataKind.IMAGE: "images"}

Own = TypeVar("Own", bound=BaseModel)


def resolved(parameters: Parameters) -> Parameters:
    """Return the parameters with checked hyperparameters under the type's own names.

    The flat fields of a type that takes them have the same values as its hyperparameters. The preset's values fill what
    was not given.

    Raises:
        ParameterError: A hyperparameter is unknown or not valid, or the type does not take a flat field.
    """
    model_type = registry.find(parameters.model_type)
    values = _values(model_type, parameters)
    settings = _validated(model_type, values)
    if takes_flat_fields(model_type):
        flat = {name: getattr(settings, name) for name in FLAT_FIELDS & set(type(settings).model_fields)}
        return parameters.model_copy(update=flat)
    others = {name: getattr(parameters, name) for name in parameters.model_fields_set - FLAT_FIELDS}
    return Parameters(**{**others, "hyperparameters": _given(model_type, parameters)})


def run_params(parameters: Parameters) -> dict[str, ParameterValue]:
    """Return what shapes the model, for the run's params and its record. Values that are None are left out.

    Raises:
        ParameterError: As `resolved`.
    """
    model_type = registry.find(parameters.model_type)
    own = _validated(model_type, _values(model_type, parameters)).model_dump()
    shared = ("seed", "model_type", "dataset", "target", "weight", "preset", "class_weight", "decision_threshold")
    values = {**own, **{name: getattr(parameters, name) for name in shared}}
    return {name: value for name, value in values.items() if value is not None}


def settings(model_type: ModelType, own: type[Own], parameters: Parameters, dataset: Dataset) -> Own:
    """Return the hyperparameters with which a type trains on a data set.

    Args:
        model_type: The type.
        own: Its `hyperparameters`.
        parameters: Of the run.
        dataset: Is trained on.

    Raises:
        ParameterError: The type does not take this data or task, or a hyperparameter is not valid for it.
    """
    _check_suits(model_type, dataset)
    if parameters.class_weight == "balanced" and not dataset.labels:
        raise ParameterError("--class-weight balanced: a regression has no classes; leave it out")
    _check_task(own, _given(model_type, parameters), dataset)
    return cast(Own, _validated(model_type, _values(model_type, parameters)))


def takes_flat_fields(model_type: ModelType) -> bool:
    """Return whether the flat fields of a request are a short form of the type's own hyperparameters."""
    return set(model_type.hyperparameters.model_fields) >= REQUEST_FIELDS


def _values(model_type: ModelType, parameters: Parameters) -> dict[str, HyperparameterValue]:
    return {**_preset(model_type, parameters), **_given(model_type, parameters)}


def _preset(model_type: ModelType, parameters: Parameters) -> dict[str, HyperparameterValue]:
    return dict(model_type.preset) if parameters.preset == "best" else {}


def _given(model_type: ModelType, parameters: Parameters) -> dict[str, HyperparameterValue]:
    """Return the given hyperparameters by the type's own names."""
    flat = {name: getattr(parameters, name) for name in sorted(parameters.model_fields_set & FLAT_FIELDS)}
    own = parameters.hyperparameters
    if takes_flat_fields(model_type):
        for name in flat.keys() & own.keys():
            if flat[name] != own[name]:
                raise ParameterError(
                    f"{_flag(name)} is {flat[name]!r}, and {name!r} is {own[name]!r} in --hyperparameters: give one"
                )
        return {**{name: flat[name] for name in flat if name in model_type.hyperparameters.model_fields}, **own}
    if (old := first_version.translated(parameters)) is not None:
        return old
    if flat:
        raise ParameterError(
            f"{_flag(next(iter(flat)))}: the model type {model_type.name} does not have it; {_remedy(model_type)}"
        )
    return dict(own)


def _validated(model_type: ModelType, values: dict[str, HyperparameterValue]) -> BaseModel:
    try:
        return model_type.hyperparameters.model_validate(values)
    except ValidationError as error:
        raise ParameterError("; ".join(_explained(model_type, item) for item in error.errors())) from error


def _explained(model_type: ModelType, item: "ErrorDetails") -> str:
    name = str(item["loc"][0]) if item["loc"] else model_type.name
    if item["type"] == "extra_forbidden":
        return f"--hyperparameters: {model_type.name} has no hyperparameter {name!r}; {_remedy(model_type)}"
    return f"--hyperparameters: {name}: {item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"


def _remedy(model_type: ModelType) -> str:
    names = ", ".join(model_type.hyperparameters.model_fields)
    return f"its hyperparameters are {names}" if names else "it has none"


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")


def _check_task(own: type[BaseModel], given: Iterable[str], dataset: Dataset) -> None:
    """Refuse hyperparameters that only the other task uses.

    If some are given that only this task uses, the request has them for either task, as a sweep's default space has.
    """
    of_task = {name: tasks for name in given if (tasks := _tasks_of(own, name))}
    if any(dataset.task in tasks for tasks in of_task.values()):
        return
    for name, tasks in of_task.items():
        others = [other for other in own.model_fields if dataset.task in _tasks_of(own, other)]
        instead = f"use {', '.join(others)}" if others else "leave it out"
        raise ParameterError(
            f"--hyperparameters: {name} is for {' and '.join(tasks)}, and {dataset.name} is a {dataset.task}: {instead}"
        )


def _tasks_of(own: type[BaseModel], name: str) -> list[str]:
    """Return the tasks that a hyperparameter is limited to; none if it is not limited."""
    field = own.model_fields.get(name)
    extra = field.json_schema_extra if field else None
    tasks = extra.get("tasks") if isinstance(extra, dict) else None
    return [str(task) for task in tasks] if isinstance(tasks, list) else []


def _check_suits(model_type: ModelType, dataset: Dataset) -> None:
    kind = DataKind.of(dataset)
    if kind in model_type.data and dataset.task in model_type.tasks:
        return
    suited = [
        name
        for name in registry.BUILT_IN
        if kind in (other := registry.find(name)).data and dataset.task in other.tasks
    ]
    wanted = " or ".join(_DATA_NAMES[data] for data in model_type.data)
    raise ParameterError(
        f"--model-type {model_type.name} needs {wanted}, for {' or '.join(model_type.tasks)}; {dataset.name} has "
        f"{_DATA_NAMES[kind]}, for {dataset.task}: use {', '.join(suited)}"
    )
