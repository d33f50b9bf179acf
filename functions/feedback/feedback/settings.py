"""Settings of the function."""

from dataclasses import dataclass, replace

from mlops.domain.model_settings import ModelSettings
from mlops.settings import Settings


@dataclass(frozen=True)
class LabelSettings(Settings):
    """How long labels may come, and when there is a verdict.

    Attributes:
        feedback_days: Days for which answers wait for labels.
        feedback_delay_hours: A verdict is about predictions that are older: labels that come early are not like others.
        feedback_min_coverage: The share of these predictions that needs to have a label.
        feedback_min_labels: How many labels a verdict needs.
        feedback_window_hours: How far a scheduled check looks back.
        feedback_repeat_hours: After this time an alert that lasts is sent again.
    """

    default_model_name: str
    feedback_days: int = 60
    feedback_delay_hours: int = 24
    feedback_min_coverage: float = 0.5
    feedback_min_labels: int = 100
    feedback_window_hours: int = 720
    feedback_repeat_hours: float = 24

    def of(self, settings: ModelSettings) -> "LabelSettings":
        """Return the settings with what a model has of its own."""
        own = settings.labels.model_dump(exclude_none=True)
        return replace(self, **{f"feedback_{name}": value for name, value in own.items()})
