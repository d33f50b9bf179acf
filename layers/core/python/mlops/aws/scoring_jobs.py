"""The jobs of batch predictions in AWS Batch. A job's name is the id of its batch prediction."""

from dataclasses import dataclass
from functools import cache

from mlops.aws.batch import Batch, BatchSettings
from mlops.settings import Settings


@dataclass(frozen=True)
class ScoringSettings(Settings):
    """Where the jobs run, and as what."""

    scoring_queue: str
    scoring_job_definition: str


@cache
def batch_of_scoring() -> Batch:
    """Return the adapter of the queue and the job definition of batch predictions."""
    settings = ScoringSettings.from_environment()
    return Batch(BatchSettings(settings.scoring_queue, settings.scoring_job_definition))
