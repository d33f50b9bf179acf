"""The prediction_stats table: hourly counts of a version's predictions, and its totals.

A piece of counts is added in one transaction with a marker, so that a delivery that comes twice counts once.
"""

import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from botocore.exceptions import ClientError

from mlops.items import Item, from_item
from mlops.prediction_counts import Counts

TOTALS = "totals"
MARKER_SECONDS = 7 * 24 * 3600
NAMES_AN_UPDATE = 200
"""DynamoDB takes at most 300 operators and 4 KB of update expression."""
_RETRYABLE = {
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionInProgressException",
}
_CANCELLED = "TransactionCanceledException"
_KEYS = ("series", "slot", "expires")


@dataclass(frozen=True, order=True)
class Series:
    """Whose counts: a version of a model in a stage; `Series("-", 0, kind)` holds what belongs to no model."""

    model_name: str
    version: int
    stage: str

    @property
    def key(self) -> str:
        return f"{self.model_name}#{self.version}"

    @property
    def total_slot(self) -> str:
        return f"{self.key}/{self.stage}"

    @classmethod
    def parse(cls, total_slot: str) -> "Series":
        key, _, stage = total_slot.rpartition("/")
        name, _, version = key.rpartition("#")
        return cls(name, int(version), stage)


REFUSED, SKIPPED, TRANSITIONS = (Series("-", 0, kind) for kind in ("refused", "skipped", "transitions"))
"""Requests that got no prediction, by status and code; log lines that could not be counted, by reason; transitions of
models by model, stage and outcome."""


def hour_of(seconds: float) -> str:
    """The hour of a Unix time: `2026-01-31T23`, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H")


def hours_before(hour: str, hours: int) -> str:
    return (datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H")


class PredictionStats:
    """Adapter of the DynamoDB table `PREDICTION_STATS_TABLE` (key `series`, `slot`; `expires` is its TTL)."""

    def __init__(self, table: Any, retention_days: int = 100, patience_seconds: float = 40.0) -> None:
        self._table = table
        self._client = table.meta.client
        self._retention = retention_days * 24 * 3600
        self._patience = patience_seconds

    @classmethod
    def from_environment(cls) -> "PredictionStats":
        return _table_of(os.environ["PREDICTION_STATS_TABLE"], int(os.environ.get("STATS_RETENTION_DAYS", "100")))

    def add(
        self, delivery: str, series: Series, hour: str | None, counts: Mapping[str, int], totals: Mapping[str, int]
    ) -> bool:
        """Add `counts` to a series' hour (None: to no hour) and `totals` to its totals; False if this was done before.

        `delivery` names what is counted: the same one is added once to a series and hour. Large updates are split, each
        part with a marker of its own, so that a delivery broken off in the middle can simply be made again.

        Raises:
            ClientError: DynamoDB refuses, or throttles longer than our patience. Nothing is counted twice if the
                delivery is made again.
        """
        added = False
        names = sorted({*counts, *totals})
        for start in range(0, len(names), NAMES_AN_UPDATE):
            part = names[start : start + NAMES_AN_UPDATE]
            marker = hashlib.sha256(f"{delivery}/{series.total_slot}/{hour}/{start}".encode()).hexdigest()
            writes = [self._marker(marker)]
            if hour is not None and (some := {name: counts[name] for name in part if counts.get(name)}):
                writes.append(self._addition(series.key, f"{hour}/{series.stage}", some))
            if some := {name: totals[name] for name in part if totals.get(name)}:
                writes.append(self._addition(TOTALS, series.total_slot, some))
            added |= self._transact(writes)
        return added

    def window(self, series: Series, first: str, last: str | None = None) -> Counts:
        """The sum of a series' counts over the hours `first` to `last`, both included; without `last`, to the end.

        What it costs grows with the hours, not with the predictions.
        """
        total: Counts = Counter()
        for _, counts in self.hours(series, first, last):
            total.update(counts)
        return total

    def hours(self, series: Series, first: str, last: str | None = None) -> Iterator[tuple[str, dict[str, int]]]:
        """A series' counts hour by hour, in order."""
        condition = Key("series").eq(series.key) & Key("slot").between(first, f"{last or '9999'}/~")
        for item in self._query(condition):
            hour, _, stage = item["slot"].partition("/")
            if stage == series.stage:
                yield hour, _numbers(item)

    def totals(self, model_name: str | None = None) -> dict[Series, dict[str, int]]:
        """The counts since ever of each series, of one model or of all that had any within the retention."""
        condition: Any = Key("series").eq(TOTALS)
        if model_name is not None:
            condition &= Key("slot").begins_with(f"{model_name}#")
        return {Series.parse(item["slot"]): _numbers(item) for item in self._query(condition)}

    def _query(self, condition: Any) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            answer = self._table.query(KeyConditionExpression=condition, **start)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _marker(self, marker: str) -> dict[str, Any]:
        item = {"series": f"delivered#{marker}", "slot": "-", "expires": int(time.time()) + MARKER_SECONDS}
        put = {"TableName": self._table.name, "Item": item, "ConditionExpression": "attribute_not_exists(series)"}
        return {"Put": put}

    def _addition(self, series: str, slot: str, counts: Mapping[str, int]) -> dict[str, Any]:
        names, values = list(counts), list(counts.values())
        additions = ",".join(f"#{index} :{index}" for index in range(len(names)))
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": {"series": series, "slot": slot},
                "UpdateExpression": f"ADD {additions} SET expires=:expires",
                "ExpressionAttributeNames": {f"#{index}": name for index, name in enumerate(names)},
                "ExpressionAttributeValues": {
                    **{f":{index}": value for index, value in enumerate(values)},
                    ":expires": int(time.time()) + self._retention,
                },
            }
        }

    def _transact(self, writes: list[dict[str, Any]]) -> bool:
        """False if the marker, which comes first, is there already."""
        deadline, pause = time.monotonic() + self._patience, 0.02
        while True:
            try:
                self._client.transact_write_items(TransactItems=writes)
                return True
            except ClientError as error:
                reasons = _reasons(error)
                if reasons and reasons[0] == "ConditionalCheckFailed":
                    return False
                if not _RETRYABLE.intersection(reasons) or time.monotonic() + pause > deadline:
                    raise
            # Deliveries that met at one item go on at different times.
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2.0, pause * 2)


def _reasons(error: ClientError) -> list[str]:
    code = error.response["Error"]["Code"]
    if code != _CANCELLED:
        return [code]
    response: Mapping[str, Any] = error.response
    return [str(reason.get("Code")) for reason in response.get("CancellationReasons", [])]


def _numbers(item: Item) -> dict[str, int]:
    read = {name: from_item(value) for name, value in item.items() if name not in _KEYS}
    return {name: value for name, value in read.items() if isinstance(value, int)}


def combined(parts: Iterable[Mapping[str, int]]) -> Counts:
    """The sum of several counts."""
    total: Counts = Counter()
    for part in parts:
        total.update(part)
    return total


@cache
def _table_of(name: str, retention_days: int) -> PredictionStats:
    retries = Config(retries={"mode": "standard", "total_max_attempts": 6})
    return PredictionStats(boto3.resource("dynamodb", config=retries).Table(name), retention_days)
