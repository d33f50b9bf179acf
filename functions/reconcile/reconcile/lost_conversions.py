"""Find conversions whose end was lost."""

from collections.abc import Iterable

from mlops.aws.batch import Batch
from mlops.aws.batch_job import BatchJob
from mlops.aws.conversion_jobs import ConversionSettings, batch_of_conversions, lost_job
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.eventbridge import Events
from mlops.domain.conversion import Conversion
from reconcile.lost_ends import LostEnds, gone


class LostConversions(LostEnds[Conversion]):
    def __init__(self, table: ConversionsTable, batch: Batch, events: Events, queue: str) -> None:
        super().__init__(batch, events)
        self._table, self._queue = table, queue

    @classmethod
    def from_environment(cls) -> "LostConversions":
        queue = ConversionSettings.from_environment().conversion_queue
        return cls(ConversionsTable.from_environment(), batch_of_conversions(), Events.from_environment(), queue)

    def open_records(self) -> Iterable[Conversion]:
        return self._table.running()

    def job_name(self, record: Conversion) -> str:
        return record.conversion_id

    def batch_job_id(self, record: Conversion) -> str | None:
        return record.batch_job_id or self._batch.find(record.conversion_id)

    def lost_job(self, record: Conversion, batch_job_id: str | None) -> BatchJob:
        return lost_job(record, self._queue, f"{gone(batch_job_id)}; promote the version again")
