"""The conversion of a version that plain MLflow logged: its record, and the document that its job writes.

A job loads the version as it was logged, converts it to ONNX, and proves that the file answers as the model does. It
runs what people have pickled, so its role may only read `mlflow/` and write `conversions/`. The id of a conversion is
part of its objects' names and cannot be guessed, so a job cannot write the result of another one.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from mlops.domain.stored import known_fields
from mlops.domain.timestamps import now

PREFIX = "conversions/"
RESULT_FILE = "result.json"
ID_PREFIX = "conv_"
MAX_RESULT_BYTES = 100_000
"""A larger document is not read."""

FLAVOURS = ("sklearn", "xgboost", "lightgbm", "pytorch")
"""MLflow's names of the kinds of models that the job converts."""
REMEDY = (
    f"log it with mlflow.{{{', '.join(FLAVOURS)}}}.log_model, which the platform converts, or in ONNX format, as one "
    "file: mlflow.onnx.log_model(…, save_as_external_data=False)"
)

MAX_REASON = 2000
MAX_NOTE = 500
MAX_NOTES = 20

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ConversionStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class ConversionResult(BaseModel):
    """What a job says at its end. It ran foreign code, so only what passes these checks is believed.

    Attributes:
        conversion_id: The conversion.
        reason: Why the model cannot be converted; None if it was.
        sha256: The hash of the ONNX file, whose name it is.
        proof_sha256: The hash of the rows of its proof, whose name it is, too.
        task: What the model predicts.
        notes: What a person should know, such as versions of libraries that differ.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    conversion_id: str
    reason: Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON)] | None = None
    sha256: Sha256 | None = None
    proof_sha256: Sha256 | None = None
    task: Literal["classification", "regression"] | None = None
    notes: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=MAX_NOTE)], ...], Field(max_length=MAX_NOTES)
    ] = ()

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.reason is None) == (self.sha256 is None):
            raise ValueError("there must be either a reason or a file")
        return self


@dataclass(frozen=True)
class Conversion:
    """The record of a conversion, under the names of the table.

    Attributes:
        registered_at: When the version was registered: if a model was deleted and registered again, the same number is
            another version.
        waiting: The transitions that go on when it has ended.
    """

    model_name: str
    version: int
    conversion_id: str
    registered_at: str
    actor: str
    request_id: str | None = None
    status: ConversionStatus = ConversionStatus.RUNNING
    batch_job_id: str | None = None
    waiting: frozenset[str] = frozenset()
    error: str | None = None
    sha256: str | None = None
    proof_sha256: str | None = None
    task: str | None = None
    notes: tuple[str, ...] = ()
    created_at: str = field(default_factory=now)
    completed_at: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Conversion":
        """Read a record. Fields that this version does not have are left out."""
        known = known_fields(cls, record)
        return cls(
            **{
                **known,
                "version": int(known["version"]),
                "status": ConversionStatus(known["status"]),
                "waiting": frozenset(known.get("waiting", ())),
                "notes": tuple(known.get("notes", ())),
            }
        )

    def to_record(self) -> dict[str, Any]:
        """Return the record. An empty set is left out, as the table has none."""
        record = {name: value for name, value in asdict(self).items() if value not in (None, frozenset())}
        return {**record, **({"open": "1"} if self.status is ConversionStatus.RUNNING else {})}

    @property
    def folder(self) -> str:
        """The prefix of its objects in the bucket."""
        return folder_of(self.model_name, self.version, self.conversion_id)


def folder_of(model_name: str, version: int, conversion_id: str) -> str:
    """Return the prefix of a conversion's objects in the bucket."""
    return f"{PREFIX}{model_name}/{version}/{conversion_id}/"


def model_file(sha256: str) -> str:
    """Return the name of a converted file in its folder."""
    return f"{sha256}.onnx"


def proof_file(sha256: str) -> str:
    """Return the name of the rows of a proof in its folder."""
    return f"{sha256}.npz"


def explanation_file(model_sha256: str) -> str:
    """Return the name of what explains the answers of a converted file, in its folder. That file has its hash."""
    return f"{model_sha256}.explain.npz"


def new_conversion_id() -> str:
    """Return a new id, which cannot be guessed."""
    return ID_PREFIX + secrets.token_hex(16)


def flavours_of(mlmodel: str) -> frozenset[str]:
    """Return the names of the flavours in the text of an MLmodel file, as MLflow writes it: YAML in block style."""
    names, within = set(), False
    for line in mlmodel.splitlines():
        if not line.startswith(" "):
            within = line.rstrip() == "flavors:"
        elif within and line.startswith("  ") and not line.startswith("   ") and line.rstrip().endswith(":"):
            names.add(line.strip().removesuffix(":"))
    return frozenset(names)


def is_convertible(mlmodel: str) -> bool:
    """Return whether a job can try to convert a model with this MLmodel file."""
    return not flavours_of(mlmodel).isdisjoint(FLAVOURS)
