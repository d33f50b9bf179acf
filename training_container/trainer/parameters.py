"""What a run is asked to do, from the command line and the environment alike.

The fields, bounds and defaults are those of the API's TrainRequest. A value on the command line wins over the variable
TRAIN_<FIELD>, that over the preset's, and that over the default.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mlops.domain.sweep import Sweep, child_parameters
from mlops.domain.training_request import HYPERPARAMETER_FIELDS, TrainRequest
from trainer.errors import ParameterError

PREFIX = "TRAIN_"


class Parameters(TrainRequest):
    """A training request, and what only the trainer itself knows of."""

    preset: Annotated[
        Literal["none", "best"],
        Field(description="best: the model type's own values for all that is not given"),
    ] = "none"
    shift: Annotated[
        int, Field(ge=0, le=8, description="Augmentation: move each image by up to so many pixels, anew each epoch")
    ] = 0
    patience: Annotated[
        int,
        Field(ge=0, le=100, description="Stop after so many epochs without a better validation loss; 0 never stops"),
    ] = 0

    def hyperparameters(self) -> dict[str, Any]:
        """What shapes the model, for the run's params: the API's hyperparameters and the trainer's own."""
        names = (*HYPERPARAMETER_FIELDS, "model_type", "dataset", "preset", "shift", "patience")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Identity:
    """Which job this process is an attempt of; all None for a run that a person started by hand."""

    job_id: str | None = None
    sweep_id: str | None = None
    batch_job_id: str | None = None
    attempt: int = 1


def _name_of(field: str) -> str:
    return Parameters.model_fields[field].alias or field


FIELDS = tuple(_name_of(field) for field in Parameters.model_fields)


def parser(prog: str = "python -m trainer") -> argparse.ArgumentParser:
    """One flag a field. Values stay text here: the model of the parameters reads and bounds them."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Train one model, log it to MLflow and register it.",
        epilog="Each flag can be given as the variable TRAIN_<FLAG> too. `python -m trainer sweep --help` runs many.",
        allow_abbrev=False,
    )
    add_flags(made)
    return made


def add_flags(made: argparse.ArgumentParser, leave_out: frozenset[str] = frozenset()) -> None:
    """Add a flag for every field but those of `leave_out`."""
    for field, info in Parameters.model_fields.items():
        name = _name_of(field)
        if name not in leave_out:
            said = f"{info.description or 'bounds as in POST /train'} (default: {info.default})"
            made.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=said.replace("%", "%%"))


def given(arguments: argparse.Namespace, environment: Mapping[str, str]) -> dict[str, str]:
    """What was given, as text: from TRAIN_* variables and, before them, the command line.

    Raises:
        ParameterError: a TRAIN_ variable names no parameter; a misspelt one must not be passed over in silence.
    """
    values = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and value != ""
    }
    for name in values:
        if name not in FIELDS:
            raise ParameterError(f"the variable {PREFIX}{name.upper()} is none of: {_variables()}")
    flags = {name: value for name in FIELDS if (value := getattr(arguments, name, None)) is not None}
    return values | flags


def _variables() -> str:
    return ", ".join(PREFIX + name.upper() for name in FIELDS)


def resolve(values: Mapping[str, Any]) -> Parameters:
    """The parameters from `values` (text or already typed), with the preset's filled in.

    Raises:
        ParameterError: names each bad parameter, what is wrong with it, and both ways of giving it.
    """
    parameters = _validated(values)
    if parameters.preset == "best":
        from trainer import models

        parameters = _validated({**models.find(parameters.model_type).preset, **values})
    return parameters


def _validated(values: Mapping[str, Any]) -> Parameters:
    try:
        return Parameters.model_validate_strings({name: str(value) for name, value in values.items()})
    except ValidationError as error:
        raise ParameterError("; ".join(_explained(item) for item in error.errors())) from error


def _explained(item: Any) -> str:
    field = str(item["loc"][0]) if item["loc"] else "parameters"
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"--{field.replace('_', '-')} ({PREFIX}{field.upper()}): {message}, got {item['input']!r}"


def identity(environment: Mapping[str, str] = os.environ) -> Identity:
    """Who we are, from JOB_ID, SWEEP_ID and what Batch sets. A sweep's child has the job id of its own index.

    Raises:
        ParameterError: SWEEP cannot be read.
    """
    sweep = _sweep(environment)
    return Identity(
        job_id=sweep.job_id(_index(environment)) if sweep else environment.get("JOB_ID") or None,
        sweep_id=environment.get("SWEEP_ID") or None,
        batch_job_id=environment.get("AWS_BATCH_JOB_ID") or None,
        attempt=int(environment.get("AWS_BATCH_JOB_ATTEMPT") or 1),
    )


def of_process(argv: Sequence[str], environment: Mapping[str, str]) -> Parameters:
    """What this process is to do. A sweep's child (SWEEP is set) derives its hyperparameters from its index.

    Raises:
        ParameterError: names each bad parameter. Unknown flags end the process, as argparse does.
    """
    values: dict[str, Any] = dict(given(parser().parse_args(argv), environment))
    if sweep := _sweep(environment):
        try:
            values |= child_parameters(sweep, _index(environment))
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
    """A sweep of one run is a plain job, which has no index."""
    return int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX") or 0)
