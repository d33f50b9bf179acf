"""What a Batch event says of our records."""

from functools import cache
from typing import Any

from mlops.items import Item
from mlops.jobs import TERMINAL, JobsTable
from mlops.promotions import PromotionQueue
from mlops.sweep_outcome import end_sweep
from mlops.tracking import Tracking
from mlops.transitions import TransitionsTable

STATUS = {
    "SUBMITTED": "pending",
    "PENDING": "pending",
    "RUNNABLE": "pending",
    "STARTING": "pending",
    "RUNNING": "running",
    "SUCCEEDED": "completed",
    "FAILED": "failed",
}


class JobStates:
    def __init__(
        self, jobs: JobsTable, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue
    ) -> None:
        self._jobs, self._tracking, self._transitions, self._queue = jobs, tracking, transitions, queue

    @classmethod
    def from_environment(cls) -> "JobStates":
        return _job_states()

    def follow(self, detail: dict[str, Any]) -> None:
        """`detail` is the event's: a job as DescribeJobs shows it. The job's name is our own id."""
        name, status = detail["jobName"], STATUS[detail["status"]]
        if self._jobs.moved_from(name) == detail.get("jobId", "").partition(":")[0]:
            return  # reconcile has moved the job to another queue; this is the one it left
        index = detail.get("arrayProperties", {}).get("index")
        if not name.startswith("sweep_"):
            self._move(name, status, detail)
        elif index is not None:
            self._move(self._jobs.get(name)["job_ids"][index], status, detail)
        elif status in TERMINAL:
            self._end(name, status, detail)

    def _end(self, sweep_id: str, status: str, detail: dict[str, Any]) -> None:
        """Every run has ended; what a run could not say of itself, its sweep's end says."""
        sweep = self._jobs.get(sweep_id)
        for run in self._jobs.get_many(sweep["job_ids"]):
            if run["status"] not in TERMINAL:
                self._move(run["job_id"], status, detail)
        end_sweep(sweep_id, self._jobs, self._tracking, self._transitions, self._queue)

    def _move(self, job_id: str, status: str, detail: dict[str, Any]) -> None:
        extra: Item = {}
        if status == "failed":
            if self._jobs.get(job_id).get("cancel_requested"):
                status = "cancelled"
            extra = {"batch_reason": _reason(detail)}
        if not self._jobs.move(job_id, status, _attempt(detail, status), extra) and extra:
            self._jobs.update(job_id, extra)


def _attempt(detail: dict[str, Any], status: str) -> int:
    """Batch lists the attempts that have ended; a job that waits or runs is in the one after."""
    ended = len(detail.get("attempts", []))
    return ended if status in TERMINAL else ended + 1


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
