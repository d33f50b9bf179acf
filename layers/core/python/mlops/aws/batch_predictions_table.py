"""The table of batch predictions: their records, and what the jobs of their shards report.

The records are written by the API and job_events; a shard's item by its job, which may write no others.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import MAX_KEY_BYTES, DynamoTable, named, table_named
from mlops.domain.access import ALL_MODELS
from mlops.domain.batch_prediction import ID_PREFIX, BatchPrediction, OutputFile, Shard, Totals
from mlops.domain.errors import NotFound
from mlops.domain.job import JobStatus
from mlops.domain.pagination import decode_cursor, encode_cursor, unknown_cursor
from mlops.domain.timestamps import now

_RECORD = "record"
_KIND = "batch"
_HAS_NOT_ENDED = Attr("status").is_in([str(status) for status in JobStatus if not status.has_ended])


@dataclass(frozen=True)
class BatchPredictionPage:
    """Records, newest first, and the cursor of the next page, if there is one."""

    records: list[BatchPrediction]
    next_cursor: str | None


class BatchPredictionsTable:
    """Adapter of the DynamoDB table `BATCH_PREDICTIONS_TABLE` (key `batch_id`, `part`). The index `by_time` lists the
    records, the sparse index `by_open` those that have not ended."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "BatchPredictionsTable":
        return cls(table_named(os.environ["BATCH_PREDICTIONS_TABLE"]))

    # For the API

    def create(self, batch: BatchPrediction) -> None:
        """Write a new record."""
        self._table.put({**batch.to_record(), "part": _RECORD, "kind": _KIND, "open": "1"})

    def delete(self, batch_id: str) -> None:
        """Delete the record of one that was refused."""
        self._table.delete(_record_key(batch_id))

    def submitted(self, batch_id: str, batch_job_id: str) -> None:
        """Record AWS Batch's id of the job."""
        self._update(batch_id, {"batch_job_id": batch_job_id})

    def request_cancel(self, batch_id: str) -> None:
        """Record that somebody has cancelled it: its job's failure then is no failure."""
        self._update(batch_id, {"cancel_requested": True})

    def files_deleted(self, batch_id: str, actor: str) -> None:
        """Record who has deleted its files, and when. The first one stays."""
        self._update(batch_id, {}, once={"files_deleted_at": now(), "files_deleted_by": actor})

    def get(self, batch_id: str) -> BatchPrediction:
        """Return a record. Raises NotFound."""
        if (found := self.find(batch_id)) is None:
            raise NotFound(f"There is no batch prediction {batch_id!r}; GET /batch-predictions lists them")
        return found

    def find(self, batch_id: str) -> BatchPrediction | None:
        """Return a record; None if there is none."""
        record = self._table.get(_record_key(batch_id))
        return BatchPrediction.from_record(record) if record is not None else None

    def page(self, limit: int, cursor: str | None = None, names: Sequence[str] = ALL_MODELS) -> BatchPredictionPage:
        """Return a page of the records of models with these names, newest first.

        Where `names` are not all names, a page may have fewer records than the limit, though others follow.

        Raises:
            ValidationFailed: The cursor is not valid.
        """
        start: dict[str, Any] = {}
        if (matching := named("model_name", names)) is not None:
            start["FilterExpression"] = matching
        if cursor:
            batch_id = decode_cursor(cursor, MAX_KEY_BYTES)
            if not batch_id.startswith(ID_PREFIX):
                raise unknown_cursor()
            start |= {"start": {"kind": _KIND, **_record_key(batch_id)}}
        page = self._table.page(Key("kind").eq(_KIND), limit, **start, IndexName="by_time", ScanIndexForward=False)
        records = [BatchPrediction.from_record(item) for item in page.items]
        return BatchPredictionPage(records, encode_cursor(page.next_key["batch_id"]) if page.next_key else None)

    def under_way(self) -> list[BatchPrediction]:
        """Return those that have not ended, from an index, which may be a moment behind."""
        return [
            BatchPrediction.from_record(item) for item in self._table.query(Key("open").eq("1"), IndexName="by_open")
        ]

    def shards(self, batch_id: str) -> list[Shard]:
        """Return what the shards have reported so far, in their order."""
        items = self._table.query(Key("batch_id").eq(_shards_key(batch_id)), ConsistentRead=True)
        return [_shard(item) for item in items]

    # For the job of a shard

    def report(self, batch_id: str, shard: Shard) -> None:
        """Replace what a shard has reported."""
        item = {name: value for name, value in asdict(shard).items() if name != "index"}
        self._table.put({**item, "batch_id": _shards_key(batch_id), "part": f"{shard.index:05}"})

    # For the events of AWS Batch

    def started(self, batch_id: str) -> None:
        """Record that a job of it runs, unless it has ended."""
        self._update(batch_id, {"status": str(JobStatus.RUNNING)}, once={"started_at": now()}, condition=_HAS_NOT_ENDED)

    def finish(self, batch_id: str, status: JobStatus, totals: Totals, error: str | None = None) -> None:
        """Record the end, unless it has ended before."""
        values = {
            "status": str(status),
            "completed_at": now(),
            "shards_done": totals.shards_done,
            "rows": totals.rows,
            "rejected": totals.rejected,
            "seconds": totals.seconds,
            "reasons": dict(totals.reasons),
            "error": error,
        }
        self._update(batch_id, values, condition=_HAS_NOT_ENDED, remove=("open",))

    def _update(
        self,
        batch_id: str,
        values: Mapping[str, Any],
        *,
        once: Mapping[str, Any] | None = None,
        condition: ConditionBase | None = None,
        remove: tuple[str, ...] = (),
    ) -> None:
        exists = Attr("created_at").exists()
        whole = exists if condition is None else exists & condition
        self._table.update(_record_key(batch_id), values, once=once, remove=remove, condition=whole)


def _record_key(batch_id: str) -> dict[str, str]:
    return {"batch_id": batch_id, "part": _RECORD}


def _shards_key(batch_id: str) -> str:
    """Return the partition of the shards' items: the role of their jobs may write to such partitions only."""
    return f"{batch_id}#shards"


def _shard(item: Mapping[str, Any]) -> Shard:
    return Shard(
        index=int(item["part"]),
        rows=item["rows"],
        rejected=item["rejected"],
        seconds=float(item["seconds"]),
        done=item["done"],
        files=tuple(OutputFile(**file) for file in item.get("files", ())),
        reasons=dict(item.get("reasons", {})),
        error=item.get("error"),
    )
