"""Check hyperparameters, and a sweep's space, against the schema that the model type has published."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from mlops.api.schemas.sweeps import SweepRequest
from mlops.domain.errors import FieldError, ValidationFailed
from mlops.domain.model_types import ModelType, TaskUnknown
from mlops.domain.training_data import known_task
from mlops.domain.training_request import MAX_SEED, SHORT_FORM, Space, TrainingSubject, Value

MAX_NAME = 40
"""Characters of an unknown hyperparameter's name that an error repeats."""
MAX_ERRORS = 20
SEED = {"seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED}}
"""The schema of the seed, which a space may have beside the model type's own hyperparameters."""


def checked(request: TrainingSubject, model_type: ModelType) -> dict[str, Value]:
    """Return the given hyperparameters by the type's own names, those of the short form too.

    Raises:
        ValidationFailed: One is unknown, out of bounds or given twice. Names each, and those that the type has.
    """
    errors = list(_short_form_errors(request, model_type))
    values = {name: getattr(request, name) for name in SHORT_FORM if name in request.model_fields_set}
    values = {name: _exact(model_type, name, value) for name, value in {**values, **request.hyperparameters}.items()}
    if not errors:
        fields = {name: _field("hyperparameters", name) if name in request.hyperparameters else name for name in values}
        for name, value in values.items():
            errors += _errors(model_type, fields[name], name, value)
        errors += _task_errors(request, model_type, fields)
    if errors:
        raise ValidationFailed.of_fields(errors, MAX_ERRORS)
    return values


def checked_space(request: SweepRequest, model_type: ModelType, given: Mapping[str, Value]) -> Space:
    """Return the space of a sweep: the requested one, or the type's default without what is `given`.

    Raises:
        ValidationFailed: A name is unknown, or a value or an end of a range out of bounds. Names each. Or the default
            grid depends on a task that is not known.
    """
    if not request.space:
        try:
            return model_type.default_space(request.strategy, known_task(request.dataset, request.task), given)
        except TaskUnknown as error:
            raise ValidationFailed.of_field("task", str(error)) from error
    errors: list[FieldError] = []
    for name, values in request.space.items():
        field = _field("space", name)
        if request.strategy == "grid" and not isinstance(values, list):
            errors.append((field, "must be a list of values for a grid; ranges are for the strategies random and tpe"))
        if name in request.hyperparameters:
            errors.append((field, "is in `hyperparameters` too: leave it out here or there"))
        ends = values if isinstance(values, list) else (values.low, values.high)
        found = (error for value in ends for error in _errors(model_type, field, name, value, SEED))
        errors += itertools.islice(found, 1)
    errors += _task_errors(request, model_type, {name: _field("space", name) for name in request.space})
    if errors:
        raise ValidationFailed.of_fields(errors, MAX_ERRORS)
    return request.space


def _short_form_errors(request: TrainingSubject, model_type: ModelType) -> Iterator[FieldError]:
    for name in SHORT_FORM:
        if name not in request.model_fields_set:
            continue
        if not model_type.takes_short_form:
            yield name, f"is no field for {model_type.name}; use `hyperparameters`, which has {_names(model_type)}"
        elif name in request.hyperparameters:
            yield name, "is given twice: leave it out here, or in `hyperparameters`"


def _task_errors(request: TrainingSubject, model_type: ModelType, fields: Mapping[str, str]) -> Iterator[FieldError]:
    """Yield what only another task uses. If something is for this task only, the request has values for either one.

    Args:
        request: Says the task, if it is known.
        model_type: The type.
        fields: The field of each hyperparameter.
    """
    task, limited = known_task(request.dataset, request.task), model_type.limited(fields)
    if task is None or any(task in tasks for tasks in limited.values()):
        return
    own = ", ".join(name for name, tasks in model_type.limited(model_type.names).items() if task in tasks)
    instead = f"use {own}" if own else "leave it out"
    for name, tasks in limited.items():
        yield fields[name], f"is for {' and '.join(tasks)}, and the task is {task}: {instead}"


def _errors(
    model_type: ModelType, field: str, name: str, value: Value, more: Mapping[str, Any] | None = None
) -> Iterator[FieldError]:
    """Return what is wrong with one value of a hyperparameter. `more` has schemas beside those of the model type."""
    import jsonschema  # takes a tenth of a second, which requests without hyperparameters need not wait for

    properties = {**(more or {}), **model_type.hyperparameters.get("properties", {})}
    if name not in properties:
        yield field, f"is not a hyperparameter of {model_type.name}, which has {_names(model_type)}"
    elif _is_whole(model_type, name) and isinstance(value, float) and not value.is_integer():
        yield field, f"must have whole numbers only, not {value:g}"
    else:
        validator = jsonschema.Draft202012Validator({**model_type.hyperparameters, "properties": properties})
        for error in validator.iter_errors({name: _exact(model_type, name, value)}):
            if list(error.absolute_path)[:1] == [name]:  # others speak of names that are not given
                yield field, str(jsonschema.exceptions.best_match([error]).message)


def _is_whole(model_type: ModelType, name: str) -> bool:
    return name in model_type.whole_in_sweeps


def _exact(model_type: ModelType, name: str, value: Value) -> Value:
    """Return a whole number as one: JSON does not tell 64.0 from 64, but the trainer does."""
    if isinstance(value, float) and value.is_integer() and _is_whole(model_type, name):
        return int(value)
    return value


def _names(model_type: ModelType) -> str:
    return ", ".join(model_type.names) or "none"


def _field(place: str, name: str) -> str:
    return f"{place}.{name[:MAX_NAME]}"
