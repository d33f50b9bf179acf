"""The prediction_stats table: hourly counts of a version's predictions, and its totals.

Counts are added in one transaction with markers of what they are of, so that what comes twice counts once.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config
from botocore.exceptions import ClientError

from mlops.aws.dynamodb import Item, query_all
from mlops.aws.transient import NOT_DONE, error_codes
from mlops.domain.drift.counts import Counts

TOTALS = "totals"
MARKER_SECONDS = 16 * 24 * 3600
"""Longer than a log line can be delivered again: CloudWatch Logs and the dead-letter queue keep it for 14 days."""
ITEMS_PER_TRANSACTION = 100
NAMES_PER_UPDATE = 250
"""DynamoDB takes at most 300 operators and 4 KB of update expression. A line of a hundred images has 236 names."""
_KEYS = ("series", "slot", "expires")
_MARKED = "marker#"


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
        """Raises ValueError for a slot that is named in another way."""
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


Hours = Mapping[tuple[Series, str], Mapping[str, int]]
Totals = Mapping[Series, Mapping[str, int]]


@dataclass(frozen=True)
class Marker:
    """Says that something was counted, for MARKER_SECONDS: one of a group, at its `slot`; `content` is the writer's."""

    group: str
    slot: str = "-"
    content: bytes = b""


def fits(markers: Collection[Marker], hours: Hours, totals: Totals) -> bool:
    """Whether DynamoDB takes so much in one transaction."""
    updates = [*hours.values(), *totals.values()]
    names = max(map(len, updates), default=0)
    return len(markers) + len(updates) <= ITEMS_PER_TRANSACTION and names <= NAMES_PER_UPDATE


class PredictionStats:
    """Adapter of the DynamoDB table `PREDICTION_STATS_TABLE` (key `series`, `slot`; `expires` is its TTL)."""

    def __init__(self, table: Any, retention_days: int = 100, max_wait_seconds: float = 40.0) -> None:
        self._table = table
        self._client = table.meta.client
        self._retention = retention_days * 24 * 3600
        self._max_wait = max_wait_seconds

    @classmethod
    def from_environment(cls) -> "PredictionStats":
        return _table_of(os.environ["PREDICTION_STATS_TABLE"], int(os.environ.get("STATS_RETENTION_DAYS", "100")))

    def add(self, markers: Collection[Marker], hours: Hours, totals: Totals) -> bool:
        """Add counts to hours of series and to totals, all or nothing; False if one of the markers is there already.

        They must fit a transaction (`fits`).

        Raises:
            ClientError: DynamoDB refuses, or throttles for longer than `max_wait_seconds`. Nothing is counted twice if
                the same markers come again.
        """
        writes = [self._marker(marker) for marker in markers]
        for (series, hour), counts in hours.items():
            writes += self._addition(series.key, f"{hour}/{series.stage}", counts)
        for series, counts in totals.items():
            writes += self._addition(TOTALS, series.total_slot, counts)
        return self._transact(writes)

    def markers(self, group: str) -> list[Marker]:
        """The markers of a group in the order of their slots, those just written included."""
        condition = Key("series").eq(_MARKED + group)
        items = query_all(self._table, KeyConditionExpression=condition, ConsistentRead=True)
        return [Marker(group, item["slot"], item["content"].value) for item in items]

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
        for item in query_all(self._table, KeyConditionExpression=condition):
            hour, _, stage = item["slot"].partition("/")
            if stage == series.stage:
                yield hour, _numbers(item)

    def totals(self, model_name: str | None = None) -> dict[Series, dict[str, int]]:
        """The counts since ever of each series, of one model or of all that had any within the retention. What a later
        version of the platform keeps beside them, under names of another form, is passed over."""
        condition: Any = Key("series").eq(TOTALS)
        if model_name is not None:
            condition &= Key("slot").begins_with(f"{model_name}#")
        found = {}
        for item in query_all(self._table, KeyConditionExpression=condition):
            with suppress(ValueError):
                found[Series.parse(item["slot"])] = _numbers(item)
        return found

    def _marker(self, marker: Marker) -> dict[str, Any]:
        item = {
            "series": _MARKED + marker.group,
            "slot": marker.slot,
            "content": marker.content,
            "expires": int(time.time()) + MARKER_SECONDS,
        }
        put = {"TableName": self._table.name, "Item": item, "ConditionExpression": "attribute_not_exists(series)"}
        return {"Put": put}

    def _addition(self, series: str, slot: str, counts: Mapping[str, int]) -> Iterator[dict[str, Any]]:
        added = {name: value for name, value in counts.items() if value}
        if not added:
            return
        additions = ",".join(f"#{index} :{index}" for index in range(len(added)))
        yield {
            "Update": {
                "TableName": self._table.name,
                "Key": {"series": series, "slot": slot},
                "UpdateExpression": f"ADD {additions} SET expires=:expires",
                "ExpressionAttributeNames": {f"#{index}": name for index, name in enumerate(added)},
                "ExpressionAttributeValues": {
                    **{f":{index}": value for index, value in enumerate(added.values())},
                    ":expires": int(time.time()) + self._retention,
                },
            }
        }

    def _transact(self, writes: list[dict[str, Any]]) -> bool:
        """False if a condition failed, and those are the markers'."""
        deadline, pause = time.monotonic() + self._max_wait, 0.02
        while True:
            try:
                self._client.transact_write_items(TransactItems=writes)
                return True
            except ClientError as error:
                codes = error_codes(error)
                if "ConditionalCheckFailed" in codes:
                    return False
                if NOT_DONE.isdisjoint(codes) or time.monotonic() + pause > deadline:
                    raise
            # Deliveries that met at one item go on at different times.
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2.0, pause * 2)


def _numbers(item: Item) -> dict[str, int]:
    """Counts are numbers; what else a later version of the platform keeps in an item is passed over."""
    return {name: value for name, value in item.items() if name not in _KEYS and type(value) in (int, float)}


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
