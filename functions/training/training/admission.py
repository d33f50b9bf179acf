"""Admit jobs: within the limit of active jobs, with records that exist before the job does."""

from collections.abc import Callable, Sequence

from mlops.aws.batch import SubmissionRefused
from mlops.aws.jobs_table import JobsTable
from mlops.domain.errors import Conflict
from mlops.domain.job import Job, Record

_MAKE_ROOM = "wait until some have ended, cancel some, or raise MaxActiveJobs"


class Admission:
    """Admits at most `limit` active runs. Records are written before the job is submitted, and deleted if it is
    refused."""

    def __init__(self, jobs: JobsTable, limit: int) -> None:
        self._jobs, self._limit = jobs, limit

    def check_room(self, wanted: int) -> None:
        """Refuse early. This also counts jobs of an older version of the platform, which did not claim a place.

        Raises:
            Conflict: There is no room for `wanted` runs.
        """
        active = self._jobs.count_active()
        if active + wanted > self._limit:
            raise Conflict(f"{active} jobs are pending or running, and at most {self._limit} are allowed; {_MAKE_ROOM}")

    def submit(self, records: Sequence[Record], submit: Callable[[], str]) -> None:
        """Write the records and submit their Batch job. The first record gets its id.

        If the process dies in between, reconcile ends records whose job Batch does not have.

        Raises:
            Conflict: Other requests came first.
            SubmissionRefused: Nothing was started.
            DependencyUnavailable: The job may run.
        """
        for record in records:
            self._jobs.create(record)
        if not self._jobs.claim([record.job_id for record in records if isinstance(record, Job)], self._limit):
            self._delete(records)
            raise Conflict(
                f"At most {self._limit} jobs may be pending or running, and other requests came first; {_MAKE_ROOM}"
            )
        try:
            batch_job_id = submit()
        except SubmissionRefused:
            # After any other failure Batch may have the job, so the record stays, and reconcile checks it.
            self._delete(records)
            raise
        self._jobs.submitted(records[0].job_id, batch_job_id)

    def _delete(self, records: Sequence[Record]) -> None:
        for record in records:
            self._jobs.delete(record.job_id)
