"""The requests and the responses of deleting, restoring and cleaning up."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from mlops.domain.request import Request

DeletionReason = Annotated[str, Query(min_length=1, max_length=1000, description="The reason, for the history")]


class RestoreRequest(Request):
    reason: Annotated[str | None, Field(min_length=1, max_length=1000, description="The reason, for the history")] = (
        None
    )


class BinEntry(BaseModel):
    """Something that was deleted. It can be restored until `until`, and is purged after that."""

    kind: Literal["model", "version", "experiment", "run"]
    name: str = Field(description="The model, or the experiment")
    version: int | None = Field(default=None, description="Of a version")
    versions: list[int] = Field(default=[], description="Of a model: the versions that were deleted with it")
    experiment_id: str | None = Field(default=None, description="Of an experiment or a run")
    run_id: str | None = Field(default=None, description="Of a run")
    deleted_at: str
    until: str = Field(description="Until when it can be restored")
    state: Literal["claimed", "kept", "purging"] = Field(
        description="claimed: it is being deleted just now. kept: it can be restored. purging: it cannot any more"
    )
    actor: str = Field(description="Name of the key that deleted it; `retention` if the model's settings did")
    reason: str
    force: bool = Field(default=False, description="Whether it was deleted though a rollback could bring it back")


class Cleanup(BaseModel):
    """What a weekly cleanup has done. The lists have at most 500 names; `counts` has all."""

    cleanup_id: str
    started_at: str
    completed_at: str
    freed_bytes: int = Field(description="Bytes of all versions of the objects that are gone")
    binned: list[str] = Field(description="Versions that the retention rules of their models put into the bin")
    purged: list[str] = Field(description="What was in the bin for 30 days, and is gone")
    kept: list[str] = Field(description="What was due, and what needs it")
    marked: list[str] = Field(description="Folders of the bucket that nothing points to since this cleanup")
    removed: list[str] = Field(description="Folders that nothing has pointed to for a week, and that are gone")
    failed: list[str] = Field(description="What could not be done; the next cleanup tries it again")
    counts: dict[str, int]


class CleanupList(BaseModel):
    cleanups: list[Cleanup]


class BinList(BaseModel):
    entries: list[BinEntry]
    total_count: int
    next_cursor: str | None = None
