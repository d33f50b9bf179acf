"""The requests and the responses of the transition routes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mlops.domain.names import ModelName
from mlops.domain.request import Request


class TransitionRequest(Request):
    model_name: ModelName
    version: Annotated[int, Field(ge=1, description="Version of the model")]
    stage: Annotated[Literal["Staging", "Production", "Archived"], Field(description="The stage to move it to")]
    reason: Annotated[
        str | None, Field(min_length=1, max_length=1000, description="The reason, for the model's history")
    ] = None
    force: Annotated[
        bool, Field(description="Skip the metric gate; needs a reason. Integrity checks are never skipped")
    ] = False


class GateResult(BaseModel):
    check: str = Field(description="Name of the check")
    passed: bool
    detail: str = Field(description="What the check measured")
    kind: Literal["integrity", "metric"] = Field(default="integrity", description="`force` skips metric checks only")


class Transition(BaseModel):
    transition_id: str
    kind: Literal["transition", "mend"] = Field(
        default="transition", description="mend: a repair after an alias or a manifest was changed without the API"
    )
    model_name: str
    version: int
    stage: str
    status: Literal["queued", "converting", "succeeded", "rejected", "failed"] = Field(
        description="converting: a job converts the version to ONNX; then the transition goes on by itself"
    )
    from_stage: str | None = Field(default=None, description="The version's previous stage")
    replaced_version: int | None = Field(default=None, description="The version that was in the stage before")
    actor: str = Field(description="Name of the API key that requested it")
    reason: str | None = None
    force: bool = False
    gates: list[GateResult] = Field(default=[], description="Results of the checks")
    sha256: str | None = Field(
        default=None, description="SHA-256 of the ONNX file that the gate admitted. The version is bound to this file"
    )
    error: str | None = Field(default=None, description="The reason, if the transition was rejected or failed")
    created_at: str
    completed_at: str | None = None


class TransitionHistory(BaseModel):
    registered: bool = Field(
        default=True, description="Whether the model is in the registry; false if it was deleted in MLflow"
    )
    transitions: list[Transition]
    next_cursor: str | None = None


class RollbackRequest(Request):
    reason: Annotated[
        str | None, Field(min_length=1, max_length=1000, description="The reason, for the model's history")
    ] = None
