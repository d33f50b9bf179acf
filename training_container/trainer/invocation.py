"""Read the parameters and the identity of this process from the command line and the environment.

A value is taken from the command line, else from the variable TRAIN_<FIELD>, else from the preset, else the default.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from mlops.domain.sweep import Sweep, child_parameters
from mlops.domain.training_request import SHORT_FORM
from trainer import models
from trainer.errors import ParameterError
from trainer.parameters import Identity, Parameters, ParameterValue

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "TRAIN_"


def _name_of(field: str) -> str:
    return Parameters.model_fields[field].alias or field


FIELDS = tuple(_name_of(field) for field in Parameters.model_fields if field != "resources")  # Batch has given those
DOCUMENTS = ("columns", "held_out", "hyperparameters")
"""Fields whose text is JSON."""


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


def resolve(values: Mapping[str, Any]) -> Parameters:
    """Return the parameters from `values` (text or typed), completed with those of the preset.

    Raises:
        ParameterError: A parameter is not valid. Names each one, what is wrong, and both ways to give it.
    """
    documents = {name: _document(name, values[name]) for name in DOCUMENTS if name in values}
    values = {**values, **documents}
    parameters = _validated(values)
    if parameters.preset == "best":
        parameters = _validated({**models.find(parameters.model_type).preset, **values})
    # The model types read the fields of the short form.
    short = {name: value for name, value in parameters.hyperparameters.items() if name in SHORT_FORM}
    return _validated({**parameters.model_dump(by_alias=True), **short}) if short else parameters


def with_drawn(values: Mapping[str, ParameterValue], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with what was drawn for a run of a sweep: its seed, and hyperparameters beside those given."""
    given = _document("hyperparameters", values.get("hyperparameters", "{}"))
    own = {name: value for name, value in drawn.items() if name != "seed"}
    return {**values, "seed": drawn["seed"], "hyperparameters": {**given, **own}}


def _document(name: str, value: Any) -> Any:
    """Return the value of a field whose text is JSON. Raises ParameterError."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        flag = f"--{name.replace('_', '-')} ({PREFIX}{name.upper()})"
        raise ParameterError(f"{flag}: must be JSON ({error}), got {value!r}") from error


def _validated(values: Mapping[str, Any]) -> Parameters:
    try:
        # Not strict, as values from the command line are text.
        return Parameters.model_validate(values, strict=False)
    except ValidationError as error:
        raise ParameterError("; ".join(_explained(item) for item in error.errors())) from error


def _explained(item: "ErrorDetails") -> str:
    field = str(item["loc"][0]) if item["loc"] else "parameters"
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"--{field.replace('_', '-')} ({PREFIX}{field.upper()}): {message}, got {item['input']!r}"


def identity(environment: Mapping[str, str] = os.environ) -> Identity:
    """Return the job of this process, from JOB_ID, SWEEP_ID and Batch's variables.

    A child of a sweep has the job id of its own index.

    Raises:
        ParameterError: The variable SWEEP cannot be read.
    """
    sweep = _sweep(environment)
    return Identity(
        job_id=sweep.job_id(_index(environment)) if sweep else environment.get("JOB_ID") or None,
        sweep_id=environment.get("SWEEP_ID") or None,
        batch_job_id=environment.get("AWS_BATCH_JOB_ID") or None,
        attempt=int(environment.get("AWS_BATCH_JOB_ATTEMPT") or 1),
    )


def parameters(argv: Sequence[str], environment: Mapping[str, str]) -> Parameters:
    """Return the parameters of this process. A child of a sweep (SWEEP is set) derives its hyperparameters from its
    index.

    Raises:
        ParameterError: A parameter is not valid. Unknown flags end the process, as argparse does.
    """
    values: dict[str, Any] = dict(given(parser().parse_args(argv), environment))
    if sweep := _sweep(environment):
        try:
            values = with_drawn(values, child_parameters(sweep, _index(environment)))
        except IndexError as error:
            raise ParameterError(f"SWEEP: {error}") from error
    return resolve(values)


def _sweep(environment: Mapping[str, str]) -> Sweep | None:
    text = environment.get("SWEEP")
    if not text:
        return None
    try:
        return Sweep.model_validate_json(text)
    except ValidationError as error:
        raise ParameterError(f"SWEEP: {error.errors()[0]['msg']} at {error.errors()[0]['loc']}") from error


def _index(environment: Mapping[str, str]) -> int:
    """Return the index of the child. A sweep of one run is a plain job without an index."""
    return int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX") or 0)
