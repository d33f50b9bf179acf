"""A DynamoDB table with plain Python values in and out: what the adapters of single tables are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import boto3
from boto3.dynamodb.conditions import ConditionBase

Item = dict[str, Any]
Key = Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """Some items of a query, and the key after which the next page starts, if there is one."""

    items: list[Item]
    next_key: Item | None


class DynamoTable:
    """Reads and conditional writes of one table. Floats become Decimals on the way in, and back on the way out."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._condition_failed: type[Exception] = table.meta.client.exceptions.ConditionalCheckFailedException

    @property
    def name(self) -> str:
        return str(self._table.name)

    def get(self, key: Key, attributes: Sequence[str] = ()) -> Item | None:
        """Read an item consistently: the whole of it, or the named attributes."""
        projection = {}
        if attributes:
            projection = {
                "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
            }
        answer = self._table.get_item(Key=dict(key), ConsistentRead=True, **projection)
        return from_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """Read items consistently, in no particular order; those that are not there are left out."""
        items: list[Item] = []
        client = self._table.meta.client
        for start in range(0, len(keys), 100):
            pending = [dict(key) for key in keys[start : start + 100]]
            while pending:
                request = {self.name: {"Keys": pending, "ConsistentRead": True}}
                answer = client.batch_get_item(RequestItems=request)
                items += map(from_item, answer["Responses"].get(self.name, []))
                pending = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        return items

    def put(self, item: Item, condition: ConditionBase | None = None) -> bool:
        """Write a whole item, attributes that are None left out; False if the condition did not hold."""
        given = to_item({name: value for name, value in item.items() if value is not None})
        try:
            self._table.put_item(Item=given, **_conditional(condition))
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
        """Change attributes of an item, which is made if it is not there.

        Args:
            key: The item's key.
            values: Attributes to set; those that are None are left as they are.
            once: Attributes to set unless the item has them.
            add: Whole numbers to add to numbers, and texts to add to sets.
            discard: Texts to take out of sets; a set that becomes empty is removed.
            remove: Attributes to remove.
            condition: What must hold of the item as it is.
            returns: Whether to return the whole item, or the changed attributes alone.

        Returns:
            The item as it is afterwards, or None if the condition did not hold.
        """
        given = {name: value for name, value in (values or {}).items() if value is not None}
        first = {name: value for name, value in (once or {}).items() if name not in given}
        sets = [f"#{name} = :{name}" for name in given]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        clauses = {
            "SET": sets,
            "ADD": [f"#{name} :{name}" for name in add or {}],
            "DELETE": [f"#{name} :{name}" for name in discard or {}],
            "REMOVE": [f"#{name}" for name in remove],
        }
        arguments: dict[str, Any] = {
            "UpdateExpression": " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts)
        }
        written = {**given, **first, **(add or {}), **(discard or {})}
        arguments["ExpressionAttributeNames"] = {f"#{name}": name for name in (*written, *remove)}
        if written:
            arguments["ExpressionAttributeValues"] = {f":{name}": to_item(value) for name, value in written.items()}
        try:
            answer = self._table.update_item(
                Key=dict(key), ReturnValues=returns, **arguments, **_conditional(condition)
            )
        except self._condition_failed:
            return None
        item: Item = from_item(answer.get("Attributes", {}))
        return item

    def delete(self, key: Key) -> None:
        """Idempotent."""
        self._table.delete_item(Key=dict(key))

    def query(self, condition: ConditionBase, **request: Any) -> Iterator[Item]:
        """Every item that a key condition selects, page after page, as they are taken."""
        return query_all(self._table, KeyConditionExpression=condition, **request)

    def page(self, condition: ConditionBase, limit: int, start: Key | None = None, **request: Any) -> Page:
        """One page of a query, from after the key `start` on."""
        if start is not None:
            request["ExclusiveStartKey"] = dict(start)
        answer = self._table.query(KeyConditionExpression=condition, Limit=limit, **request)
        return Page(list(map(from_item, answer["Items"])), answer.get("LastEvaluatedKey"))

    def count(self, condition: ConditionBase, **request: Any) -> int:
        """How many items a query has."""
        total = 0
        while True:
            answer = self._table.query(KeyConditionExpression=condition, Select="COUNT", **request)
            total += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return total
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@cache
def table_named(name: str) -> DynamoTable:
    """The table of that name, with one connection an environment."""
    return DynamoTable(boto3.resource("dynamodb").Table(name))


def to_item(value: Any) -> Any:
    """Turn floats into Decimals, as DynamoDB wants them; what it has no number for becomes text: NaN, infinities, and
    magnitudes beyond 1e-130 and 1e126."""
    if isinstance(value, float):
        decimal = Decimal(repr(value))
        representable = decimal.is_finite() and (not decimal or -130 <= decimal.adjusted() <= 125)
        return decimal if representable else str(value)
    if isinstance(value, dict):
        return {key: to_item(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_item(entry) for entry in value]
    return value


def from_item(value: Any) -> Any:
    """Turn Decimals back into int or float: the inverse of `to_item`."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dict):
        return {key: from_item(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [from_item(entry) for entry in value]
    return value


def query_all(table: Any, **request: Any) -> Iterator[Item]:
    """Every item that a table's query selects, as plain values; page after page, as they are taken."""
    while True:
        answer = table.query(**request)
        yield from map(from_item, answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _conditional(condition: ConditionBase | None) -> dict[str, Any]:
    return {} if condition is None else {"ConditionExpression": condition}
