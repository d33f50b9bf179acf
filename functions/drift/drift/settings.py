"""What the routes read from the environment."""

from dataclasses import dataclass

from mlops.settings import Settings


@dataclass(frozen=True)
class ReportSettings(Settings):
    """The model of a request that names none."""

    default_model_name: str
