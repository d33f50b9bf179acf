"""Move training jobs that wait too long for Spot capacity to the on-demand queue.

A job stays in RUNNABLE without an event or a reason. If it waits because the running jobs use all vCPUs that the queue
may have, it stays: on demand it would cost more, and the limit would hold twice.

The order makes a crash harmless. First the record says that the
old job's events no longer count. Then the new job is submitted, unless a round that crashed there has submitted it.
Then the old job is ended. Last the record names the new job; until then the next round does the same again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aws_lambda_powertools import Logger

from mlops.aws.batch import Batch
from mlops.aws.batch_job import BatchJob, vcpus
from mlops.aws.jobs_table import JobsTable
from mlops.settings import Settings
from reconcile.failures import Failures

logger = Logger(child=True)
STARTED = ("STARTING", "RUNNING")
REASON = "moved to the on-demand queue: no Spot capacity"


@dataclass(frozen=True)
class WaitingSettings(Settings):
    job_queue: str
    """That of Spot, the only one whose jobs are moved."""
    on_demand_queue: str
    spot_patience_seconds: int = 900
    max_training_vcpus: int = 64


class WaitingJobs:
    def __init__(self, settings: WaitingSettings, jobs: JobsTable, batch: Batch) -> None:
        self._spot_queue, self._queue = settings.job_queue, settings.on_demand_queue
        self._max_wait = timedelta(seconds=settings.spot_patience_seconds)
        self._max_vcpus = settings.max_training_vcpus
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
        records = {record.batch_job_id: record for record in self._jobs.under_way() if record.batch_job_id}
        jobs = self._batch.describe(list(records))
        on_spot = [job for job in jobs if job["jobQueue"] == self._spot_queue]
        free = self._max_vcpus - sum(vcpus(job) * _started(job) for job in on_spot)
        moved, failures = [], Failures()
        for job in jobs:
            record = records[job["jobId"]]
            half_moved = record.moved_from == job["jobId"]
            is_late = datetime.fromisoformat(record.created_at) < latest
            if half_moved or (is_late and job in on_spot and _waits(job) and vcpus(job) <= free):
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


def _started(job: BatchJob) -> int:
    """Return how many tasks of the job have vCPUs: of an array job its children."""
    if summary := job.get("arrayProperties", {}).get("statusSummary"):
        return sum(summary.get(status, 0) for status in STARTED)
    return int(job["status"] in STARTED)


def _waits(job: BatchJob) -> bool:
    """Return whether no part of the job has started. An array job is PENDING while its children are RUNNABLE."""
    summary = job.get("arrayProperties", {}).get("statusSummary", {})
    children = {status for status, count in summary.items() if count}
    return job["status"] == "RUNNABLE" or (job["status"] == "PENDING" and children == {"RUNNABLE"})
