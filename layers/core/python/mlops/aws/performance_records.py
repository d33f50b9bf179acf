"""The last check of each model's labels, in the feedback table."""

import logging
import time

from boto3.dynamodb.conditions import Key

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.dynamodb_requests import Item
from mlops.aws.feedback_settings import FeedbackSettings
from mlops.domain.feedback.record import PerformanceRecord

logger = logging.getLogger(__name__)

CHECKS = "checks"
_DAY = 24 * 3600


class PerformanceRecords:
    """Adapter of the table `FEEDBACK_TABLE` (key `series`, `slot`)."""

    def __init__(self, table: DynamoTable, retention_days: int = 100) -> None:
        self._table, self._retention = table, retention_days * _DAY

    @classmethod
    def from_environment(cls) -> "PerformanceRecords":
        settings = FeedbackSettings.from_environment()
        return cls(table_named(settings.feedback_table), settings.stats_retention_days)

    def all(self) -> dict[str, PerformanceRecord]:
        """Return the last record of each model. Records that cannot be read are logged and left out."""
        records = map(_read, self._table.query(Key("series").eq(CHECKS)))
        return {record.model_name: record for record in records if record is not None}

    def save(self, record: PerformanceRecord) -> None:
        """Store a record in place of the model's former one."""
        expires = int(time.time()) + self._retention
        self._table.put({**record.to_record(), "series": CHECKS, "slot": record.model_name, "expires": expires})


def _read(item: Item) -> PerformanceRecord | None:
    try:
        return PerformanceRecord.from_record(item)
    except ValueError as error:
        logger.warning("record skipped: %s", error)
        return None
