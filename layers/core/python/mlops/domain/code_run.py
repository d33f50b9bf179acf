"""Runs of people's own training code: what a request may say, where the archive lies, and how far MLflow says it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field, field_validator, model_validator

from mlops.domain import objective as objectives
from mlops.domain.job import Job
from mlops.domain.names import ExperimentName
from mlops.domain.objective import ObjectiveError
from mlops.domain.request import Request
from mlops.domain.resources import Resources
from mlops.domain.training_request import Value

MAX_ARCHIVE_BYTES = 50_000_000
DEFAULT_CODE_EXPERIMENT = "own-code"
ERROR_TAG = "mlops.error"
"""The tag of an MLflow run with the reason of its failure."""
MAX_METRICS, MAX_PARAMS, MAX_PARAM_LENGTH = 300, 100, 250
"""What is shown of a run. A script may log more than a job's record can hold."""
_SYSTEM = "system/"
"""What the names of MLflow's metrics of the machine begin with."""

Digest = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the archive, a .tar.gz, as hexadecimal digits")
]
_PATH = r"^[^/\x00-\x1f\x7f\\][^\x00-\x1f\x7f\\]{0,499}$"


def archive_key(digest: str) -> str:
    """Return the key of an archive in the artifact bucket."""
    return f"code/{digest}.tar.gz"


class CodeUploadRequest(Request):
    """The archive that is to be uploaded."""

    sha256: Digest
    size: Annotated[int, Field(ge=1, le=MAX_ARCHIVE_BYTES, description="Size of the archive in bytes")]


class RunRequest(Request):
    """A run of a script in an archive that was uploaded."""

    code: Digest
    script: Annotated[
        str, Field(pattern=_PATH, description="Path of the Python script in the archive, such as train.py")
    ]
    params: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z][\w.\-]{0,99}$")], Value],
        Field(max_length=100, description="Given to the script as arguments: --name=value"),
    ] = {}  # noqa: RUF012  pydantic copies defaults
    requirements: Annotated[
        str | None,
        Field(pattern=_PATH, description="Path of a requirements file in the archive, whose packages are installed"),
    ] = None
    dataset: Annotated[
        str | None,
        Field(
            pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+|https://[^@\s/]+/\S+[^/\s])$",
            max_length=1000,
            description="The s3:// or https:// address of a file that the script reads; an s3:// address that ends in "
            "/ stands for the Parquet files below it",
        ),
    ] = None
    objective: Annotated[
        str | None,
        Field(pattern=r"^[\w.\-/ ]{1,100}$", description="The metric of the script that says how good the run is"),
    ] = None
    direction: Annotated[
        Literal["maximise", "minimise"] | None,
        Field(description="For an objective of your own: whether higher or lower is better"),
    ] = None
    resources: Annotated[Resources | None, Field(description="vCPUs, memory and minutes of the job")] = None
    experiment_name: ExperimentName = DEFAULT_CODE_EXPERIMENT
    run_name: Annotated[
        str | None,
        Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$", description="Name of the run; by default its job_id"),
    ] = None

    @field_validator("script", "requirements")
    @classmethod
    def _within(cls, path: str | None) -> str | None:
        if path is not None and ".." in path.split("/"):
            raise ValueError("must be a path within the archive, without ..")
        return path

    @field_validator("script")
    @classmethod
    def _is_python(cls, path: str) -> str:
        if not path.endswith(".py"):
            raise ValueError("must be a Python script, whose name ends in .py")
        return path

    @model_validator(mode="after")
    def _known_objective(self) -> "RunRequest":
        if self.objective is None and self.direction is not None:
            raise ValueError("direction is for an `objective` of your own: name it, or leave the direction out")
        if self.objective is not None:
            try:
                objectives.named(self.objective, self.direction)
            except ObjectiveError as error:
                raise ValueError(f"objective: {error}") from error
        return self

    @property
    def epochs(self) -> int:
        """How many epochs the script is asked for; 0 if its parameters do not say it."""
        return _count(self.params.get("epochs"))


class Logged(TypedDict):
    """The fields of a job's record that the script itself logs."""

    metrics: dict[str, float]
    epoch: int
    epochs: int
    params: dict[str, Value]


@dataclass(frozen=True)
class RunState:
    """What MLflow has of a run.

    Attributes:
        metrics: The last value of each metric, without those of the machine.
        epoch: The last value of the metric `epoch`, else the highest step of a metric.
        epochs: The parameter `epochs`; 0 if the script has logged none.
        params: The logged parameters.
        error: The reason of a failure, if one was recorded.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    epoch: int = 0
    epochs: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "RunState":
        """Read the `run` of MLflow's answer to runs/get."""
        data = document.get("data", {})
        logged = [metric for metric in data.get("metrics", []) if not metric["key"].startswith(_SYSTEM)]
        metrics = {metric["key"]: float(metric["value"]) for metric in logged[:MAX_METRICS]}
        steps = [int(metric.get("step", 0)) for metric in logged]
        params = {param["key"]: param["value"][:MAX_PARAM_LENGTH] for param in data.get("params", [])[:MAX_PARAMS]}
        tags = {tag["key"]: tag["value"] for tag in data.get("tags", [])}
        return cls(
            metrics=metrics,
            epoch=_count(metrics.get("epoch")) or max([0, *steps]),
            epochs=_count(params.get("epochs")),
            params=params,
            error=tags.get(ERROR_TAG),
        )

    def logged(self, job: Job) -> Logged:
        """Return what the run adds to its job. Parameters and epochs that the request has come first."""
        return {
            "metrics": dict(self.metrics),
            "epoch": self.epoch,
            "epochs": self.epochs or job.epochs,
            "params": {**self.params, **job.params},
        }


def _count(value: Any) -> int:
    """Return a whole number from 0 on; 0 for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0
    return int(number) if 0 <= number < 2**53 and not isinstance(value, bool) else 0
