"""Imports of labels: what a request may say, and the record of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from mlops.domain.addresses import InputAddress
from mlops.domain.ids import sortable_id
from mlops.domain.job import JobStatus
from mlops.domain.names import DEFAULT_MODEL_NAME, ModelName
from mlops.domain.request import Request
from mlops.domain.stored import known_fields, stored_fields
from mlops.domain.timestamps import now

ID_PREFIX = "import_"
FOLDER = "label-imports/"
"""Of the files of refused labels in the artifact bucket."""

LabelImportId = Annotated[
    str,
    Field(pattern=r"^import_[0-9a-f]{20}$", description="Id of an import, such as import_0199f0c2a4b17d31c2ae"),
]


class LabelImportRequest(Request):
    """Which labels are to be taken."""

    model_name: ModelName = DEFAULT_MODEL_NAME
    input: Annotated[
        InputAddress,
        Field(
            description="The s3:// address of a file (.parquet, .csv, .tsv, .jsonl, .ndjson; the text formats also as "
            ".gz or .zst), or one that ends in / for all such files below it. Columns: prediction_id or id, and label; "
            "row and observed_at may be there, and others are passed over",
        ),
    ]
    replace: bool = Field(default=False, description="Whether to replace other labels of the same predictions")


@dataclass(frozen=True)
class LabelImport:
    """The record of an import, under the names of the table.

    Attributes:
        files: Those of the input, as they were at the start: `{"bucket", "key", "size", "etag", "version_id"}`.
        rows: How many rows the job has read so far.
        counts: How many labels have each status.
        refused_file: The key of the file with the refused labels, if there are any.
    """

    import_id: str
    model_name: str
    input: str
    replace: bool
    files: tuple[Mapping[str, Any], ...]
    actor: str
    status: JobStatus = JobStatus.PENDING
    batch_job_id: str | None = None
    rows: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    refused_file: str | None = None
    error: str | None = None
    request_id: str | None = None
    created_at: str = field(default_factory=now)
    started_at: str | None = None
    completed_at: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "LabelImport":
        """Read a record. Fields that this version does not have are left out."""
        known = known_fields(cls, record)
        return cls(**{**known, "status": JobStatus(known["status"]), "files": tuple(known["files"])})

    def to_record(self) -> dict[str, Any]:
        """Return the record."""
        record = stored_fields(self)
        return {**record, "status": str(self.status)}

    @property
    def refused_key(self) -> str:
        """The key of the file that the job writes its refused labels to."""
        return f"{FOLDER}{self.import_id}/refused.csv"


def new_label_import_id() -> str:
    """Return a new id. Ids sort by time in milliseconds, then at random."""
    return sortable_id(ID_PREFIX)
