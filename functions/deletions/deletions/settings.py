"""The settings of the function."""

from dataclasses import dataclass

from mlops.settings import Settings


@dataclass(frozen=True)
class DeletionSettings(Settings):
    """Settings: how many days the logs are kept, and the platform's own bucket."""

    log_retention_days: int
    artifact_bucket: str
