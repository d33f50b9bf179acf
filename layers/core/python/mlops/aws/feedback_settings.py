"""Settings of the feedback table."""

from dataclasses import dataclass

from mlops.settings import Settings


@dataclass(frozen=True)
class FeedbackSettings(Settings):
    """Settings: the table, how many days answers wait for labels, and how many days totals are kept."""

    feedback_table: str
    feedback_days: int = 60
    stats_retention_days: int = 100
