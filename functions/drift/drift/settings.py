"""What the routes and the check read from the environment, and from the settings of a model."""

from dataclasses import dataclass, replace
from typing import Protocol

from mlops.domain.drift.thresholds import DriftThresholds
from mlops.domain.model_settings import ModelSettings, StoredSettings
from mlops.settings import Settings


@dataclass(frozen=True)
class ReportSettings(Settings):
    """The model of a request that names none."""

    default_model_name: str


@dataclass(frozen=True)
class CheckSettings(Settings):
    """Settings of the check: its windows, and the limits of retrains."""

    drift_baseline_hours: int = 168
    drift_current_hours: int = 24
    drift_repeat_hours: float = 24
    """An alert that lasts is sent again after this time."""
    retrain_on_drift: bool = False
    retrain_cooldown_hours: float = 24
    retrain_daily_budget: int = 2
    retrain_runs: int = 1
    retrain_stage: str = "Staging"


class HasSettings(Protocol):
    """Where the settings of models are."""

    def settings(self, model_name: str) -> StoredSettings:
        """Return the settings of a model. Raises DependencyUnavailable."""
        ...


def own_thresholds(thresholds: DriftThresholds, settings: ModelSettings) -> DriftThresholds:
    """Return the thresholds, with those that the model's settings have."""
    own = settings.drift.model_dump(exclude_none=True)
    return replace(thresholds, **{f"drift_{name}": value for name, value in own.items()})


def own_retrains(check: CheckSettings, settings: ModelSettings) -> CheckSettings:
    """Return the settings of the check, with the rules of retrains that the model's settings have."""
    own = settings.retrain.model_dump(exclude_none=True)
    return replace(check, **{f"retrain_{name}": value for name, value in own.items()})
