"""Batch predictions: what a request may say, the record of one, and what its shards report."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from mlops.domain.addresses import OBJECT_ADDRESS, InputAddress, bucket_of, key_of
from mlops.domain.ids import sortable_id
from mlops.domain.job import JobStatus
from mlops.domain.names import ModelName
from mlops.domain.request import Request
from mlops.domain.stored import known_fields, stored_fields
from mlops.domain.timestamps import now
from mlops.domain.training_data import ColumnName

ID_PREFIX = "batch_"
FOLDER = "batch-predictions/"
"""Of the platform's own objects about them in the artifact bucket."""
OUTPUT_FOLDER, INPUT_FOLDER = "scored/", "datasets/"
"""Where outputs and inputs may be in the artifact bucket."""
CLAIM_FILE, SUCCESS_FILE, REJECTED_FOLDER = "_BATCH_PREDICTION", "_SUCCESS", "rejected/"
"""In the folder of the output. Spark, DuckDB and others pass over names that begin with an underscore."""
MAX_UPLOAD_BYTES = 5_000_000_000
"""S3 takes no more in one request."""
SHOWN_REASONS = 5
_OWN_COLUMNS = ("prediction_id", "prediction", "confidence", "file", "row", "column", "reason", "value")

ServingStage = Annotated[Literal["Production", "Staging"], Field(description="The stage whose version answers")]
BatchPredictionId = Annotated[
    str,
    Field(pattern=r"^batch_[0-9a-f]{20}$", description="Id of a batch prediction, such as batch_0199f0c2a4b17d31c2ae"),
]


class BatchPredictionRequest(Request):
    """Which model answers which rows, and where the answers go."""

    model_name: ModelName
    stage: ServingStage = "Production"
    input: Annotated[
        InputAddress,
        Field(
            description="The s3:// address of a file (.parquet, .csv, .tsv, .jsonl, .ndjson; the text formats also as "
            ".gz or .zst), or one that ends in / for all such files below it",
        ),
    ]
    output: Annotated[
        str,
        Field(
            pattern=OBJECT_ADDRESS,
            description="The s3:// address of a folder with nothing in it: below scored/ in the platform's bucket, or "
            "in a bucket of the parameter OutputBuckets",
        ),
    ]
    keep: Annotated[
        list[ColumnName], Field(max_length=100, description="Columns that are copied beside the answers, such as an id")
    ] = []  # noqa: RUF012  pydantic copies defaults
    max_rejected: Annotated[
        float, Field(ge=0, le=1, description="If a larger share of the rows is set aside, the batch prediction fails")
    ] = 0.01
    probabilities: Annotated[
        bool, Field(description="Whether to write the probability of each class, in columns of their own")
    ] = False
    shard_mb: Annotated[
        int, Field(ge=1, le=4096, description="About how many megabytes of input a shard has, which is done by one job")
    ] = 128

    @field_validator("output")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        if not key_of(value):
            raise ValueError("must name a folder, not a whole bucket")
        return value if value.endswith("/") else f"{value}/"

    @field_validator("keep")
    @classmethod
    def _can_be_kept(cls, value: list[str]) -> list[str]:
        for name in value:
            if name in _OWN_COLUMNS or name.startswith("probability_"):
                raise ValueError(f"has {name!r}, which is a column of the output; rename it in the input")
        if len(set(value)) != len(value):
            raise ValueError("names a column twice")
        return value


class DataUploadRequest(Request):
    """The file that is to be uploaded."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][\w.\-]{0,199}$", description="Its name, which says what it is: x.parquet")
    ]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Its SHA-256 as hexadecimal digits")]
    size: Annotated[int, Field(ge=1, le=MAX_UPLOAD_BYTES, description="Its size in bytes")]


def not_an_input(address: str, artifact_bucket: str, dataset_buckets: str) -> str | None:
    """Return why jobs do not read an address; None if they do.

    Args:
        address: An s3:// address.
        artifact_bucket: The platform's own bucket.
        dataset_buckets: Further buckets that may hold inputs, comma-separated.
    """
    bucket = bucket_of(address)
    if bucket == artifact_bucket:
        if key_of(address).startswith((INPUT_FOLDER, OUTPUT_FOLDER)):
            return None
        return f"must be below {INPUT_FOLDER} or {OUTPUT_FOLDER} in the platform's bucket"
    if bucket in dataset_buckets.split(","):
        return None
    return f"the bucket {bucket!r} is not allowed; an operator can add it to DatasetBuckets"


def new_batch_prediction_id() -> str:
    """Return a new id. Ids sort by time in milliseconds, then at random."""
    return sortable_id(ID_PREFIX)


@dataclass(frozen=True)
class BatchPrediction:
    """The record of a batch prediction, under the names of the table.

    Attributes:
        sha256: The hash of the model's file, which is pinned.
        shards_done, rows, rejected, seconds, reasons: What the shards reported, once it has ended.
        files_deleted_at, files_deleted_by: When and by which key its files were deleted.
    """

    batch_id: str
    model_name: str
    model_version: int
    sha256: str
    shards: int
    input_files: int
    input_bytes: int
    request: Mapping[str, Any]
    actor: str
    request_id: str | None = None
    status: JobStatus = JobStatus.PENDING
    batch_job_id: str | None = None
    cancel_requested: bool = False
    shards_done: int | None = None
    rows: int | None = None
    rejected: int | None = None
    seconds: float | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    created_at: str = field(default_factory=now)
    started_at: str | None = None
    completed_at: str | None = None
    files_deleted_at: str | None = None
    files_deleted_by: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "BatchPrediction":
        """Read a record. Fields that this version does not have are left out."""
        known = known_fields(cls, record)
        return cls(**{**known, "status": JobStatus(known["status"])})

    def to_record(self) -> dict[str, Any]:
        """Return the record."""
        record = stored_fields(self)
        return {**record, "status": str(self.status)}

    @property
    def output(self) -> str:
        return str(self.request["output"])

    @property
    def max_rejected(self) -> float:
        return float(self.request["max_rejected"])


@dataclass(frozen=True)
class OutputFile:
    """A file that a shard has written; `key` is in the output's bucket."""

    key: str
    rows: int
    size: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class Shard:
    """What the job of a shard reports: how far it is, and at the end its files. A second attempt replaces it.

    Attributes:
        seconds: Since the attempt began.
        reasons: How often each of the commonest reasons for setting a row aside occurred.
    """

    index: int
    rows: int = 0
    rejected: int = 0
    seconds: float = 0.0
    done: bool = False
    files: tuple[OutputFile, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Totals:
    """The shards of a batch prediction together. `seconds` are those of all jobs."""

    shards_done: int
    rows: int
    rejected: int
    seconds: float
    reasons: Mapping[str, int]

    @classmethod
    def of(cls, shards: Iterable[Shard]) -> "Totals":
        """Add up shards. Of the reasons the commonest are kept."""
        done = rows = rejected = 0
        seconds, reasons = 0.0, Counter[str]()
        for shard in shards:
            done += shard.done
            rows += shard.rows
            rejected += shard.rejected
            seconds += shard.seconds
            reasons.update(shard.reasons)
        return cls(done, rows, rejected, seconds, dict(reasons.most_common(SHOWN_REASONS)))
