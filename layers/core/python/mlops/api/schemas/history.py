"""The responses about the chain of a model's history."""

from typing import Literal

from pydantic import BaseModel, Field

from mlops.api.schemas.transitions import Transition


class Verification(BaseModel):
    """Whether the history is as it was written."""

    valid: bool
    problem: str | None = Field(default=None, description="The first entry or transition that is wrong, and how")
    entries: int = Field(description="Entries of the chain")
    sha256: str | None = Field(
        default=None, description="Hash of the last entry. Compare it with one that you have kept elsewhere"
    )


class KeyEntry(BaseModel):
    seq: int = Field(description="Number of the entry in the chain")
    at: str = Field(description="When it was seen; the table of keys is looked at every five minutes")
    change: Literal["made", "changed", "revoked", "expired"]
    key_id: str
    name: str
    owner: str
    role: str
    models: list[str]
    until: str | None = Field(default=None, description="When it ends, of a personal key")
    sha256: str = Field(description="Hash of the entry")


class KeyHistory(BaseModel):
    """Which keys were made, changed and revoked, the newest first."""

    entries: list[KeyEntry]
    verification: Verification


class TransitionHistory(BaseModel):
    registered: bool = Field(
        default=True, description="Whether the model is in the registry; false if it was deleted in MLflow"
    )
    transitions: list[Transition]
    verification: Verification | None = Field(default=None, description="With `verify=true` only")
    next_cursor: str | None = None


class ChainHead(BaseModel):
    seq: int
    sha256: str


class ExportedEntry(BaseModel):
    seq: int
    prev: str = Field(description="Hash of the entry before")
    sha256: str = Field(description="SHA-256 of `text` in UTF-8")
    text: str = Field(description="The entry as canonical JSON")


class ExportedRun(BaseModel):
    run_id: str
    dataset_digest: str | None
    code: dict[str, str] = Field(description="The job, and the code that it ran")
    params: dict[str, str]
    metrics: dict[str, str]


class PromotionExport(BaseModel):
    """A transition with all that it was decided by."""

    transition: Transition = Field(description="With the gate's results, the proof among them, and the decisions")
    version_tags: dict[str, str]
    run: ExportedRun | None = Field(default=None, description="The run that made the version; null if it has none")
    entries: list[ExportedEntry] = Field(description="Its entries in the chain of the model's history")
    head: ChainHead | None = Field(default=None, description="The last entry of the chain")
    verification: Verification
