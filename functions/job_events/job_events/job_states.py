"""Find the record that an event of AWS Batch belongs to, and update it."""

from functools import cache

from job_events.batch_reason import reason_of
from job_events.code_run_outcome import conclude
from job_events.sweep_outcome import end_sweep
from mlops.aws.batch_job import BatchJob
from mlops.aws.jobs_table import Changes, JobsTable
from mlops.aws.promotion_queue import PromotionQueue
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, JobStatus, Record, Sweep
from mlops.registry.runs import Runs

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
    def __init__(self, jobs: JobsTable, tracking: Runs, transitions: TransitionsTable, queue: PromotionQueue) -> None:
        self._jobs, self._runs, self._transitions, self._queue = jobs, tracking, transitions, queue

    @classmethod
    def from_environment(cls) -> "JobStates":
        return _job_states()

    def follow(self, job: BatchJob) -> bool:
        """Record the state of a job, whose name is its id; False if the API did not submit this job."""
        name, index = job["jobName"], job.get("arrayProperties", {}).get("index")
        record = self._jobs.find(name)
        if record is None or not _is_its_job(record, job):
            return False
        status = STATUS[job["status"]]
        if not isinstance(record, Sweep):
            self._move(name, status, job)
        elif index is not None:
            for run in self._runs_of(record, index):
                self._move(run, status, job)
        elif status.has_ended:
            self._end(name, status, job)
        return True

    def _runs_of(self, sweep: Sweep, index: int) -> list[str]:
        """Return the runs whose state is that of a child of the array: of a worker, the one that it has not ended."""
        if not sweep.has_workers:
            return [sweep.job_ids[index]]
        runs = self._jobs.get_many(sweep.job_ids)
        return [run.job_id for run in runs if run.worker == index and not run.status.has_ended]

    def _end(self, sweep_id: str, status: JobStatus, job: BatchJob) -> None:
        """End a sweep. Runs that did not report their own end take the sweep's status."""
        for run in self._jobs.get_many(self._jobs.sweep(sweep_id).job_ids):
            if not run.status.has_ended:
                self._move(run.job_id, status, job)
        end_sweep(sweep_id, self._jobs, self._runs, self._transitions, self._queue)

    def _move(self, job_id: str, status: JobStatus, job: BatchJob) -> None:
        record = self._jobs.find(job_id) if status.has_ended else None
        changes: Changes = {}
        if status is JobStatus.FAILED:
            if record is not None and record.cancel_requested:
                status = JobStatus.CANCELLED
            changes = {"batch_reason": reason_of(job)}
        if isinstance(record, Job) and record.is_code_run:
            self._end_code_run(record, status, job, changes)
        else:
            self._record(job_id, status, job, changes)

    def _end_code_run(self, record: Job, status: JobStatus, job: BatchJob, changes: Changes) -> None:
        """Record the end of a run of people's own code, with what it has logged to MLflow.

        Raises:
            DependencyUnavailable: MLflow does not answer. The record has the end already, and the event comes again.
        """
        try:
            logged = conclude(record, status, self._runs)
        except DependencyUnavailable:
            self._record(record.job_id, status, job, changes)
            raise
        self._record(record.job_id, status, job, {**changes, **logged})

    def _record(self, job_id: str, status: JobStatus, job: BatchJob, changes: Changes) -> None:
        if not self._jobs.move(job_id, status, _attempt(job, status), **changes) and changes:
            self._jobs.update(job_id, **changes)


def _is_its_job(record: Record, job: BatchJob) -> bool:
    """Return whether the record belongs to this Batch job: other jobs may have the same name.

    The first events may come before the record has Batch's id. While reconcile moves a job to another queue, the record
    still names the old job, whose events do not count any more.
    """
    submitted, left = record.batch_job_id, record.moved_from
    batch_id = job["jobId"].partition(":")[0]
    return bool(batch_id != left if submitted in (None, left) else batch_id == submitted)


def _attempt(job: BatchJob, status: JobStatus) -> int:
    """Return the number of the attempt. Batch lists those that have ended; an active job is in the next one."""
    ended = len(job.get("attempts", []))
    return ended if status.has_ended else ended + 1


@cache
def _job_states() -> JobStates:
    return JobStates(
        JobsTable.from_environment(),
        Runs.from_environment(),
        TransitionsTable.from_environment(),
        PromotionQueue.from_environment(),
    )
