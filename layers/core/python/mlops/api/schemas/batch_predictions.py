"""The responses of the routes of batch predictions."""

from typing import Literal

from pydantic import BaseModel, Field

BatchPredictionStatus = Literal["pending", "running", "completed", "failed", "cancelled"]


class BatchPredictionState(BaseModel):
    batch_id: str
    status: BatchPredictionStatus
    model_name: str
    model_version: int = Field(description="The version that answers, which is pinned when the job starts")
    model_sha256: str = Field(description="SHA-256 of the version's file")
    input: str
    input_files: int
    input_bytes: int
    output: str = Field(description="The folder of the answers. They are whole when it has the object _SUCCESS")
    keep: list[str]
    max_rejected: float
    shards: int = Field(description="Number of jobs that share the work")
    shards_done: int
    rows: int = Field(description="Rows that were read so far, with those that were set aside")
    rejected: int = Field(description="Rows that were set aside: they are in rejected/ with the reason")
    reasons: dict[str, int] = Field(description="How often the commonest reasons for setting rows aside occurred")
    rows_per_second: float | None = Field(default=None, description="Since the first job started, all jobs together")
    vcpu_hours: float = Field(description="Time of all jobs, times the vCPUs of each")
    actor: str = Field(description="Name of the API key that started it")
    error: str | None = Field(default=None, description="Why it failed")
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    files_deleted_at: str | None = Field(default=None, description="When its files were deleted")


class BatchPredictionList(BaseModel):
    batch_predictions: list[BatchPredictionState]
    next_cursor: str | None = None


class SignedFile(BaseModel):
    name: str = Field(description="Path of the file in the folder of the output")
    size: int
    url: str = Field(description="Serves the file for an hour, without a key")


class BatchPredictionFileList(BaseModel):
    files: list[SignedFile]


class BatchFilesDeletion(BaseModel):
    batch_id: str
    output: str = Field(description="The folder that has nothing in it any more")
    freed_bytes: int = Field(description="Bytes of all versions of the objects that are gone")


class DataUpload(BaseModel):
    input: str = Field(description="The address to give as `input`")
    url: str | None = Field(description="Where to PUT the file, within an hour; null if it is there already")
    headers: dict[str, str] = Field(default={}, description="Headers of the PUT")


class ServedModelFile(BaseModel):
    model_name: str
    model_version: int
    stage: str
    sha256: str
    size: int
    url: str = Field(description="Serves the ONNX file for an hour, without a key")
