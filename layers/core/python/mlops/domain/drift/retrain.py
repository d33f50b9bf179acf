"""The request for a retrain, as the event `Retrain Requested` carries it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mlops.domain.names import ModelName


class RetrainRequest(BaseModel):
    """Detail of a `Retrain Requested` event. Without `retrain_id` (a schedule) it counts once per hour."""

    model_name: ModelName
    retrain_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    num_runs: Annotated[int, Field(ge=1, le=100)] = 1
    stage: Literal["Staging", "Production"] | None = "Staging"
    reason: str = "a schedule"


class RetrainClaim(StrEnum):
    """Whether drift may request a retrain of a model, or which limit prevents it."""

    CLAIMED = "claimed"
    COOLING_DOWN = "cooling_down"
    BUDGET_SPENT = "budget_spent"
