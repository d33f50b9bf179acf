"""Training jobs that are still under way by their record although AWS Batch has ended or forgotten them.

The record is job_events' to move: it is sent the event that was lost, from source `mlops`, since only AWS may say
`aws.batch`.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.batch import Batch
from mlops.events import Events
from mlops.items import Item
from mlops.jobs import JobsTable

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
        waiting = {batch_id: item for item in self._under_way() if (batch_id := item.get("batch_job_id"))}
        found = {job["jobId"]: job for job in self._batch.describe(list(waiting))}
        announced = []
        for batch_id, item in waiting.items():
            job = found.get(batch_id) or _forgotten(batch_id, item)
            if job["status"] in ENDED:
                self._events.job_state(job)
                announced.append(job["jobName"])
        return announced

    def _under_way(self) -> list[Item]:
        """Runs and sweeps that were submitted by themselves, and some time ago; a sweep's runs end with it."""
        moment = datetime.now(UTC)
        return [item for item in self._jobs.under_way() if moment - datetime.fromisoformat(item["created_at"]) > GRACE]


def _forgotten(batch_id: str, item: Item) -> dict[str, Any]:
    """AWS Batch keeps what has ended for a week."""
    return {
        "jobId": batch_id,
        "jobName": item["job_id"],
        "jobQueue": os.environ["JOB_QUEUE"],
        "status": "FAILED",
        "statusReason": "AWS Batch does not know the job any more",
    }
