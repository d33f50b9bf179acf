"""The jobs table: what was asked, and how far it is.

Three writers meet in an item: the API (the request), the trainer (run, progress, end) and Batch's events (state).
Events come at least once and in any order, so the status only ever moves forward along (attempt, state), by
conditional update; what the trainer reports is kept whichever of them was first.
"""

import os
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import ClientError

from mlops.errors import NotFound
from mlops.items import Item, decode_cursor, encode_cursor, from_item, now, to_item

COUNTER = "counter"
TERMINAL = ("completed", "failed", "cancelled")
_ENDED = 1_000_000
_RANK = {"pending": 0, "running": 5}


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
        """Write a new record as pending. An event or the trainer may have been first: theirs is kept."""
        self._update(
            item["job_id"],
            {key: value for key, value in item.items() if key != "job_id"},
            once={"created_at": now(), "status": "pending", "status_order": 0, "attempt": 0},
        )

    def submitted(self, job_id: str, batch_job_id: str) -> None:
        self._update(job_id, {"batch_job_id": batch_job_id})

    def delete(self, job_id: str) -> None:
        """Forget a record whose job Batch refused."""
        self._table.delete_item(Key={"job_id": job_id})

    def cancel_requested(self, job_id: str) -> None:
        self._update(job_id, {"cancel_requested": True})

    def get(self, job_id: str) -> Item:
        """Raises NotFound."""
        item = self._table.get_item(Key={"job_id": job_id}, ConsistentRead=True).get("Item")
        if item is None or job_id == COUNTER:
            raise NotFound(f"There is no job {job_id!r}; GET /train/jobs lists them")
        return self._read(item)

    def moved_from(self, job_id: str) -> str | None:
        """Batch's id of the job that was given up for another of the same name, if any."""
        key = {"job_id": job_id}
        item = self._table.get_item(Key=key, ProjectionExpression="moved_from", ConsistentRead=True).get("Item", {})
        moved: str | None = item.get("moved_from")
        return moved

    def get_many(self, job_ids: list[str]) -> list[Item]:
        """The records of `job_ids`, in that order; those not there are left out."""
        client, name = self._table.meta.client, self._table.name
        found: dict[str, Item] = {}
        for start in range(0, len(job_ids), 100):
            keys = [{"job_id": job_id} for job_id in job_ids[start : start + 100]]
            while keys:
                answer = client.batch_get_item(RequestItems={name: {"Keys": keys, "ConsistentRead": True}})
                found |= {item["job_id"]: self._read(item) for item in answer["Responses"].get(name, [])}
                keys = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
        return [found[job_id] for job_id in job_ids if job_id in found]

    def page(
        self, kind: str = "job", status: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Item], int, str | None]:
        """A page of records, newest first: (items, how many there are in all, cursor of the next page)."""
        query = {"IndexName": "by_time", "KeyConditionExpression": Key("kind").eq(kind)}
        if status:
            query = _with_status(kind, status)
        start: dict[str, Any] = {}
        if cursor:
            key = {"job_id": decode_cursor(cursor), **({"status": status} if status else {"kind": kind})}
            start = {"ExclusiveStartKey": key}
        answer = self._table.query(**query, **start, Limit=limit, ScanIndexForward=False)
        last = answer.get("LastEvaluatedKey")
        items = [self._read(item) for item in answer["Items"]]
        return items, self._count(query), encode_cursor(last["job_id"]) if last else None

    def under_way(self) -> list[Item]:
        """Runs and sweeps that were asked for, so have a date, and have not ended."""
        items: list[Item] = []
        for kind in ("job", "sweep"):
            for status in ("pending", "running"):
                cursor = None
                while True:
                    page, _, cursor = self.page(kind, status, 100, cursor)
                    items += [item for item in page if "created_at" in item]
                    if cursor is None:
                        break
        return items

    def count_active(self) -> int:
        """How many runs wait or run."""
        return sum(self._count(_with_status("job", status)) for status in ("pending", "running"))

    def _count(self, query: dict[str, Any]) -> int:
        total = 0
        start: dict[str, Any] = {}
        while True:
            answer = self._table.query(**query, **start, Select="COUNT")
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
        kind = "sweep" if job_id.startswith("sweep_") else "job"
        once = {"kind": kind, **(once or {})}
        once = {name: value for name, value in once.items() if name not in values}
        given = {name: value for name, value in values.items() if value is not None}
        sets = [f"#{name} = :{name}" for name in given] + [
            f"#{name} = if_not_exists(#{name}, :{name})" for name in once
        ]
        everything = {**given, **once}
        arguments: dict[str, Any] = {"ConditionExpression": condition} if condition is not None else {}
        try:
            self._table.update_item(
                Key={"job_id": job_id},
                UpdateExpression="SET " + ", ".join(sets),
                ExpressionAttributeNames={f"#{name}": name for name in everything},
                ExpressionAttributeValues={f":{name}": to_item(value) for name, value in everything.items()},
                **arguments,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    @staticmethod
    def _read(item: Item) -> Item:
        read: Item = from_item(item)
        return read


def _with_status(kind: str, status: str) -> dict[str, Any]:
    """A query for the records of one kind in one status; sweeps and runs share the index."""
    condition = Key("status").eq(status) & Key("job_id").begins_with(f"{kind}_")
    return {"IndexName": "by_status", "KeyConditionExpression": condition}


@cache
def _table_of(name: str) -> JobsTable:
    return JobsTable(boto3.resource("dynamodb").Table(name))
