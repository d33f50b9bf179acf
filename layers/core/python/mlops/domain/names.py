"""Names that callers give or see: their form, and the defaults."""

from typing import Annotated

from pydantic import Field

RESERVED_MODEL_NAMES = frozenset({"transition", "transitions"})
"""Names that are routes below /models."""

DEFAULT_MODEL_NAME = "digit-classifier"
"""The model of a request that names none. The parameter `DefaultModelName` of the template has the same default; the
client and the console take theirs from openapi.json."""

DEFAULT_EXPERIMENT = "digit-classification"

ModelName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Name of a registered model")
]

ExperimentName = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f/]{1,200}$", description="Name of an MLflow experiment")
]

JobId = Annotated[str, Field(pattern=r"^job_[0-9]{6,18}$", description="Id of a training run, like job_000042")]

SweepId = Annotated[str, Field(pattern=r"^sweep_[0-9]{6,18}$", description="Id of a sweep, like sweep_000042")]
