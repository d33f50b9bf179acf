"""Find batch predictions that seem to run, although AWS Batch has ended or deleted their jobs, or never had them.

Only job_events ends one, so the lost event is published again, with the source `mlops`.
"""

from datetime import UTC, datetime, timedelta

from mlops.aws.batch import Batch
from mlops.aws.batch_job import ENDED
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.eventbridge import Events
from mlops.aws.scoring_jobs import ScoringSettings, batch_of_scoring, lost_job
from mlops.domain.batch_prediction import BatchPrediction
from reconcile.failures import Failures

GRACE = timedelta(minutes=10)
"""Events may be late."""


class LostBatchPredictions:
    def __init__(self, table: BatchPredictionsTable, batch: Batch, events: Events, queue: str) -> None:
        self._table, self._batch, self._events, self._queue = table, batch, events, queue

    @classmethod
    def from_environment(cls) -> "LostBatchPredictions":
        queue = ScoringSettings.from_environment().scoring_queue
        return cls(BatchPredictionsTable.from_environment(), batch_of_scoring(), Events.from_environment(), queue)

    def look(self) -> list[str]:
        """Publish the end of the jobs that have ended, and return their names.

        Raises:
            ExceptionGroup: At the end, if some could not be checked or published.
        """
        failures, announced = Failures(), []
        for batch in self._table.under_way():
            if datetime.now(UTC) - datetime.fromisoformat(batch.created_at) <= GRACE:
                continue
            with failures.isolated(batch.batch_id):
                if self._announce(batch):
                    announced.append(batch.batch_id)
        failures.raise_all()
        return announced

    def _announce(self, batch: BatchPrediction) -> bool:
        """Publish the end of a job; False if it has not ended."""
        batch_job_id = self._batch_job_id(batch)
        found = self._batch.describe([batch_job_id]) if batch_job_id else []
        reason = "AWS Batch does not have the job any more" if batch_job_id else "it never reached AWS Batch"
        job = found[0] if found else lost_job(batch, self._queue, f"{reason}; start the batch prediction again")
        if job["status"] not in ENDED:
            return False
        self._events.job_state(job)
        return True

    def _batch_job_id(self, batch: BatchPrediction) -> str | None:
        """Return Batch's id of a job. The record lacks it if the submission was interrupted."""
        if batch.batch_job_id is None and (batch_job_id := self._batch.find(batch.batch_id, self._queue)):
            self._table.submitted(batch.batch_id, batch_job_id)
            if batch.cancel_requested:  # when the id was not known
                self._batch.stop(batch_job_id, "cancelled through the API")
            return batch_job_id
        return batch.batch_job_id
