"""Find records that seem open, although AWS Batch has ended or deleted their jobs, or never had them.

Only job_events ends them, so the lost event is published again, with the source `mlops`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from mlops.aws.batch import Batch
from mlops.aws.batch_job import ENDED, BatchJob
from mlops.aws.eventbridge import Events
from reconcile.failures import Failures

GRACE = timedelta(minutes=10)
"""Events may be late, DescribeJobs may not return a job that was submitted a moment ago, and a job may be submitted
again until then."""


class Started(Protocol):
    """A record of what a job does."""

    @property
    def created_at(self) -> str: ...


Record = TypeVar("Record", bound=Started)


class LostEnds(ABC, Generic[Record]):
    """Announces the ends of the jobs of one kind of record."""

    def __init__(self, batch: Batch, events: Events) -> None:
        self._batch, self._events = batch, events

    def look(self) -> list[str]:
        """Publish the end of the jobs that have ended, and return their names.

        Raises:
            ExceptionGroup: At the end, if some could not be checked or published.
        """
        failures = Failures()
        jobs: list[tuple[Record, str | None]] = []
        for record in self._started_some_time_ago():
            with failures.isolated(self.job_name(record)):
                jobs.append((record, self.batch_job_id(record)))
        known = {job["jobId"]: job for job in self._batch.describe([each for _, each in jobs if each])}
        announced = []
        for record, batch_job_id in jobs:
            name = self.job_name(record)
            with failures.isolated(name):
                job = known.get(batch_job_id or "") or self.lost_job(record, batch_job_id)
                if job["status"] in ENDED:
                    self._events.job_state(job)
                    announced.append(name)
        failures.raise_all()
        return announced

    @abstractmethod
    def open_records(self) -> Iterable[Record]:
        """Return the records that have not ended."""

    @abstractmethod
    def job_name(self, record: Record) -> str:
        """Return the name of a record's job."""

    @abstractmethod
    def batch_job_id(self, record: Record) -> str | None:
        """Return Batch's id of a record's job; None if Batch never had it."""

    @abstractmethod
    def lost_job(self, record: Record, batch_job_id: str | None) -> BatchJob:
        """Return the failed state of a job that AWS Batch does not have. Batch keeps ended jobs for a week."""

    def _started_some_time_ago(self) -> list[Record]:
        moment = datetime.now(UTC)
        return [record for record in self.open_records() if moment - datetime.fromisoformat(record.created_at) > GRACE]


def gone(batch_job_id: str | None) -> str:
    """Say what is known of a job that AWS Batch does not have."""
    return "AWS Batch does not have the job any more" if batch_job_id else "it never reached AWS Batch"
