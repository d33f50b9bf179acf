"""Find batch predictions whose end was lost."""

from collections.abc import Iterable

from mlops.aws.batch import Batch
from mlops.aws.batch_job import BatchJob, lost
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.eventbridge import Events
from mlops.aws.scoring_jobs import ScoringSettings, batch_of_scoring
from mlops.domain.batch_prediction import BatchPrediction
from reconcile.lost_ends import LostEnds, gone


class LostBatchPredictions(LostEnds[BatchPrediction]):
    def __init__(self, table: BatchPredictionsTable, batch: Batch, events: Events, queue: str) -> None:
        super().__init__(batch, events)
        self._table, self._queue = table, queue

    @classmethod
    def from_environment(cls) -> "LostBatchPredictions":
        queue = ScoringSettings.from_environment().scoring_queue
        return cls(BatchPredictionsTable.from_environment(), batch_of_scoring(), Events.from_environment(), queue)

    def open_records(self) -> Iterable[BatchPrediction]:
        return self._table.under_way()

    def job_name(self, record: BatchPrediction) -> str:
        return record.batch_id

    def batch_job_id(self, record: BatchPrediction) -> str | None:
        """Return Batch's id of a job. The record lacks it if the submission was interrupted."""
        if record.batch_job_id is None and (batch_job_id := self._batch.find(record.batch_id, self._queue)):
            self._table.submitted(record.batch_id, batch_job_id)
            if record.cancel_requested:  # when the id was not known
                self._batch.stop(batch_job_id, "cancelled through the API")
            return batch_job_id
        return record.batch_job_id

    def lost_job(self, record: BatchPrediction, batch_job_id: str | None) -> BatchJob:
        return lost(
            record.batch_id, batch_job_id, self._queue, f"{gone(batch_job_id)}; start the batch prediction again"
        )
