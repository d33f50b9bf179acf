"""What a training run is asked to do. The bounds stand here once: the API, the trainer's command line and openapi.json
all take them from these models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlops.domain.names import DEFAULT_EXPERIMENT, DEFAULT_MODEL_NAME, RESERVED_MODEL_NAMES, ExperimentName, ModelName

MAX_SEED = 2**31 - 1


class Request(BaseModel):
    """Base of request bodies: unknown fields, NaN, infinities, and strings or booleans for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Hyperparameters(Request):
    learning_rate: Annotated[float, Field(ge=1e-5, le=1, description="Peak learning rate")] = 0.001
    epochs: Annotated[int, Field(ge=1, le=100)] = 10
    batch_size: Annotated[int, Field(ge=8, le=512)] = 64
    hidden_size: Annotated[int, Field(ge=32, le=512, description="Units of the hidden layer")] = 128
    dropout: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed gives the same model")] = 42


HYPERPARAMETER_FIELDS = tuple(Hyperparameters.model_fields)


class TrainingSubject(Request):
    """What is trained on what: shared by a single run and a sweep."""

    model_type: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="mlp, cnn, logistic_regression, …")
    ] = "mlp"
    dataset: Annotated[
        str,
        Field(
            pattern=r"^(digits|mnist|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|https://[^/\s]+/\S+)$",
            max_length=1000,
            description="digits, mnist, or the s3:// or https:// address of an npz or CSV file",
        ),
    ] = "digits"
    experiment_name: ExperimentName = DEFAULT_EXPERIMENT
    model_name: ModelName = DEFAULT_MODEL_NAME

    @field_validator("model_name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED_MODEL_NAMES:
            raise ValueError(f"{name!r} is reserved; choose another name")
        return name


class TrainRequest(TrainingSubject, Hyperparameters):
    run_name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    register_model: Annotated[bool, Field(alias="register", description="Register the model when training is done")] = (
        True
    )

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Range(Request):
    """A range to draw from; `log` draws evenly in the logarithm, as is usual for learning rates."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 for a logarithmic range")
        return self


Space = dict[str, Annotated[list[float], Field(min_length=1, max_length=100)] | Range]
"""Hyperparameter name → the values to try, or a range to draw from (random strategy only)."""
