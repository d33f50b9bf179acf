"""Find training jobs whose record is active, although AWS Batch has ended or deleted them, or never had them.

Only job_events changes a record's status, so the lost event is published again, with the source `mlops`.
"""

import os
from datetime import UTC, datetime, timedelta

from mlops.aws.batch import Batch
from mlops.aws.batch_job import ENDED, BatchJob
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Record, Sweep
from reconcile.failures import Failures

GRACE = timedelta(minutes=10)
"""Events may be late, and DescribeJobs may not return a job that was submitted a moment ago."""


class LostJobs:
    def __init__(self, jobs: JobsTable, batch: Batch, events: Events) -> None:
        self._jobs, self._batch, self._events = jobs, batch, events

    @classmethod
    def from_environment(cls) -> "LostJobs":
        return cls(JobsTable.from_environment(), Batch.from_environment(), Events.from_environment())

    def look(self) -> list[str]:
        """Publish the end of the jobs and sweeps that have ended, and return their names.

        Raises:
            ExceptionGroup: At the end, if some jobs could not be checked or published.
        """
        failures = Failures()
        ids: dict[str, str | None] = {}
        for record in self._under_way():
            with failures.isolated(record.job_id):
                ids[record.job_id] = self._batch_id(record)
        known = {job["jobId"]: job for job in self._batch.describe([batch_id for batch_id in ids.values() if batch_id])}
        announced = []
        for name, batch_id in ids.items():
            with failures.isolated(name):
                job = known.get(batch_id or "") or _unknown(name, batch_id)
                if job["status"] in ENDED:
                    self._events.job_state(job)
                    announced.append(name)
        failures.raise_all()
        return announced

    def _batch_id(self, record: Record) -> str | None:
        """Return Batch's id of a job. The record lacks it if the submission was interrupted."""
        if record.batch_job_id is None and (batch_id := self._batch.find(record.job_id)):
            self._jobs.submitted(record.job_id, batch_id)
            if record.cancel_requested:  # when the job's Batch id was not known
                self._batch.stop(batch_id, "cancelled through the API")
            return batch_id
        return record.batch_job_id

    def _under_way(self) -> list[Record]:
        """Return active runs and sweeps that were submitted some time ago, without the runs of sweeps, which end with
        them."""
        moment = datetime.now(UTC)
        return [
            record
            for record in self._jobs.under_way()
            if (isinstance(record, Sweep) or record.sweep_id is None)
            and moment - datetime.fromisoformat(record.created_at) > GRACE
        ]


def _unknown(name: str, batch_id: str | None) -> BatchJob:
    """Return the failed state of a job that AWS Batch does not have. Batch keeps ended jobs for a week."""
    reason = "AWS Batch does not have the job any more" if batch_id else "It never reached AWS Batch: submit it again"
    return {
        "jobId": batch_id or "",
        "jobName": name,
        "jobQueue": os.environ["JOB_QUEUE"],
        "status": "FAILED",
        "statusReason": reason,
    }
