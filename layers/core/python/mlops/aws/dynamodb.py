"""A DynamoDB table with plain Python values. The adapters of single tables use it."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import boto3
from boto3.dynamodb.conditions import Attr, ConditionBase
from botocore.config import Config
from botocore.exceptions import ClientError

from mlops.aws.dynamodb_requests import Delete, Item, Key, Put, Update, Write, from_item
from mlops.aws.transient import CONDITION_FAILED, NOT_DONE, error_codes

MAX_KEY_BYTES = 1024
"""Of a sort key; DynamoDB refuses a request with a longer one."""
_PUTS_PER_REQUEST = 25
MAX_WAIT_SECONDS = 40.0
"""For a throttled or conflicting write."""


@dataclass(frozen=True)
class Page:
    """Items of a query, and the key after which the next page starts, if there is one."""

    items: list[Item]
    next_key: Item | None


class DynamoTable:
    """Reads and conditional writes of one table. Floats are converted to Decimals, and back."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._condition_failed: type[Exception] = table.meta.client.exceptions.ConditionalCheckFailedException

    @property
    def name(self) -> str:
        return str(self._table.name)

    def get(self, key: Key, attributes: Sequence[str] = ()) -> Item | None:
        """Read an item consistently, with all or the named attributes."""
        answer = self._table.get_item(Key=dict(key), ConsistentRead=True, **_projection(attributes))
        return from_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key], attributes: Sequence[str] = ()) -> list[Item]:
        """Read items consistently, with all or the named attributes, in no order. Missing ones are left out."""
        items: list[Item] = []
        client = self._table.meta.client
        for start in range(0, len(keys), 100):
            pending = [dict(key) for key in keys[start : start + 100]]
            while pending:
                request = {self.name: {"Keys": pending, "ConsistentRead": True, **_projection(attributes)}}
                answer = client.batch_get_item(RequestItems=request)
                items += map(from_item, answer["Responses"].get(self.name, []))
                pending = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        return items

    def put_many(self, items: Iterable[Item], max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        """Write items of different keys, in place of what is there.

        Raises:
            ClientError: DynamoDB refuses.
            TimeoutError: It throttles for longer than `max_wait_seconds`. Some of the items are written.
        """
        requests = [{"PutRequest": Put(item).request()} for item in items]
        wait = _Waiting(max_wait_seconds)
        while requests:
            part, requests = requests[:_PUTS_PER_REQUEST], requests[_PUTS_PER_REQUEST:]
            answer = self._table.meta.client.batch_write_item(RequestItems={self.name: part})
            left = answer.get("UnprocessedItems", {}).get(self.name, [])
            if left and not wait.once():
                raise TimeoutError(f"{len(left) + len(requests)} items could not be written to {self.name}")
            requests = left + requests

    def put(self, item: Item, condition: ConditionBase | None = None) -> bool:
        """Write an item, as described at `Put`; False if the condition did not hold."""
        try:
            self._table.put_item(**Put(item, condition).request())
        except self._condition_failed:
            return False
        return True

    def update(
        self,
        key: Key,
        values: Mapping[str, Any] | None = None,
        *,
        once: Mapping[str, Any] | None = None,
        add: Mapping[str, int | set[str]] | None = None,
        discard: Mapping[str, set[str]] | None = None,
        remove: Sequence[str] = (),
        condition: ConditionBase | None = None,
        returns: Literal["ALL_NEW", "UPDATED_NEW"] = "ALL_NEW",
    ) -> Item | None:
        """Change attributes of an item, as described at `Update`.

        Args:
            returns: Whether to return the whole item, or the changed attributes alone.

        Returns:
            The item after the change, or None if the condition did not hold.
        """
        update = Update(key, values or {}, once or {}, add or {}, discard or {}, remove, condition)
        try:
            answer = self._table.update_item(ReturnValues=returns, **update.request())
        except self._condition_failed:
            return None
        item: Item = from_item(answer.get("Attributes", {}))
        return item

    def transact(self, writes: Iterable[Write]) -> None:
        """Carry out writes of different items, all of them or none.

        Raises:
            ClientError: DynamoDB refused. `transient.error_codes` has the reason of each write.
        """
        requests = [{type(write).__name__: {"TableName": self.name, **write.request()}} for write in writes]
        self._table.meta.client.transact_write_items(TransactItems=requests)

    def transact_if(self, writes: Sequence[Write], max_wait_seconds: float = MAX_WAIT_SECONDS) -> bool:
        """Carry out writes of different items if all their conditions hold; otherwise do nothing and return False.

        Raises:
            ClientError: DynamoDB refuses, or throttles for longer than `max_wait_seconds`. Nothing is done.
        """
        wait = _Waiting(max_wait_seconds)
        while True:
            try:
                self.transact(writes)
                return True
            except ClientError as error:
                codes = error_codes(error)
                if CONDITION_FAILED in codes:
                    return False
                if NOT_DONE.isdisjoint(codes) or not wait.once():
                    raise

    def delete(self, key: Key, condition: ConditionBase | None = None) -> bool:
        """Delete an item. Idempotent; False if the condition did not hold."""
        try:
            self._table.delete_item(**Delete(key, condition).request())
        except self._condition_failed:
            return False
        return True

    def take(self, key: Key, condition: ConditionBase) -> Item | None:
        """Delete an item and return it as it was, or None if the condition did not hold: of several callers, one."""
        try:
            answer = self._table.delete_item(ReturnValues="ALL_OLD", **Delete(key, condition).request())
        except self._condition_failed:
            return None
        item: Item = from_item(answer["Attributes"])
        return item

    def query(self, condition: ConditionBase, **request: Any) -> Iterator[Item]:
        """Iterate over the items of a key condition, and read pages on demand."""
        while True:
            answer = self._table.query(KeyConditionExpression=condition, **request)
            yield from map(from_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def scan(self) -> Iterator[Item]:
        """Iterate over all items of a small table, as they are now, and read pages on demand."""
        request: dict[str, Any] = {"ConsistentRead": True}
        while True:
            answer = self._table.scan(**request)
            yield from map(from_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def page(self, condition: ConditionBase, limit: int, start: Key | None = None, **request: Any) -> Page:
        """Return one page of a query, from after the key `start` on."""
        if start is not None:
            request["ExclusiveStartKey"] = dict(start)
        answer = self._table.query(KeyConditionExpression=condition, Limit=limit, **request)
        return Page(list(map(from_item, answer["Items"])), answer.get("LastEvaluatedKey"))

    def count(self, condition: ConditionBase, **request: Any) -> int:
        """Return how many items a query selects."""
        total = 0
        while True:
            answer = self._table.query(KeyConditionExpression=condition, Select="COUNT", **request)
            total += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return total
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


class _Waiting:
    """Pauses between tries, of random lengths, so that writers that conflict try again at different times."""

    def __init__(self, seconds: float) -> None:
        self._deadline, self._pause = time.monotonic() + seconds, 0.02

    def once(self) -> bool:
        """Wait; False if there is no time left for it."""
        if time.monotonic() + self._pause > self._deadline:
            return False
        time.sleep(self._pause * random.uniform(0.5, 1.5))
        self._pause = min(2.0, self._pause * 2)
        return True


@cache
def table_named(name: str, attempts: int | None = None) -> DynamoTable:
    """Return the table of that name, with one connection per environment.

    Args:
        name: The table's name.
        attempts: How often the client tries a request. By default boto3's number for DynamoDB.
    """
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}) if attempts else None
    return DynamoTable(boto3.resource("dynamodb", config=config).Table(name))


def named(attribute: str, patterns: Sequence[str]) -> ConditionBase | None:
    """Return the condition that an attribute, if there is one, has a name of these patterns; None if all names do.

    A pattern is a name, or the beginning of names followed by `*`.
    """
    if "*" in patterns:
        return None
    condition: ConditionBase = Attr(attribute).not_exists()
    for pattern in patterns:
        whole = Attr(attribute)
        condition |= whole.begins_with(pattern[:-1]) if pattern.endswith("*") else whole.eq(pattern)
    return condition


def _projection(attributes: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of a read that limit its answer to these attributes; none if there are none."""
    if not attributes:
        return {}
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
    }
