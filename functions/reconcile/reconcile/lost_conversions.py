"""Find conversions that seem to run, although AWS Batch has ended or deleted their jobs, or never had them.

Only job_events ends a conversion, so the lost event is published again, with the source `mlops`.
"""

from datetime import UTC, datetime, timedelta

from mlops.aws.batch import Batch
from mlops.aws.batch_job import ENDED
from mlops.aws.conversion_jobs import ConversionSettings, batch_of_conversions, lost_job
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.eventbridge import Events
from mlops.domain.conversion import Conversion
from reconcile.failures import Failures

GRACE = timedelta(minutes=10)
"""Events may be late, and a job may be submitted again until then."""


class LostConversions:
    def __init__(self, table: ConversionsTable, batch: Batch, events: Events, queue: str) -> None:
        self._table, self._batch, self._events, self._queue = table, batch, events, queue

    @classmethod
    def from_environment(cls) -> "LostConversions":
        queue = ConversionSettings.from_environment().conversion_queue
        return cls(ConversionsTable.from_environment(), batch_of_conversions(), Events.from_environment(), queue)

    def look(self) -> list[str]:
        """Publish the end of the jobs that have ended, and return their names.

        Raises:
            ExceptionGroup: At the end, if some could not be checked or published.
        """
        failures, announced = Failures(), []
        for conversion in self._table.running():
            if datetime.now(UTC) - datetime.fromisoformat(conversion.created_at) <= GRACE:
                continue
            with failures.isolated(conversion.conversion_id):
                if self._announce(conversion):
                    announced.append(conversion.conversion_id)
        failures.raise_all()
        return announced

    def _announce(self, conversion: Conversion) -> bool:
        """Publish the end of a conversion's job; False if it has not ended."""
        batch_job_id = conversion.batch_job_id or self._batch.find(conversion.conversion_id)
        found = self._batch.describe([batch_job_id]) if batch_job_id else []
        reason = "AWS Batch does not have the job any more" if batch_job_id else "it never reached AWS Batch"
        job = found[0] if found else lost_job(conversion, self._queue, f"{reason}; promote the version again")
        if job["status"] not in ENDED:
            return False
        self._events.job_state(job)
        return True
