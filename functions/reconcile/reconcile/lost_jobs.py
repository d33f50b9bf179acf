"""Training jobs that are still under way by their record although AWS Batch has ended, forgotten or never had them.

The record is job_events' to move: it is sent the event that was lost, from source `mlops`, since only AWS may say
`aws.batch`.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops.aws.batch import Batch
from mlops.aws.dynamodb import Item
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable

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
        records = {item["job_id"]: item for item in self._under_way()}
        ids = {name: found for name, item in records.items() if (found := self._batch_id(item))}
        known = {job["jobId"]: job for job in self._batch.describe(list(ids.values()))}
        announced = []
        for name in records:
            job = known.get(ids.get(name, "")) or _unknown(name, ids.get(name))
            if job["status"] in ENDED:
                self._events.job_state(job)
                announced.append(name)
        return announced

    def _batch_id(self, item: Item) -> str | None:
        """Of a submission that died half way the record lacks it: then Batch has a job of that name, or nothing."""
        recorded: str | None = item.get("batch_job_id")
        if recorded is None and (found := self._batch.find(item["job_id"])):
            self._jobs.submitted(item["job_id"], found)
            if item.get("cancel_requested"):  # asked for while nobody knew what to stop
                self._batch.stop(found, "cancelled through the API")
            return found
        return recorded

    def _under_way(self) -> list[Item]:
        """Runs and sweeps that were submitted by themselves, and some time ago; a sweep's runs end with it."""
        moment = datetime.now(UTC)
        return [
            item
            for item in self._jobs.under_way()
            if "sweep_id" not in item and moment - datetime.fromisoformat(item["created_at"]) > GRACE
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
