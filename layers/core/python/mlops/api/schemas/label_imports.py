"""The responses of the routes of imports of labels."""

from typing import Literal

from pydantic import BaseModel, Field

LabelImportStatus = Literal["pending", "running", "completed", "failed"]


class LabelImportState(BaseModel):
    import_id: str
    status: LabelImportStatus
    model_name: str
    input: str
    files: int = Field(description="Number of files")
    replace: bool
    rows: int = Field(description="Rows that were read so far")
    counts: dict[str, int] = Field(description="How many labels have each status, as of POST /feedback/batch")
    refused_url: str | None = Field(
        default=None, description="Serves the refused labels for an hour, without a key: CSV, with the reasons"
    )
    actor: str = Field(description="Name of the API key that started it")
    error: str | None = Field(default=None, description="Why it failed")
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None


class LabelImportList(BaseModel):
    imports: list[LabelImportState]
    next_cursor: str | None = None
