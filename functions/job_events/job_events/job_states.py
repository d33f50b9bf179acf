"""What a Batch event says of our records."""

from functools import cache
from typing import Any

from job_events.sweep_outcome import end_sweep
from mlops.aws.jobs_table import Changes, JobsTable
from mlops.aws.promotion_queue import PromotionQueue
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.job import JobStatus, Record, Sweep
from mlops.registry.rest import Tracking

STATUS = {
    "SUBMITTED": JobStatus.PENDING,
    "PENDING": JobStatus.PENDING,
    "RUNNABLE": JobStatus.PENDING,
    "STARTING": JobStatus.PENDING,
    "RUNNING": JobStatus.RUNNING,
    "SUCCEEDED": JobStatus.COMPLETED,
    "FAILED": JobStatus.FAILED,
}


class JobStates:
    def __init__(
        self, jobs: JobsTable, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue
    ) -> None:
        self._jobs, self._tracking, self._transitions, self._queue = jobs, tracking, transitions, queue

    @classmethod
    def from_environment(cls) -> "JobStates":
        return _job_states()

    def follow(self, detail: dict[str, Any]) -> bool:
        """`detail` is the event's: a job as DescribeJobs shows it. The job's name is our own id.

        False of a job that is not the one the API asked for under that name: it is left alone.
        """
        name, index = detail["jobName"], detail.get("arrayProperties", {}).get("index")
        record = self._jobs.find(name)
        if record is None or not _is_its_job(record, detail):
            return False
        status = STATUS[detail["status"]]
        if not isinstance(record, Sweep):
            self._move(name, status, detail)
        elif index is not None:
            self._move(record.job_ids[index], status, detail)
        elif status.has_ended:
            self._end(name, status, detail)
        return True

    def _end(self, sweep_id: str, status: JobStatus, detail: dict[str, Any]) -> None:
        """Every run has ended; what a run could not say of itself, its sweep's end says."""
        for run in self._jobs.get_many(self._jobs.sweep(sweep_id).job_ids):
            if not run.status.has_ended:
                self._move(run.job_id, status, detail)
        end_sweep(sweep_id, self._jobs, self._tracking, self._transitions, self._queue)

    def _move(self, job_id: str, status: JobStatus, detail: dict[str, Any]) -> None:
        changes: Changes = {}
        if status is JobStatus.FAILED:
            if self._jobs.get(job_id).cancel_requested:
                status = JobStatus.CANCELLED
            changes = {"batch_reason": _reason(detail)}
        if not self._jobs.move(job_id, status, _attempt(detail, status), **changes) and changes:
            self._jobs.update(job_id, **changes)


def _is_its_job(record: Record, detail: dict[str, Any]) -> bool:
    """Whether an event is of the Batch job that the record stands for; anybody may submit another of its name.

    The first events may come before the record has Batch's id. While reconcile moves a job to another queue, the record
    still names the one that was left, whose events no longer count.
    """
    submitted, left = record.batch_job_id, record.moved_from
    batch_id = detail.get("jobId", "").partition(":")[0]
    return bool(batch_id != left if submitted in (None, left) else batch_id == submitted)


def _attempt(detail: dict[str, Any], status: JobStatus) -> int:
    """Batch lists the attempts that have ended; a job that waits or runs is in the one after."""
    ended = len(detail.get("attempts", []))
    return ended if status.has_ended else ended + 1


def _reason(detail: dict[str, Any]) -> str:
    """Why Batch ended the job: the container's own reason is the more telling of the two."""
    container = detail.get("container", {})
    parts = [detail.get("statusReason"), container.get("reason")]
    if (code := container.get("exitCode")) is not None:
        parts.append(f"exit code {code}")
    return ", ".join(dict.fromkeys(str(part) for part in parts if part))


@cache
def _job_states() -> JobStates:
    return JobStates(
        JobsTable.from_environment(),
        Tracking.from_environment(),
        TransitionsTable.from_environment(),
        PromotionQueue.from_environment(),
    )
