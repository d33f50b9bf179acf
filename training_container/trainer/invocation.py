"""Read the parameters and the identity of this process from the command line and the environment.

A value is taken from the command line, else from the variable TRAIN_<FIELD>, else from the preset, else the default.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mlops.domain.sweep import Sweep, child_parameters
from trainer import models
from trainer.errors import ParameterError
from trainer.parameters import HyperparameterValue, Identity, Parameters, ParameterValue

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "TRAIN_"
DOCUMENTS = ("columns", "held_out", "hyperparameters")
"""Fields whose text is JSON."""


def _name_of(field: str) -> str:
    return Parameters.model_fields[field].alias or field


FIELDS = tuple(_name_of(field) for field in Parameters.model_fields if field != "resources")
"""The parameters of a process. Its size is decided before it starts."""


def parser(prog: str = "python -m trainer") -> argparse.ArgumentParser:
    """Return a parser with one flag per field. Values stay text; `resolve` reads them and checks their bounds."""
    flags = argparse.ArgumentParser(
        prog=prog,
        description="Train one model, log it to MLflow and register it.",
        epilog="Each flag can be given as the variable TRAIN_<FLAG> too. `python -m trainer sweep --help` runs many.",
        allow_abbrev=False,
    )
    add_flags(flags)
    return flags


def add_flags(flags: argparse.ArgumentParser, leave_out: frozenset[str] = frozenset()) -> None:
    """Add a flag for every field except those of `leave_out`."""
    for field, info in Parameters.model_fields.items():
        name = _name_of(field)
        if name in FIELDS and name not in leave_out:
            text = f"{info.description or 'The same bounds as in POST /train'} (default: {info.default})"
            flags.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=text.replace("%", "%%"))


def given(arguments: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the given values as text, from the command line and, after it, from TRAIN_* variables.

    Raises:
        ParameterError: A TRAIN_ variable names no parameter. Misspelt ones must not be ignored.
    """
    values = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and value != ""
    }
    for name in values:
        if name not in FIELDS:
            raise ParameterError(f"the variable {PREFIX}{name.upper()} names no parameter; use one of: {_variables()}")
    flags = {name: value for name in FIELDS if (value := getattr(arguments, name, None)) is not None}
    return values | flags


def _variables() -> str:
    return ", ".join(PREFIX + name.upper() for name in FIELDS)


def resolve(
    values: Mapping[str, ParameterValue], drawn: Mapping[str, HyperparameterValue] = MappingProxyType({})
) -> Parameters:
    """Return the parameters, with hyperparameters that the model type has checked.

    Args:
        values: By the names of the fields, as text or typed.
        drawn: What a sweep has drawn: the seed, and hyperparameters by the type's own names or those of flat fields.

    Raises:
        ParameterError: A parameter is not valid. Names each one, what is wrong, and both ways to give it.
    """
    flat: dict[str, Any] = {name: _document(name, value) for name, value in values.items()}
    parameters = _validated(flat)
    own = dict(parameters.hyperparameters)
    model_type = models.find(parameters.model_type)
    for name, value in drawn.items():
        as_field = name in FIELDS and (
            models.takes_flat_fields(model_type) or name not in model_type.hyperparameters.model_fields
        )
        if as_field and value is not None:
            flat[name] = value
        else:
            own[name] = value
    return models.resolved(_validated({**flat, "hyperparameters": own}))


def _document(field: str, value: Any) -> Any:
    """Return a field's value, read from JSON if it has that as text. Raises ParameterError."""
    if field not in DOCUMENTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ParameterError(f"{_both_ways(field)}: must be JSON ({error}), got {value!r}") from error


def _validated(values: Mapping[str, Any]) -> Parameters:
    try:
        # Not strict, as values from the command line are text.
        return Parameters.model_validate(values, strict=False)
    except ValidationError as error:
        raise ParameterError("; ".join(_explained(item) for item in error.errors())) from error


def _explained(item: "ErrorDetails") -> str:
    field = str(item["loc"][0]) if item["loc"] else "parameters"
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"{_both_ways(field)}: {message}, got {item['input']!r}"


def _both_ways(field: str) -> str:
    return f"--{field.replace('_', '-')} ({PREFIX}{field.upper()})"


def identity(environment: Mapping[str, str] = os.environ) -> Identity:
    """Return the job of this process, from JOB_ID, SWEEP_ID, ACTOR and Batch's variables.

    A child of a sweep has the job id of its own index.

    Raises:
        ParameterError: The variable SWEEP cannot be read.
    """
    sweep = sweep_of(environment)
    return Identity(
        job_id=sweep.job_id(index(environment)) if sweep else environment.get("JOB_ID") or None,
        sweep_id=environment.get("SWEEP_ID") or None,
        batch_job_id=environment.get("AWS_BATCH_JOB_ID") or None,
        attempt=int(environment.get("AWS_BATCH_JOB_ATTEMPT") or 1),
        actor=environment.get("ACTOR") or None,
    )


def parameters(argv: Sequence[str], environment: Mapping[str, str]) -> Parameters:
    """Return the parameters of this process. A child of a sweep (SWEEP is set) derives its hyperparameters from its
    index.

    Raises:
        ParameterError: A parameter is not valid. Unknown flags end the process, as argparse does.
    """
    values = given(parser().parse_args(argv), environment)
    drawn: Mapping[str, HyperparameterValue] = {}
    if sweep := sweep_of(environment):
        try:
            drawn = child_parameters(sweep, index(environment))
        except IndexError as error:
            raise ParameterError(f"SWEEP: {error}") from error
    return resolve(values, drawn)


def sweep_of(environment: Mapping[str, str]) -> Sweep | None:
    """Return the sweep that this process belongs to. Raises ParameterError if the variable SWEEP cannot be read."""
    text = environment.get("SWEEP")
    if not text:
        return None
    try:
        return Sweep.model_validate_json(text)
    except ValidationError as error:
        raise ParameterError(f"SWEEP: {error.errors()[0]['msg']} at {error.errors()[0]['loc']}") from error


def index(environment: Mapping[str, str]) -> int:
    """Return the index of the child, from 0. A sweep of one process is a plain job without an index."""
    return int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX") or 0)
