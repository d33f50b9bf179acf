"""The transitions table: who moved which version where, when and why, and what the gate said. Nothing is deleted."""

import os
import secrets
import time
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import Item, from_item, to_item
from mlops.domain.errors import NotFound
from mlops.domain.pagination import decode_cursor, encode_cursor
from mlops.domain.timestamps import now


def new_transition_id() -> str:
    """Sorts by the time it was made (milliseconds), then at random."""
    return f"tr_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"


class TransitionsTable:
    """Adapter of the DynamoDB table `TRANSITIONS_TABLE` (key `model_name`, `transition_id`).

    Index `by_id` finds a transition by its id alone. The sparse index `by_open` holds those that are not done with:
    still queued, or ended and not yet announced.
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    @classmethod
    def from_environment(cls) -> "TransitionsTable":
        return _table_of(os.environ["TRANSITIONS_TABLE"])

    def create(self, item: Item) -> bool:
        """Record a queued transition; False if one of this id is there already."""
        try:
            self._table.put_item(
                Item=to_item({**item, "status": "queued", "open": "1", "created_at": now()}),
                ConditionExpression=Attr("transition_id").not_exists(),
            )
        except self._refused:
            return False
        return True

    def find(self, transition_id: str) -> Item:
        """Raises NotFound."""
        answer = self._table.query(IndexName="by_id", KeyConditionExpression=Key("transition_id").eq(transition_id))
        if not answer["Items"]:
            raise NotFound(f"There is no transition {transition_id!r}")
        return self.get(answer["Items"][0]["model_name"], transition_id)

    def get(self, model_name: str, transition_id: str) -> Item:
        """Raises NotFound."""
        key = {"model_name": model_name, "transition_id": transition_id}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        if item is None:
            raise NotFound(f"There is no transition {transition_id!r}")
        return self._read(item)

    def exists(self, model_name: str, transition_id: str) -> bool:
        try:
            self.get(model_name, transition_id)
        except NotFound:
            return False
        return True

    def begin(self, model_name: str, transition_id: str) -> Item:
        """Count one more try and return the record. Raises NotFound."""
        try:
            answer = self._table.update_item(
                Key={"model_name": model_name, "transition_id": transition_id},
                UpdateExpression="ADD tries :one",
                ExpressionAttributeValues={":one": 1},
                ConditionExpression=Attr("transition_id").exists(),
                ReturnValues="ALL_NEW",
            )
        except self._refused as error:
            raise NotFound(f"There is no transition {transition_id!r}") from error
        return self._read(answer["Attributes"])

    def finish(self, model_name: str, transition_id: str, status: str, values: Item) -> bool:
        """End a queued transition as succeeded, rejected or failed; False if it has ended before."""
        given = {"status": status, "completed_at": now(), **values}
        return self._set(model_name, transition_id, given, Attr("status").eq("queued"))

    def note(self, model_name: str, transition_id: str, values: Item) -> None:
        """Keep what a step of a queued transition found out, for a later delivery of the same message."""
        self._set(model_name, transition_id, values)

    def close(self, model_name: str, transition_id: str) -> None:
        """The end is written and announced: nothing is left to do."""
        self._table.update_item(
            Key={"model_name": model_name, "transition_id": transition_id},
            UpdateExpression="REMOVE #open",
            ExpressionAttributeNames={"#open": "open"},
        )

    def resent(self, item: Item) -> bool:
        """Count one more sending of a transition's message; False if somebody else was first."""
        before = item.get("resends")
        condition = Attr("resends").not_exists() if before is None else Attr("resends").eq(before)
        values = {"resends": (before or 0) + 1, "resent_at": now()}
        return self._set(item["model_name"], item["transition_id"], values, condition)

    def still_open(self, model_name: str | None = None, until: str = "tr_~") -> list[Item]:
        """What is not done with, of one model or of all, up to and with the id `until`; in the order it was asked for.

        Read from an index, so what was recorded a moment ago may be missing.
        """
        query: dict[str, Any] = {
            "IndexName": "by_open",
            "KeyConditionExpression": Key("open").eq("1") & Key("transition_id").lte(until),
        }
        if model_name is not None:
            query["FilterExpression"] = Attr("model_name").eq(model_name)
        found: list[Item] = []
        while True:
            answer = self._table.query(**query)
            found += [self._read(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _set(self, model_name: str, transition_id: str, values: Item, condition: ConditionBase | None = None) -> bool:
        """Set `values`, those that are None left out; False if the condition did not hold."""
        given = {name: value for name, value in values.items() if value is not None}
        condition = Attr("transition_id").exists() if condition is None else condition
        try:
            self._table.update_item(
                Key={"model_name": model_name, "transition_id": transition_id},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in given),
                ExpressionAttributeNames={f"#{name}": name for name in given},
                ExpressionAttributeValues={f":{name}": to_item(value) for name, value in given.items()},
                ConditionExpression=condition,
            )
        except self._refused:
            return False
        return True

    @property
    def _refused(self) -> type[Exception]:
        """What a write raises whose condition does not hold."""
        refused: type[Exception] = self._table.meta.client.exceptions.ConditionalCheckFailedException
        return refused

    def history(self, model_name: str, limit: int = 50, cursor: str | None = None) -> tuple[list[Item], str | None]:
        """A page of a model's transitions, newest first, and the next page's cursor."""
        start: dict[str, Any] = {}
        if cursor:
            start = {"ExclusiveStartKey": {"model_name": model_name, "transition_id": decode_cursor(cursor)}}
        answer = self._table.query(
            KeyConditionExpression=Key("model_name").eq(model_name), ScanIndexForward=False, Limit=limit, **start
        )
        last = answer.get("LastEvaluatedKey")
        return [self._read(item) for item in answer["Items"]], encode_cursor(last["transition_id"]) if last else None

    @staticmethod
    def _read(item: Item) -> Item:
        read: Item = from_item(item)
        return read


@cache
def _table_of(name: str) -> TransitionsTable:
    return TransitionsTable(boto3.resource("dynamodb").Table(name))
