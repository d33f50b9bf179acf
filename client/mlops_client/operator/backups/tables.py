"""The items of the DynamoDB tables, as JSON lines with DynamoDB's types."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_client.errors import MlopsError
from mlops_client.operator import aws
from mlops_client.operator.backups.addresses import Rewriting
from mlops_client.operator.backups.files import KeyOwner, TableFile, json_line, read_lines, write_whole
from mlops_client.operator.backups.stack import StackResources

Item = dict[str, Any]
KEYS, WEBHOOKS, HISTORY = "AccessKeysTable", "WebhooksTable", "GovernanceTable"
NOT_RESTORED = (KEYS, WEBHOOKS)
"""A backup has no values of keys, and neither addresses nor secrets of webhooks: what stands there would not work."""
AS_WRITTEN = (HISTORY, "TransitionsTable")
"""What the hashes of the histories are of. It says where something was, so it keeps the names of then."""
MUST_BE_EMPTY = ("JobsTable", "TransitionsTable", "RolloutsTable", "ConversionsTable", "BatchPredictionsTable")
KEY_CHAIN = "#keys"
"""The history of keys, which a new stack begins by itself. That of the backup goes on instead."""
_AT_ONCE = 25
_ATTEMPTS = 10


class Tables:
    """The tables of a stack."""

    def __init__(self, stack: StackResources) -> None:
        self._stack = stack
        self._dynamodb: Any = aws.session().client("dynamodb")

    def save(self, folder: Path, name: str) -> tuple[TableFile, str]:
        """Write the items of a table that have not expired, and return its file, and the hash of that."""
        file, count = f"tables/{name}.jsonl", 0

        def lines() -> Iterator[bytes]:
            nonlocal count
            expires = self._expiry(name)
            for item in self._items(name):
                if expires is None or float(item.get(expires, {}).get("N", "inf")) > time.time():
                    count += 1
                    yield json_line(_plain(item))

        sha256 = write_whole(folder / file, lines())
        return TableFile(file, count), sha256

    def in_use(self) -> list[str]:
        """Return which of the tables have items that only a stack in use has, for people."""
        found = [f"items in {name}" for name in MUST_BE_EMPTY if next(self._items(name, limit=1), None) is not None]
        if any(item["part"]["S"] != KEY_CHAIN and item["item"]["S"] != KEY_CHAIN for item in self._items(HISTORY)):
            found.append("histories of models")
        return found

    def restore(self, folder: Path, name: str, file: TableFile, rewriting: Rewriting) -> None:
        """Write the items of a table. Can be repeated."""
        if name == HISTORY:
            self._forget_key_chain()
        path = folder / file.file
        batch: list[Item] = []
        with path.open("rb") as lines:
            for line in lines:
                item = _typed(json.loads(line if name in AS_WRITTEN else rewriting.line(line)))
                batch.append({"PutRequest": {"Item": item}})
                if len(batch) == _AT_ONCE:
                    self._write(name, batch)
                    batch = []
        if batch:
            self._write(name, batch)

    def missing(self, folder: Path, name: str, file: TableFile) -> int:
        """Return how many items of a backup a table does not have. What came since is left alone."""
        keys = self._key_names(name)
        there = {_key_of(_plain(item), keys) for item in self._items(name)}
        return sum(_key_of(item, keys) not in there for item in read_lines(folder / file.file))

    def _expiry(self, name: str) -> str | None:
        described = self._dynamodb.describe_time_to_live(TableName=self._stack[name])["TimeToLiveDescription"]
        return described.get("AttributeName") if described.get("TimeToLiveStatus") == "ENABLED" else None

    def _items(self, name: str, limit: int | None = None) -> Iterator[Item]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._stack[name], ConsistentRead=True, PaginationConfig={"MaxItems": limit}
        )
        for page in pages:
            yield from page["Items"]

    def _key_names(self, name: str) -> list[str]:
        schema = self._dynamodb.describe_table(TableName=self._stack[name])["Table"]["KeySchema"]
        return [each["AttributeName"] for each in schema]

    def _forget_key_chain(self) -> None:
        """Remove the history of keys that the new stack has begun."""
        own = [item for item in self._items(HISTORY) if KEY_CHAIN in (item["part"]["S"], item["item"]["S"])]
        keys = self._key_names(HISTORY)
        requests = [{"DeleteRequest": {"Key": {key: item[key] for key in keys}}} for item in own]
        for start in range(0, len(requests), _AT_ONCE):
            self._write(HISTORY, requests[start : start + _AT_ONCE])

    def _write(self, name: str, requests: list[Item]) -> None:
        """Send requests, and those again that DynamoDB has not carried out. Raises MlopsError."""
        pending = {self._stack[name]: requests}
        for attempt in range(_ATTEMPTS):
            pending = self._dynamodb.batch_write_item(RequestItems=pending).get("UnprocessedItems", {})
            if not pending:
                return
            time.sleep(0.1 * 2**attempt)
        raise MlopsError(f"DynamoDB does not take the items of {name} fast enough: restore again, which goes on")


def owners(folder: Path, file: TableFile) -> list[KeyOwner]:
    """Return the API keys that a backup has the records of."""
    found = []
    for item in read_lines(folder / file.file):
        name = item["name"]["S"]
        models = [each["S"] for each in item.get("models", {}).get("L", [])] or ["*"]
        found.append(KeyOwner(name, item.get("owner", item["name"])["S"], item["role"]["S"], models))
    return sorted(found, key=lambda key: key.name)


def hosts(folder: Path, file: TableFile) -> list[str]:
    """Return the hosts of the webhooks that a backup has the records of."""
    return sorted(item["host"]["S"] for item in read_lines(folder / file.file) if item["series"]["S"] == "webhooks")


def _key_of(item: Item, keys: list[str]) -> str:
    return str([item[key] for key in keys])


def _plain(value: Any) -> Any:
    """Return an item with its bytes as base64, as DynamoDB's own JSON has them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _typed(value: Any) -> Any:
    """Return what `_plain` got."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((kind, content),) = value.items()
            if kind == "B" and isinstance(content, str):
                return {kind: base64.b64decode(content)}
            if kind == "BS" and isinstance(content, list):
                return {kind: [base64.b64decode(entry) for entry in content]}
        return {key: _typed(entry) for key, entry in value.items()}
    return [_typed(entry) for entry in value] if isinstance(value, list) else value
