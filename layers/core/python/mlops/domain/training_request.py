"""The request for a training run. The API, the trainer's command line and openapi.json use its bounds."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlops.domain.names import DEFAULT_EXPERIMENT, DEFAULT_MODEL_NAME, RESERVED_MODEL_NAMES, ExperimentName, ModelName

MAX_SEED = 2**31 - 1


class Request(BaseModel):
    """Base of request bodies. Unknown fields, NaN, infinities, and strings or booleans for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Hyperparameters(Request):
    learning_rate: Annotated[float, Field(ge=1e-5, le=1, description="Peak learning rate of the optimiser")] = 0.001
    epochs: Annotated[int, Field(ge=1, le=100, description="Passes over the training data")] = 10
    batch_size: Annotated[int, Field(ge=8, le=512, description="Rows per optimiser step")] = 64
    hidden_size: Annotated[int, Field(ge=32, le=512, description="Units of the hidden layer")] = 128
    dropout: Annotated[
        float, Field(ge=0, le=0.5, description="Share of hidden units that are left out in a training step")
    ] = 0.2
    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed gives the same model")] = 42


HYPERPARAMETER_FIELDS = tuple(Hyperparameters.model_fields)


class TrainingSubject(Request):
    """The fields that a single run and a sweep have in common."""

    model_type: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9_]{0,39}$",
            description="mlp, cnn, logistic_regression, random_forest, svm, or the model type of a plug-in",
        ),
    ] = "mlp"
    dataset: Annotated[
        str,
        Field(
            pattern=r"^(digits|mnist|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|https://[^/\s]+/\S+)$",
            max_length=1000,
            description="digits, mnist, or the s3:// or https:// address of a file: .csv or .tsv, also packed as .gz "
            "or .zst, or .npz",
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

    @field_validator("dataset")
    @classmethod
    def _address(cls, dataset: str) -> str:
        try:
            address = urlsplit(dataset)
        except ValueError as error:  # as in https://[zz]/, whose brackets have no IPv6 address
            raise ValueError("must be a valid address; its host is not valid") from error
        if "@" in address.netloc:
            raise ValueError("must not contain a user or password, because every API key could read them; use s3://")
        return dataset


class TrainRequest(TrainingSubject, Hyperparameters):
    run_name: Annotated[
        str | None,
        Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$", description="Name of the run; by default its job_id"),
    ] = None
    register_model: Annotated[bool, Field(alias="register", description="Register the model afterwards")] = True

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Range(Request):
    """A range to draw from. With `log`, the logarithm is drawn uniformly, as is usual for learning rates."""

    low: Annotated[float, Field(description="Lowest value")]
    high: Annotated[float, Field(description="Highest value")]
    log: Annotated[bool, Field(description="Draw the logarithm uniformly")] = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 for a logarithmic range")
        return self


Space = dict[str, Annotated[list[float], Field(min_length=1, max_length=100)] | Range]
"""For each hyperparameter a list of values, or a range to draw from (random strategy only)."""
