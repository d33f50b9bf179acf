"""What starting and following batch predictions need."""

from dataclasses import dataclass
from functools import cache
from typing import Self

from batch_predictions.settings import BatchPredictionSettings
from mlops.aws.batch import Batch
from mlops.aws.batch_prediction_files import BatchPredictionFiles
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.scoring_jobs import batch_of_scoring
from mlops.aws.serving_bucket import ServedModels


@dataclass(frozen=True)
class Dependencies:
    """The base of the classes that carry out requests: the function's settings, and its adapters."""

    settings: BatchPredictionSettings
    table: BatchPredictionsTable
    files: BatchPredictionFiles
    models: ServedModels
    batch: Batch

    @classmethod
    def from_environment(cls) -> Self:
        """Make one with the adapters of the environment, which are made once."""
        return cls(*_adapters())


@cache
def _adapters() -> tuple[BatchPredictionSettings, BatchPredictionsTable, BatchPredictionFiles, ServedModels, Batch]:
    return (
        BatchPredictionSettings.from_environment(),
        BatchPredictionsTable.from_environment(),
        BatchPredictionFiles.from_environment(),
        ServedModels.from_environment(),
        batch_of_scoring(),
    )
