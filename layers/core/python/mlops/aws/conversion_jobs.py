"""Start the conversion of a version: claim it in the table, then submit its job to AWS Batch.

If the process dies between the two, whoever asks for the conversion next submits the job. Two jobs of one conversion do
no harm: they write the same, and only the one that the record names ends it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from mlops.aws.batch import Batch, BatchSettings, SubmissionRefused
from mlops.aws.batch_job import BatchJob, EnvironmentVariable, lost
from mlops.aws.conversions_table import ConversionsTable
from mlops.domain.conversion import Conversion, ConversionStatus
from mlops.settings import Settings

GRACE = timedelta(minutes=2)
"""Whoever claimed a conversion has submitted its job by then, or has died."""


@dataclass(frozen=True)
class ConversionSettings(Settings):
    """Where the jobs run, and as what."""

    conversion_queue: str
    conversion_job_definition: str


class ConversionJobs:
    """The conversions of versions, and their jobs. A job's name is the id of its conversion."""

    def __init__(self, table: ConversionsTable, batch: Batch) -> None:
        self._table, self._batch = table, batch

    @classmethod
    def from_environment(cls) -> "ConversionJobs":
        return _conversion_jobs()

    def of(self, model_name: str, version: int, registered_at: str) -> Conversion | None:
        """Return the last conversion of a version, if there was one."""
        return self._table.get(model_name, version, registered_at)

    def start(self, conversion: Conversion, source: str) -> Conversion:
        """Start a conversion, unless one of the version runs or has succeeded. Return the one that counts.

        Args:
            conversion: The new conversion.
            source: The prefix of the version's files in the bucket.

        Raises:
            SubmissionRefused: AWS Batch has refused the job. The conversion has failed and can be started again.
            DependencyUnavailable: A service does not answer. The job may run.
        """
        if self._table.claim(conversion):
            return self._submit(conversion, source)
        present = self._table.get(conversion.model_name, conversion.version)
        if present is None:  # the record was deleted just now
            return self.start(conversion, source)
        if present.status is ConversionStatus.RUNNING and present.batch_job_id is None and is_overdue(present):
            return self._submit(present, source)
        return present

    def wait(self, conversion: Conversion, transition_id: str) -> bool:
        """Have a transition go on when the conversion has ended; False if it has ended already."""
        return self._table.wait(conversion, transition_id)

    def _submit(self, conversion: Conversion, source: str) -> Conversion:
        try:
            batch_job_id = self._batch.submit(
                conversion.conversion_id, {**identity(conversion), "MODEL_FOLDER": source}
            )
        except SubmissionRefused as refused:
            self._table.finish(conversion, ConversionStatus.FAILED, error=refused.detail)
            raise
        self._table.submitted(conversion, batch_job_id)
        return conversion


def identity(conversion: Conversion) -> dict[str, str]:
    """Return the variables by which the job, and later its events, name the conversion."""
    return {
        "CONVERSION_ID": conversion.conversion_id,
        "MODEL_NAME": conversion.model_name,
        "MODEL_VERSION": str(conversion.version),
        **({"REQUEST_ID": conversion.request_id} if conversion.request_id else {}),
    }


def lost_job(conversion: Conversion, queue: str, reason: str) -> BatchJob:
    """Return the failed state of a job that AWS Batch does not have."""
    environment = [EnvironmentVariable(name=name, value=value) for name, value in identity(conversion).items()]
    job = lost(conversion.conversion_id, conversion.batch_job_id, queue, reason)
    return {**job, "container": {"environment": environment}}


def is_overdue(conversion: Conversion) -> bool:
    """Return whether the job of a conversion should have been submitted by now."""
    return datetime.now(UTC) - datetime.fromisoformat(conversion.created_at) > GRACE


@cache
def batch_of_conversions() -> Batch:
    """Return the adapter of the conversions' queue and job definition."""
    settings = ConversionSettings.from_environment()
    return Batch(BatchSettings(settings.conversion_queue, settings.conversion_job_definition))


@cache
def _conversion_jobs() -> ConversionJobs:
    return ConversionJobs(ConversionsTable.from_environment(), batch_of_conversions())
