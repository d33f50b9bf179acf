"""The requests and the responses of the rollout routes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from mlops.api.schemas.transitions import Transition
from mlops.domain.errors import ValidationFailed
from mlops.domain.request import Request
from mlops.domain.rollout.plan import BakeDays, Guardrails, Plan, ShadowMinutes, Steps

Reason = Annotated[str | None, Field(min_length=1, max_length=1000, description="The reason, for the record")]


class RolloutRequest(Request):
    """What it leaves out is as the model's settings (`rollout`) say, and then as the plan's own defaults do."""

    version: Annotated[int, Field(ge=1, description="Version of the model. It must be in Staging")]
    reason: Reason = None
    steps: Annotated[Steps | None, Field(description="With growing weights; required without such a setting")] = None
    shadow_minutes: Annotated[
        ShadowMinutes | None,
        Field(description="For so long the challenger is asked, and nobody gets its answers; 0: no such"),
    ] = None
    shadow_share: Annotated[
        float | None,
        Field(gt=0, le=1, description="Share of the requests for which both versions are asked and compared"),
    ] = None
    guardrails: Annotated[
        Guardrails | None, Field(description="Those that are named come in place of the setting's")
    ] = None
    bake_days: Annotated[
        BakeDays | None,
        Field(description="For so long labels that come later can still bring the version before back"),
    ] = None

    def plan(self, usual: Plan | None) -> Plan:
        """Return the plan, with what the model's own one says where the request says nothing.

        Raises:
            ValidationFailed: It has no steps, or its parts contradict each other. Names the field.
        """
        said = self.model_dump(exclude={"version", "reason"}, exclude_unset=True)
        document = usual.model_dump(exclude_unset=True) if usual is not None else {}
        guardrails = {**document.get("guardrails", {}), **(said.get("guardrails") or {})}
        document |= {name: value for name, value in said.items() if value is not None}
        if guardrails:
            document["guardrails"] = guardrails
        try:
            return Plan.model_validate(document)
        except ValidationError as error:
            raise ValidationFailed.of_fields(
                (".".join(map(str, each["loc"])) or "steps", _message(each)) for each in error.errors()
            ) from None


def _message(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is required: the model has no setting rollout.steps"
    return error["msg"]


class RolloutAction(Request):
    reason: Reason = None


class GuardrailFigure(BaseModel):
    guardrail: str = Field(description="Its name in the plan")
    limit: float
    observed: float | None = Field(
        default=None,
        description="What was observed; for max_latency_ratio the share of requests that exceed it, at most one half",
    )
    observations: int = Field(description="Of how many requests that is")
    evidence: float = Field(description="0 to 1: at 1 there is so much evidence that the rollout is rolled back")


class RolloutCounts(BaseModel):
    requests: int = Field(description="Requests to the model, whichever version answered")
    canary: int = Field(description="Requests that the challenger answered")
    asked: int = Field(description="Requests for which the challenger was asked, to answer or to be compared")
    failed: int = Field(description="Of those, the ones that only the version in Production could answer")
    skipped: int = Field(description="Requests for which the challenger was not loaded, or had no time")
    pairs: int = Field(description="Requests that both versions answered")
    disagreed: int = Field(description="Of those, in thousandths: the shares of rows that were answered differently")
    slower: int = Field(description="Of the pairs, those where the challenger exceeded max_latency_ratio")
    unsure: int = Field(
        description="Of the pairs, in thousandths: the shares of rows where it exceeded max_confidence_drop"
    )
    moved: dict[str, int] = Field(
        description="Likewise: where only the challenger (g3) or only Production (l3) has answered the label 3"
    )
    labelled: int = Field(description="Rows that both versions answered, and whose label is known")
    lost: int = Field(description="Of those, the rows that only Production answered right")
    won: int = Field(description="Of those, the rows that only the challenger answered right")


class Rollout(BaseModel):
    rollout_id: str
    model_name: str
    version: int = Field(description="The challenger")
    champion: int = Field(description="The version in Production when it began")
    sha256: str = Field(description="SHA-256 of the challenger's file")
    status: Literal[
        "awaiting_approval",
        "starting",
        "running",
        "paused",
        "promoting",
        "baking",
        "returning",
        "succeeded",
        "rolled_back",
        "aborted",
        "failed",
        "rejected",
    ] = Field(
        description="awaiting_approval: somebody else has to approve it first, see `approval`. rejected: it never began"
    )
    phase: int = Field(description="Index of the present phase. The shadow, if there is one, is the first")
    weight: float = Field(description="Percent of the routing keys that the challenger answers now")
    plan: Plan
    note: str | None = Field(default=None, description="What it waits for, or why it ended")
    broken: str | None = Field(default=None, description="The guardrail that has ended it")
    figures: list[GuardrailFigure] = Field(default=[], description="What is known about each guardrail")
    phases: list[RolloutCounts] | None = Field(
        default=None, description="What the requests of each phase have shown; not in lists"
    )
    approval: Transition | None = Field(
        default=None,
        description="The transition that somebody has to approve, or has: gates, comparison, decisions; not in lists",
    )
    actor: str = Field(description="Name of the API key that requested it")
    reason: str | None = None
    transition_id: str | None = Field(default=None, description="The transition to Production, its last step")
    rollback_id: str | None = Field(
        default=None, description="The transition that brings the version before back, from Production"
    )
    created_at: str
    phase_began_at: str
    completed_at: str | None = None


class RolloutList(BaseModel):
    rollouts: list[Rollout]
    next_cursor: str | None = None
