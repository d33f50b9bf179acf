"""Find records that seem open, although AWS Batch has ended or deleted their jobs, or never had them.

Only job_events ends them, so the lost event is published again, with the source `mlops`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Generic, Protocol, TypeVar

from mlops.aws.batch import Batch
from mlops.aws.batch_job import ENDED, BatchJob
from mlops.aws.eventbridge import Events
from reconcile.failures import Failures

GRACE = timedelta(minutes=10)
"""Events may be late, and a job may be submitted again until then."""


class Started(Protocol):
    """A record of what a job does."""

    @property
    def created_at(self) -> str: ...


Record = TypeVar("Record", bound=Started)


class LostEnds(ABC, Generic[Record]):
    """Announces the ends of the jobs of one kind of record."""

    remedy: ClassVar[str]
    """What people do if a job is gone."""

    def __init__(self, batch: Batch, events: Events) -> None:
        self._batch, self._events = batch, events

    def look(self) -> list[str]:
        """Publish the end of the jobs that have ended, and return their names.

        Raises:
            ExceptionGroup: At the end, if some could not be checked or published.
        """
        failures, announced = Failures(), []
        for record in self.open_records():
            if datetime.now(UTC) - datetime.fromisoformat(record.created_at) <= GRACE:
                continue
            name = self.job_name(record)
            with failures.isolated(name):
                if self._announce(record):
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
    def lost_job(self, record: Record, reason: str) -> BatchJob:
        """Return the failed state of a job that AWS Batch does not have."""

    def _announce(self, record: Record) -> bool:
        """Publish the end of a record's job; False if it has not ended."""
        batch_job_id = self.batch_job_id(record)
        found = self._batch.describe([batch_job_id]) if batch_job_id else []
        reason = "AWS Batch does not have the job any more" if batch_job_id else "it never reached AWS Batch"
        job = found[0] if found else self.lost_job(record, f"{reason}; {self.remedy}")
        if job["status"] not in ENDED:
            return False
        self._events.job_state(job)
        return True
