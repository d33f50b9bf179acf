"""The response of deleting a data set."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, Field

DatasetDigest = Annotated[
    str, Path(pattern=r"^[0-9A-Za-z._-]{1,64}$", description="Digest of the data set, as GET /datasets shows it")
]


class DatasetVersion(BaseModel):
    model_name: str
    version: int


class DeletedDataset(BaseModel):
    """A data set whose files and rows are deleted."""

    digest: str
    addresses: list[str] = Field(description="The files. Those in other buckets are yours to delete")
    runs: int = Field(description="How many runs have read it")
    versions: list[DatasetVersion] = Field(
        description="What was made from it. The models' files keep single values, and eight rows for the self-test"
    )
    reason: str
    actor: str
    deleted_at: str
    completed_at: str | None = Field(default=None, description="When all was gone; null as long as something is left")
