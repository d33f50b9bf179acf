"""Find training jobs and sweeps whose end was lost."""

import os
from collections.abc import Iterable

from mlops.aws.batch import Batch
from mlops.aws.batch_job import BatchJob, lost
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Record, Sweep
from reconcile.lost_ends import LostEnds, gone


class LostJobs(LostEnds[Record]):
    def __init__(self, jobs: JobsTable, batch: Batch, events: Events) -> None:
        super().__init__(batch, events)
        self._jobs = jobs

    @classmethod
    def from_environment(cls) -> "LostJobs":
        return cls(JobsTable.from_environment(), Batch.from_environment(), Events.from_environment())

    def open_records(self) -> Iterable[Record]:
        """Return active runs and sweeps, without the runs of sweeps, which end with them."""
        return (record for record in self._jobs.under_way() if isinstance(record, Sweep) or record.sweep_id is None)

    def job_name(self, record: Record) -> str:
        return record.job_id

    def batch_job_id(self, record: Record) -> str | None:
        """Return Batch's id of a job. The record lacks it if the submission was interrupted."""
        if record.batch_job_id is None and (batch_job_id := self._batch.find(record.job_id)):
            self._jobs.submitted(record.job_id, batch_job_id)
            if record.cancel_requested:  # when the job's Batch id was not known
                self._batch.stop(batch_job_id, "cancelled through the API")
            return batch_job_id
        return record.batch_job_id

    def lost_job(self, record: Record, batch_job_id: str | None) -> BatchJob:
        reason = gone(batch_job_id) if batch_job_id else "It never reached AWS Batch: submit it again"
        return lost(record.job_id, batch_job_id, os.environ["JOB_QUEUE"], reason)
