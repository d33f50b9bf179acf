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


class Decision(BaseModel):
    """What somebody has decided about a transition that waits."""

    approved: bool
    name: str = Field(description="Name of the key")
    owner: str = Field(description="Owner of the key")
    comment: str | None = None
    at: str


class ParamChange(BaseModel):
    name: str
    before: str | None = Field(description="In the run of the version that would be replaced; null if it has none")
    now: str | None


class PromotionComparison(BaseModel):
    """A version that waits for approval, beside the one that it would replace."""

    replaced_version: int | None = None
    metrics: dict[str, str]
    replaced_metrics: dict[str, str]
    dataset_digest: str | None = None
    replaced_dataset_digest: str | None = None
    params: list[ParamChange] = Field(description="The parameters that differ, at most 100 of them")
    params_changed: int = Field(description="How many differ")


class Transition(BaseModel):
    transition_id: str
    kind: Literal["transition", "mend"] = Field(
        default="transition", description="mend: a repair after an alias or a manifest was changed without the API"
    )
    model_name: str
    version: int
    stage: str
    status: Literal[
        "queued", "converting", "awaiting_approval", "awaiting_rollout", "succeeded", "rejected", "failed"
    ] = Field(
        description="converting: to ONNX, by a job. awaiting_approval: see `decisions`. awaiting_rollout: see "
        "`rollout_id`"
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
    actor_owner: str | None = Field(default=None, description="Owner of the key that requested it")
    approvals_needed: int = Field(default=0, description="How many people have to approve it")
    decisions: list[Decision] = Field(
        default=[], description="What people have decided. Without a decision it is rejected after seven days"
    )
    comparison: PromotionComparison | None = Field(default=None, description="What an approver is shown")
    waiting_since: str | None = Field(default=None, description="When it began to wait for approval")
    void: str | None = Field(default=None, description="Why earlier approvals do not count any more")
    rollout_id: str | None = Field(
        default=None, description="The rollout whose last step it is; an approval is for the rollout too"
    )


class RollbackRequest(Request):
    reason: Annotated[
        str | None, Field(min_length=1, max_length=1000, description="The reason, for the model's history")
    ] = None


class DecisionRequest(Request):
    comment: Annotated[
        str | None, Field(min_length=1, max_length=1000, description="The reason, for the model's history")
    ] = None
