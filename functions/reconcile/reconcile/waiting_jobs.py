"""Move training jobs that wait too long for Spot capacity to the on-demand queue.

A job stays in RUNNABLE without an event or a reason. The order makes a crash harmless. First the record says that the
old job's events no longer count. Then the new job is submitted, unless a round that crashed there has submitted it.
Then the old job is ended. Last the record names the new job; until then the next round does the same again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aws_lambda_powertools import Logger

from mlops.aws.batch import Batch
from mlops.aws.batch_job import BatchJob
from mlops.aws.jobs_table import JobsTable
from mlops.settings import Settings
from reconcile.failures import Failures

logger = Logger(child=True)
REASON = "moved to the on-demand queue: no Spot capacity"


@dataclass(frozen=True)
class WaitingSettings(Settings):
    on_demand_queue: str
    spot_patience_seconds: int = 900


class WaitingJobs:
    def __init__(self, settings: WaitingSettings, jobs: JobsTable, batch: Batch) -> None:
        self._queue = settings.on_demand_queue
        self._max_wait = timedelta(seconds=settings.spot_patience_seconds)
        self._jobs, self._batch = jobs, batch

    @classmethod
    def from_environment(cls) -> "WaitingJobs":
        return cls(WaitingSettings.from_environment(), JobsTable.from_environment(), Batch.from_environment())

    def look(self) -> list[str]:
        """Move the jobs and sweeps that have waited too long, and return their names.

        Raises:
            ExceptionGroup: At the end, if some jobs could not be moved.
        """
        latest = datetime.now(UTC) - self._max_wait
        records = {
            record.batch_job_id: record
            for record in self._jobs.under_way()
            if record.batch_job_id and datetime.fromisoformat(record.created_at) < latest
        }
        moved, failures = [], Failures()
        for job in self._batch.describe(list(records)):
            half_moved = records[job["jobId"]].moved_from == job["jobId"]
            if half_moved or (_waits(job) and job["jobQueue"] != self._queue):
                with failures.isolated(job["jobName"]):
                    self._move(job)
                    moved.append(job["jobName"])
        failures.raise_all()
        return moved

    def _move(self, job: BatchJob) -> None:
        name, old = job["jobName"], job["jobId"]
        logger.info("moving", job=name, batch_job_id=old)
        self._jobs.update(name, moved_from=old)
        new = self._batch.find(name, self._queue) or self._batch.submit_again(job, self._queue)
        self._batch.stop(old, REASON)
        self._jobs.submitted(name, new)


def _waits(job: BatchJob) -> bool:
    """Return whether no part of the job has started. An array job is PENDING while its children are RUNNABLE."""
    summary = job.get("arrayProperties", {}).get("statusSummary", {})
    children = {status for status, count in summary.items() if count}
    return job["status"] == "RUNNABLE" or (job["status"] == "PENDING" and children == {"RUNNABLE"})
