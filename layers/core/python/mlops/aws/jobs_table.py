"""The jobs table: what was asked, and how far it is.

Three writers meet in an item: the API (the request), the trainer (run, progress, end) and Batch's events (state).
The API writes first, before it submits the job, and it alone makes a record: what runs under a name of ours without our
asking changes nothing, and a later job of that number inherits nothing. Events come at least once and in any order, so
the status only ever moves forward along (attempt, state), by conditional update; what the trainer reports is kept
whichever of the two was first.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import Item, from_item, query_all, to_item
from mlops.domain.errors import NotFound
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.domain.timestamps import now

COUNTER = "counter"
TERMINAL = ("completed", "failed", "cancelled")
_ENDED = 1_000_000
_RANK = {"pending": 0, "running": 5}
_IS_OURS = Attr("created_at").exists()
"""Whether the API made the item. The version before this one let events and trainers make items too; those that a stack
still holds are no records."""


class JobsTable:
    """Adapter of the DynamoDB table `JOBS_TABLE` (key `job_id`, indexes `by_time` and `by_status`)."""

    def __init__(self, table: Any) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "JobsTable":
        return _table_of(os.environ["JOBS_TABLE"])

    # The API's side

    def reserve(self, count: int = 1) -> int:
        """Reserve `count` consecutive job numbers and return the first."""
        answer = self._table.update_item(
            Key={"job_id": COUNTER},
            UpdateExpression="ADD numbers :count",
            ExpressionAttributeValues={":count": count},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["numbers"]) - count + 1

    def create(self, item: Item) -> None:
        """Write a new record as pending. The same write delivered again, late, changes nothing."""
        kind = "sweep" if item["job_id"].startswith("sweep_") else "job"
        new = {"kind": kind, "created_at": now(), "status": "pending", "status_order": 0, "attempt": 0, **item}
        given = {name: to_item(value) for name, value in new.items() if value is not None}
        _holds(lambda: self._table.put_item(Item=given, ConditionExpression=~_IS_OURS))

    def submitted(self, job_id: str, batch_job_id: str) -> None:
        self._update(job_id, {"batch_job_id": batch_job_id})

    def delete(self, job_id: str) -> None:
        """Forget a record whose job Batch refused."""
        self._table.delete_item(Key={"job_id": job_id})

    def cancel_requested(self, job_id: str) -> None:
        self._update(job_id, {"cancel_requested": True})

    def get(self, job_id: str) -> Item:
        """Raises NotFound."""
        if (item := self.find(job_id)) is None:
            raise NotFound(f"There is no job {job_id!r}; GET /train/jobs lists them")
        return item

    def find(self, job_id: str) -> Item | None:
        """The record, if the API made one of that name."""
        item = self._table.get_item(Key={"job_id": job_id}, ConsistentRead=True).get("Item", {})
        return from_item(item) if "created_at" in item else None

    def get_many(self, job_ids: list[str]) -> list[Item]:
        """The records of `job_ids`, in that order; those not there are left out."""
        client, name = self._table.meta.client, self._table.name
        found: dict[str, Item] = {}
        for start in range(0, len(job_ids), 100):
            keys = [{"job_id": job_id} for job_id in job_ids[start : start + 100]]
            while keys:
                answer = client.batch_get_item(RequestItems={name: {"Keys": keys, "ConsistentRead": True}})
                read = map(from_item, answer["Responses"].get(name, []))
                found |= {item["job_id"]: item for item in read if "created_at" in item}
                keys = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
        return [found[job_id] for job_id in job_ids if job_id in found]

    def page(
        self, kind: str = "job", status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Item], int, str | None]:
        """A page of records, newest first: (items, how many there are in all, cursor of the next page)."""
        query = _with_status(kind, status) if status else _of_kind(kind)
        start: dict[str, Any] = {}
        if cursor:
            key = {"job_id": decode_cursor(cursor), **({"status": status} if status else {"kind": kind})}
            start = {"ExclusiveStartKey": key}
        # One more than the page holds tells whether another follows.
        found = self._query(query, **start, Limit=limit + 1, ScanIndexForward=False)
        items = list(itertools.islice(found, limit + 1))
        following = encode_cursor(items[limit - 1]["job_id"]) if len(items) > limit else None
        return items[:limit], self._count(query), following

    def newest(self, kind: str) -> Iterator[Item]:
        """Every record of a kind, the newest first, read as it is taken."""
        return self._query(_of_kind(kind), ScanIndexForward=False)

    def under_way(self, *kinds: str) -> list[Item]:
        """What has not ended: of the `kinds` named, or runs and sweeps."""
        return [
            item
            for kind in kinds or ("job", "sweep")
            for status in ("pending", "running")
            for item in self._query(_with_status(kind, status))
        ]

    def count_active(self) -> int:
        """How many runs wait or run."""
        return sum(self._count(_with_status("job", status)) for status in ("pending", "running"))

    def _query(self, query: dict[str, Any], **more: Any) -> Iterator[Item]:
        return query_all(self._table, **query, FilterExpression=_IS_OURS, **more)

    def _count(self, query: dict[str, Any]) -> int:
        total = 0
        start: dict[str, Any] = {}
        while True:
            answer = self._table.query(**query, **start, FilterExpression=_IS_OURS, Select="COUNT")
            total += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return total
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    # The trainer's side

    def started(self, job_id: str, attempt: int, run_id: str, params: dict[str, Any], epochs: int) -> None:
        self._record(job_id, attempt, {"run_id": run_id, "params": params, "epochs": epochs, "attempt": attempt})
        self.move(job_id, "running", attempt)

    def progressed(self, job_id: str, attempt: int, epoch: int, metrics: dict[str, float]) -> None:
        """After each epoch; `epoch` counts from 1."""
        self._record(job_id, attempt, {"epoch": epoch, "metrics": metrics})

    def completed(self, job_id: str, attempt: int, metrics: dict[str, float], model_version: int | None) -> None:
        self._record(job_id, attempt, {"metrics": metrics, "model_version": model_version})
        self.move(job_id, "completed", attempt)

    def failed(self, job_id: str, attempt: int, error: str) -> None:
        self.move(job_id, "failed", attempt, {"error": error[:2000]})

    # Batch's side

    def move(self, job_id: str, status: str, attempt: int, extra: Item | None = None) -> bool:
        """Move the status forward; False if the record is already there or further."""
        ended = status in TERMINAL
        order = _ENDED if ended else attempt * 10 + _RANK[status]
        values = {"status": status, "status_order": order, **(extra or {})}
        once = {"started_at": now()} if status == "running" else {}
        if ended:
            once["completed_at"] = now()
        return self._update(job_id, values, once, Attr("status_order").not_exists() | Attr("status_order").lt(order))

    def noted(self, job_id: str, reason: str) -> None:
        """Keep what Batch said of the end (its statusReason), beside what the trainer said."""
        self._update(job_id, {"batch_reason": reason})

    def update(self, job_id: str, values: Item, condition: ConditionBase | None = None) -> bool:
        """Set `values`; with a condition, False if it did not hold."""
        return self._update(job_id, values, condition=condition)

    def choose(self, sweep_id: str, choice: Item) -> bool:
        """Write a sweep's choice of the best run, once; False if it was made before."""
        return self._update(sweep_id, choice, condition=Attr("best_job_id").not_exists())

    def _record(self, job_id: str, attempt: int, values: Item) -> None:
        """Set what an attempt reports, unless a later attempt has reported already."""
        self._update(job_id, values, condition=Attr("attempt").not_exists() | Attr("attempt").lte(attempt))

    def _update(
        self, job_id: str, values: Item, once: Item | None = None, condition: ConditionBase | None = None
    ) -> bool:
        """Change a record that is there; False if there is none, or if `condition` does not hold."""
        given = {name: value for name, value in values.items() if value is not None}
        first = {name: value for name, value in (once or {}).items() if name not in values}
        sets = [f"#{name} = :{name}" for name in given]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        everything = {**given, **first}
        return _holds(
            lambda: self._table.update_item(
                Key={"job_id": job_id},
                UpdateExpression="SET " + ", ".join(sets),
                ExpressionAttributeNames={f"#{name}": name for name in everything},
                ExpressionAttributeValues={f":{name}": to_item(value) for name, value in everything.items()},
                ConditionExpression=_IS_OURS if condition is None else _IS_OURS & condition,
            )
        )


def _holds(write: Callable[[], object]) -> bool:
    """Whether a conditional write's condition held."""
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _of_kind(kind: str) -> dict[str, Any]:
    return {"IndexName": "by_time", "KeyConditionExpression": Key("kind").eq(kind)}


def _with_status(kind: str, status: str) -> dict[str, Any]:
    """A query for the records of one kind in one status; sweeps and runs share the index."""
    condition = Key("status").eq(status) & Key("job_id").begins_with(f"{kind}_")
    return {"IndexName": "by_status", "KeyConditionExpression": condition}


@cache
def _table_of(name: str) -> JobsTable:
    return JobsTable(boto3.resource("dynamodb").Table(name))
