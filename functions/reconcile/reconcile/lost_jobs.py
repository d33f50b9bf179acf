"""Training jobs that are still under way by their record although AWS Batch has ended, forgotten or never had them.

The record is job_events' to move: it is sent the event that was lost, from source `mlops`, since only AWS may say
`aws.batch`.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.aws.batch import Batch
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Record, Sweep

ENDED = ("SUCCEEDED", "FAILED")
GRACE = timedelta(minutes=10)
"""A job's events may be late, and DescribeJobs does not know a job that was submitted a moment ago."""


class LostJobs:
    def __init__(self, jobs: JobsTable, batch: Batch, events: Events) -> None:
        self._jobs, self._batch, self._events = jobs, batch, events

    @classmethod
    def from_environment(cls) -> "LostJobs":
        return cls(JobsTable.from_environment(), Batch.from_environment(), Events.from_environment())

    def look(self) -> list[str]:
        """Announce the end of what has ended; returns the names of those jobs and sweeps."""
        records = {record.job_id: record for record in self._under_way()}
        ids = {name: batch_id for name, record in records.items() if (batch_id := self._batch_id(record))}
        known = {job["jobId"]: job for job in self._batch.describe(list(ids.values()))}
        announced = []
        for name in records:
            job = known.get(ids.get(name, "")) or _unknown(name, ids.get(name))
            if job["status"] in ENDED:
                self._events.job_state(job)
                announced.append(name)
        return announced

    def _batch_id(self, record: Record) -> str | None:
        """Of a submission that died half way the record lacks it: then Batch has a job of that name, or nothing."""
        if record.batch_job_id is None and (batch_id := self._batch.find(record.job_id)):
            self._jobs.submitted(record.job_id, batch_id)
            if record.cancel_requested:  # asked for while nobody knew what to stop
                self._batch.stop(batch_id, "cancelled through the API")
            return batch_id
        return record.batch_job_id

    def _under_way(self) -> list[Record]:
        """Runs and sweeps that were submitted by themselves, and some time ago; a sweep's runs end with it."""
        moment = datetime.now(UTC)
        return [
            record
            for record in self._jobs.under_way()
            if (isinstance(record, Sweep) or record.sweep_id is None)
            and moment - datetime.fromisoformat(record.created_at) > GRACE
        ]


def _unknown(name: str, batch_id: str | None) -> dict[str, Any]:
    """AWS Batch keeps what has ended for a week."""
    reason = "AWS Batch does not know the job any more" if batch_id else "It never reached AWS Batch: ask for it again"
    return {
        "jobId": batch_id or "",
        "jobName": name,
        "jobQueue": os.environ["JOB_QUEUE"],
        "status": "FAILED",
        "statusReason": reason,
    }
