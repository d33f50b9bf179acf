"""What the routes and the check read from the environment, and from the settings of a model."""

from dataclasses import dataclass, replace

from mlops.domain.drift.retrain import RetrainSettings
from mlops.domain.drift.thresholds import DriftThresholds
from mlops.domain.model_settings import ModelSettings
from mlops.settings import Settings


@dataclass(frozen=True)
class ReportSettings(Settings):
    """The model of a request that names none."""

    default_model_name: str


@dataclass(frozen=True)
class CheckSettings(RetrainSettings):
    """Settings of the check: its windows, beside those of retrains."""

    drift_baseline_hours: int = 168
    drift_current_hours: int = 24
    drift_repeat_hours: float = 24
    """An alert that lasts is sent again after this time."""


def own_thresholds(thresholds: DriftThresholds, settings: ModelSettings) -> DriftThresholds:
    """Return the thresholds, with those that the model's settings have."""
    own = settings.drift.model_dump(exclude_none=True)
    return replace(thresholds, **{f"drift_{name}": value for name, value in own.items()})
