"""Announce the end of jobs, sweeps and batch predictions on EventBridge, for webhooks and other programs."""

from functools import cache

from mlops.aws.batch_job import BatchJob
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain import batch_prediction
from mlops.domain.job import Job


class Announcements:
    def __init__(self, jobs: JobsTable, batches: BatchPredictionsTable, events: Events) -> None:
        self._jobs, self._batches, self._events = jobs, batches, events

    @classmethod
    def from_environment(cls) -> "Announcements":
        return _announcements()

    def announce(self, job: BatchJob) -> None:
        """Publish the end of what an ended job of AWS Batch did, if its record has ended. A sweep's runs end with it.

        It happens at each event of the job's end, also of one that was recorded before: whoever was interrupted
        between record and event does it again.

        Raises:
            DependencyUnavailable: EventBridge did not accept it. The event of the job comes again.
        """
        if "index" in job.get("arrayProperties", {}):
            return
        if job["jobName"].startswith(batch_prediction.ID_PREFIX):
            batch = self._batches.find(job["jobName"])
            if batch is not None and batch.status.has_ended:
                self._events.batch_prediction_ended(batch)
            return
        record = self._jobs.find(job["jobName"])
        if record is None or not record.status.has_ended or (isinstance(record, Job) and record.sweep_id is not None):
            return
        self._events.job_ended(record)


@cache
def _announcements() -> Announcements:
    return Announcements(
        JobsTable.from_environment(), BatchPredictionsTable.from_environment(), Events.from_environment()
    )
