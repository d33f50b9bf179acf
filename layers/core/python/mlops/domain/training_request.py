"""The request for a training run. The API, the trainer's command line and openapi.json use its bounds."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlops.domain.names import DEFAULT_EXPERIMENT, DEFAULT_MODEL_NAME, RESERVED_MODEL_NAMES, ExperimentName, ModelName
from mlops.domain.request import Request
from mlops.domain.resources import Resources
from mlops.domain.training_data import ColumnName, Conversion, HeldOut

MAX_SEED = 2**31 - 1
Value = bool | int | float | Annotated[str, Field(max_length=200)] | None
"""A value of a hyperparameter. Its type's own schema says which values are allowed."""
DecisionThreshold = Annotated[float, Field(ge=0.000001, le=0.999999)]
Values = Annotated[dict[Annotated[str, Field(min_length=1, max_length=100)], Value], Field(max_length=100)]


class NetworkFields(BaseModel):
    """The hyperparameters of networks that were fields of a request in the first version."""

    learning_rate: Annotated[float, Field(ge=1e-5, le=1, description="Peak learning rate of the optimiser")] = 0.001
    epochs: Annotated[int, Field(ge=1, le=100, description="Passes over the training data")] = 10
    batch_size: Annotated[int, Field(ge=8, le=512, description="Rows per optimiser step")] = 64
    hidden_size: Annotated[int, Field(ge=32, le=512, description="Units of the hidden layer")] = 128
    dropout: Annotated[
        float, Field(ge=0, le=0.5, description="Share of hidden units that are left out in a training step")
    ] = 0.2


class Hyperparameters(NetworkFields, Request):
    """The seed, and a short form of the hyperparameters of networks."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED, description="The same seed gives the same model")] = 42


HYPERPARAMETER_FIELDS = tuple(Hyperparameters.model_fields)
SHORT_FORM = tuple(name for name in HYPERPARAMETER_FIELDS if name != "seed")
"""Fields that stand for the hyperparameter of the same name. Types that have all of them take them, such as mlp."""


class TrainingSubject(Request):
    """The fields that a single run and a sweep have in common."""

    model_type: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9_]{0,39}$",
            description="A model type, of the platform or of a plug-in; GET /model-types lists them",
        ),
    ] = "mlp"
    dataset: Annotated[
        str,
        Field(
            pattern=r"^(digits|mnist|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|https://[^/\s]+/\S+)$",
            max_length=1000,
            description="digits, mnist, or the s3:// or https:// address of a file: .csv, .tsv, .jsonl or .ndjson, "
            "also packed as .gz or .zst; .parquet; or .npz. An s3:// address that ends in / stands for the Parquet "
            "files below it",
        ),
    ] = "digits"
    target: Annotated[
        ColumnName | None,
        Field(description="The column of a table to predict; by default the one called label, target, class or y"),
    ] = None
    task: Annotated[
        Literal["classification", "regression"] | None,
        Field(description="What to predict: a class or a quantity. By default the values of `target` decide"),
    ] = None
    columns: Annotated[
        dict[ColumnName, Conversion],
        Field(max_length=1000, description="What columns of a table are taken for, where their values mislead"),
    ] = {}  # noqa: RUF012  pydantic copies defaults
    objective: Annotated[
        str | None,
        Field(
            pattern=r"^[\w.\-/ ]{1,100}$",
            description="The metric that ranks runs, and that the gate compares: accuracy, f1, roc_auc, "
            "average_precision or log_loss; for quantities rmse, mae or r2; or a metric of your own. Default: accuracy "
            "or rmse",
        ),
    ] = None
    direction: Annotated[
        Literal["maximise", "minimise"] | None,
        Field(description="For an objective of your own: whether higher or lower is better"),
    ] = None
    held_out: Annotated[
        HeldOut | None,
        Field(
            description="Which rows of a table are kept to measure the model: a share, the rows from a time on, or "
            "whole groups. Default: a fifth"
        ),
    ] = None
    weight: Annotated[
        ColumnName | None, Field(description="The column of a table with the weights of its rows; it is no feature")
    ] = None
    class_weight: Annotated[
        Literal["none", "balanced"], Field(description="balanced: rare classes weigh as much as frequent ones")
    ] = "none"
    decision_threshold: Annotated[
        DecisionThreshold | None,
        Field(
            description="Of two classes: the probability of the second one from which on it is the answer. By default "
            "the more probable class is"
        ),
    ] = None
    hyperparameters: Annotated[
        Values, Field(description="Hyperparameters by the model type's own names; GET /model-types lists them")
    ] = {}  # noqa: RUF012
    preset: Annotated[
        Literal["none", "best"],
        Field(description="best: use the model type's recommended values for everything that is not given"),
    ] = "none"
    resources: Annotated[Resources | None, Field(description="vCPUs, memory and minutes of each job")] = None
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
        if address.scheme == "https" and address.path.endswith("/"):
            raise ValueError("must name a file: only s3:// addresses may end in /, as https:// cannot list files")
        return dataset


class TrainRequest(TrainingSubject, Hyperparameters):
    run_name: Annotated[
        str | None,
        Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$", description="Name of the run; by default its job_id"),
    ] = None
    register_model: Annotated[bool, Field(alias="register", description="Register the model afterwards")] = True

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    def document(self) -> dict[str, Any]:
        """Return the request as JSON, without fields of the short form that nobody gave.

        Sent to the trainer, those would take the place of a preset's values.
        """
        left_out = {name for name in SHORT_FORM if name not in self.model_fields_set}
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)


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


Space = dict[str, Annotated[list[Value], Field(min_length=1, max_length=100)] | Range]
"""For each hyperparameter a list of values, or a range to draw from (not for a grid)."""
