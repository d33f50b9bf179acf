"""The records of imports of labels, in the feedback table."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import MAX_KEY_BYTES, DynamoTable, named, table_named
from mlops.aws.feedback_settings import FeedbackSettings
from mlops.domain.access import ALL_MODELS
from mlops.domain.errors import NotFound
from mlops.domain.feedback.label_import import ID_PREFIX, LabelImport
from mlops.domain.job import JobStatus
from mlops.domain.pagination import decode_cursor, encode_cursor, unknown_cursor
from mlops.domain.timestamps import now

_SERIES = "imports"
_DAY = 24 * 3600
_OPEN = [str(status) for status in JobStatus if not status.has_ended]


@dataclass(frozen=True)
class LabelImportPage:
    """Records, newest first, and the cursor of the next page, if there is one."""

    records: list[LabelImport]
    next_cursor: str | None


class LabelImportsTable:
    """Adapter of the DynamoDB table `FEEDBACK_TABLE`. Records are kept as long as labels may come."""

    def __init__(self, table: DynamoTable, days: int = 60) -> None:
        self._table, self._kept_seconds = table, days * _DAY

    @classmethod
    def from_environment(cls) -> "LabelImportsTable":
        settings = FeedbackSettings.from_environment()
        return cls(table_named(settings.feedback_table), settings.feedback_days)

    def create(self, record: LabelImport) -> None:
        """Write a new record."""
        self._table.put({**record.to_record(), **_key(record.import_id), "expires": self._expires()})

    def submitted(self, import_id: str, batch_job_id: str) -> None:
        """Record AWS Batch's id of the job."""
        self._change(import_id, {"batch_job_id": batch_job_id})

    def get(self, import_id: str) -> LabelImport:
        """Return a record. Raises NotFound."""
        item = self._table.get_many([_key(import_id)])
        if not item:
            raise NotFound(f"There is no import {import_id!r}; GET /feedback/imports lists them")
        return LabelImport.from_record(item[0])

    def page(self, limit: int, cursor: str | None, names: Sequence[str] = ALL_MODELS) -> LabelImportPage:
        """Return a page of the records of models with these names, newest first. Raises ValidationFailed: the cursor.

        Where `names` are not all names, a page may have fewer records than the limit, though others follow.
        """
        request: dict[str, Any] = {}
        if (matching := named("model_name", names)) is not None:
            request["FilterExpression"] = matching
        if cursor:
            import_id = decode_cursor(cursor, MAX_KEY_BYTES)
            if not import_id.startswith(ID_PREFIX):
                raise unknown_cursor()
            request["start"] = _key(import_id)
        page = self._table.page(Key("series").eq(_SERIES), limit, **request, ScanIndexForward=False)
        records = [LabelImport.from_record(item) for item in page.items]
        return LabelImportPage(records, encode_cursor(page.next_key["slot"]) if page.next_key else None)

    def under_way(self) -> list[LabelImport]:
        """Return those that have not ended."""
        found = self._table.query(
            Key("series").eq(_SERIES), FilterExpression=Attr("status").is_in(_OPEN), ConsistentRead=True
        )
        return [LabelImport.from_record(item) for item in found]

    # For the job

    def started(self, import_id: str) -> None:
        """Record that the job runs, unless it has ended. Another attempt counts from the beginning again."""
        self._change(import_id, {"status": str(JobStatus.RUNNING), "rows": 0, "counts": {}}, once={"started_at": now()})

    def progressed(self, import_id: str, rows: int, counts: Mapping[str, int]) -> None:
        """Record how far the job is, unless it has ended."""
        self._change(import_id, {"rows": rows, "counts": dict(counts)})

    def finish(self, import_id: str, status: JobStatus, **values: Any) -> bool:
        """Record the end; False if it has ended before."""
        return self._change(import_id, {"status": str(status), "completed_at": now(), **values})

    def _change(self, import_id: str, values: Mapping[str, Any], once: Mapping[str, Any] | None = None) -> bool:
        open_: ConditionBase = Attr("created_at").exists() & Attr("status").is_in(_OPEN)
        return self._table.update(_key(import_id), values, once=once, condition=open_) is not None

    def _expires(self) -> int:
        return int(time.time()) + self._kept_seconds


def _key(import_id: str) -> dict[str, str]:
    return {"series": _SERIES, "slot": import_id}
