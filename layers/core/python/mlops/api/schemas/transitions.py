"""Transitions: the request, and the record of one."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mlops.domain.names import ModelName
from mlops.domain.training_request import Request


class TransitionRequest(Request):
    model_name: ModelName
    version: Annotated[int, Field(ge=1)]
    stage: Literal["Staging", "Production", "Archived"]
    reason: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
    force: Annotated[
        bool, Field(description="Go past the metric gate. It needs a reason, and never skips the integrity checks.")
    ] = False


class GateResult(BaseModel):
    check: str
    passed: bool
    detail: str
    kind: Literal["integrity", "metric"] = "integrity"


class Transition(BaseModel):
    transition_id: str
    kind: Literal["transition", "mend"] = Field(
        default="transition", description="mend: reconcile repaired what was changed past the API"
    )
    model_name: str
    version: int
    stage: str
    status: Literal["queued", "succeeded", "rejected", "failed"]
    from_stage: str | None = None
    replaced_version: int | None = None
    actor: str
    reason: str | None = None
    force: bool = False
    gates: list[GateResult] = []
    sha256: str | None = Field(
        default=None,
        description="SHA-256 of the ONNX file that the gate admitted; the version is this file for ever",
    )
    error: str | None = None
    created_at: str
    completed_at: str | None = None


class TransitionHistory(BaseModel):
    transitions: list[Transition]
    next_cursor: str | None = None


class RollbackRequest(Request):
    reason: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
