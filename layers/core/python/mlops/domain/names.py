"""Names that callers give or see: their rules and defaults."""

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from mlops.domain import model_name

RESERVED_MODEL_NAMES = frozenset({"transition", "transitions"})
"""Names that are reserved, because they are routes below /models."""

DEFAULT_MODEL_NAME = "digit-classifier"
"""The model of a request that names none. The template's parameter `DefaultModelName` has the same default; the client
and the console read it from openapi.json."""

DEFAULT_EXPERIMENT = "digit-classification"


def _servable(name: str) -> str:
    """Check a name. Raises PydanticCustomError with the rule if no model of this name can be served."""
    if not model_name.is_servable(name):
        raise PydanticCustomError("model_name", "{rule}", {"rule": model_name.RULE})
    return name


ModelName = Annotated[
    str,
    AfterValidator(_servable),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{model_name.PATTERN}$", "description": "Name of a registered model"}
    ),
]

ExperimentName = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$", description="Name of an MLflow experiment")
]

JobId = Annotated[str, Field(pattern=r"^job_[0-9]{6,18}$", description="Id of a training run, such as job_000042")]

SweepId = Annotated[str, Field(pattern=r"^sweep_[0-9]{6,18}$", description="Id of a sweep, such as sweep_000042")]
