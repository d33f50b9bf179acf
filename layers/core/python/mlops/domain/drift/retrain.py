"""Requests for retrains: of one model, as the event `Retrain Requested` carries it, and of a schedule's models."""

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from mlops.domain.model_settings import ModelSettings
from mlops.domain.names import ModelName
from mlops.settings import Settings

ALL_MODELS = "*"
"""In place of names: each model whose version in Production a job of the platform trained."""


class _Retrain(BaseModel):
    num_runs: Annotated[int, Field(ge=1, le=100)] = 1
    stage: Literal["Staging", "Production"] | None = "Staging"
    reason: str = "a schedule"


class RetrainRequest(_Retrain):
    """Detail of a `Retrain Requested` event. Without `retrain_id` it counts once per hour, by `hourly_id`."""

    model_name: ModelName
    retrain_id: Annotated[str, Field(min_length=1, max_length=150)] | None = None


class RetrainSchedule(_Retrain):
    """Detail of a schedule's event. `models`: names, separated by commas, or `ALL_MODELS`."""

    models: Annotated[str, Field(min_length=1)]

    def names(self) -> list[str]:
        """List the names, each once."""
        return list(dict.fromkeys(name for part in self.models.split(",") if (name := part.strip())))


def hourly_id(model_name: str) -> str:
    """Make the `retrain_id` that a model's requests of the present hour (UTC) have in common."""
    return f"schedule-{model_name}-{time.strftime('%Y-%m-%dT%H', time.gmtime())}"


@dataclass(frozen=True)
class RetrainSettings(Settings):
    """Which checks request retrains, their limits, and what a retrain trains.

    Attributes:
        retrain_cooldown_hours: Hours between two retrains of a model.
        retrain_daily_budget: Retrains of all models in a day (UTC).
        retrain_stage: `Staging`, `Production` or `none`.
    """

    retrain_on_drift: bool = False
    retrain_on_performance: bool = False
    retrain_cooldown_hours: float = 24
    retrain_daily_budget: int = 2
    retrain_runs: int = 1
    retrain_stage: str = "Staging"

    def of(self, model: ModelSettings) -> Self:
        """Return the settings, with those that the model has of its own."""
        own = model.retrain.model_dump(exclude_none=True)
        return replace(self, **{f"retrain_{name}": value for name, value in own.items()})


class RetrainClaim(StrEnum):
    """Whether a check may request a retrain of a model, or which limit prevents it."""

    CLAIMED = "claimed"
    COOLING_DOWN = "cooling_down"
    BUDGET_SPENT = "budget_spent"
