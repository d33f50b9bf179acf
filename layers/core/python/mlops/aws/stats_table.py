"""The prediction_stats table: hourly counts of a version's predictions, and its totals.

One transaction adds counts and a marker of what was counted, so that a repetition does not count again.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.column_counts import GENERATION, NEW_DELTAS, ColumnCounts, Generation
from mlops.aws.dynamodb import MAX_WAIT_SECONDS, DynamoTable, table_named
from mlops.aws.dynamodb_requests import Item, Put, Update
from mlops.domain.drift.column_counts import ByLayout
from mlops.domain.drift.counts import Counts
from mlops.domain.drift.series import Series as Series
from mlops.settings import Settings

TOTALS = "totals"
MARKER_SECONDS = 16 * 24 * 3600
"""Longer than a log line can be delivered again: CloudWatch Logs and the dead-letter queue keep lines for 14 days."""
ITEMS_PER_TRANSACTION = 100
NAMES_PER_UPDATE = 250
"""DynamoDB takes at most 300 operators and 4 KB of update expression. A line of a hundred images has 247 names."""
_NO_COUNTS = ("series", "slot", "expires", GENERATION, NEW_DELTAS)
_MARKED = "marker#"
_ROLLOUT = "rollout#"
_CLIENT_ATTEMPTS = 6
"""Fewer than boto3's default, because `PredictionStats.add` itself tries again, as long as a delivery may wait."""
_DAY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class StatsSettings(Settings):
    """Settings: the table of counts and drift records, and how many days it keeps them."""

    prediction_stats_table: str
    stats_retention_days: int = 100

    @property
    def retention_seconds(self) -> int:
        return self.stats_retention_days * _DAY_SECONDS


REFUSED, SKIPPED, TRANSITIONS = (Series("-", 0, kind) for kind in ("refused", "skipped", "transitions"))
"""Requests that got no prediction, by status and code; log lines that could not be counted, by reason; transitions of
models by model, stage and outcome."""


def hour_of(seconds: float) -> str:
    """Return the hour of a Unix time in UTC, such as `2026-01-31T23`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H")


def hours_before(hour: str, hours: int) -> str:
    return (datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H")


Hours = Mapping[tuple[Series, str], Mapping[str, int]]
Totals = Mapping[Series, Mapping[str, int]]
Columns = Mapping[tuple[Series, str], ByLayout]
Rollouts = Mapping[tuple[str, int], Mapping[str, int]]
"""Counts of a rollout's requests, by its id and phase."""


@dataclass(frozen=True)
class Marker:
    """A record of something that was counted. It has a `slot` in a group and any `content`, and expires after
    MARKER_SECONDS."""

    group: str
    slot: str = "-"
    content: bytes = b""


def fits(
    markers: Collection[Marker],
    hours: Hours,
    totals: Totals,
    columns: Columns | None = None,
    rollouts: Rollouts | None = None,
) -> bool:
    """Return whether DynamoDB accepts this much in one transaction."""
    updates = [*hours.values(), *totals.values(), *(rollouts or {}).values()]
    names = max(map(len, updates), default=0)
    return len(markers) + len(updates) + len(columns or ()) <= ITEMS_PER_TRANSACTION and names <= NAMES_PER_UPDATE


class PredictionStats:
    """Adapter of the DynamoDB table `PREDICTION_STATS_TABLE` (key `series`, `slot`; `expires` is its TTL)."""

    def __init__(
        self,
        table: DynamoTable,
        retention_seconds: int = 100 * _DAY_SECONDS,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> None:
        self._table = table
        self._retention = retention_seconds
        self._max_wait = max_wait_seconds
        self.columns = ColumnCounts(table, retention_seconds)

    @classmethod
    def from_environment(cls) -> "PredictionStats":
        settings = StatsSettings.from_environment()
        return cls(table_named(settings.prediction_stats_table, _CLIENT_ATTEMPTS), settings.retention_seconds)

    def add(
        self,
        markers: Collection[Marker],
        hours: Hours,
        totals: Totals,
        columns: Columns | None = None,
        rollouts: Rollouts | None = None,
    ) -> bool:
        """Add counts to hours of series, to totals and to rollouts, all or nothing. `columns` are of some of these
        hours.

        They must fit into one transaction (`fits`).

        Returns:
            False if nothing was added, because one of the markers already exists, or because the generation of an
            hour's columns has just changed.

        Raises:
            ClientError: DynamoDB refuses, or throttles for longer than `max_wait_seconds`. The call can be repeated
            with the same markers.
        """
        columns = columns or {}
        generations = {place: self.columns.generation(*place) for place in columns}
        writes: list[Put | Update] = [self._marker(marker) for marker in markers]
        for (series, hour), counts in hours.items():
            writes += self._addition(series.key, f"{hour}/{series.stage}", counts, generations.get((series, hour)))
        for series, counts in totals.items():
            writes += self._addition(TOTALS, series.total_slot, counts)
        for (rollout_id, phase), counts in (rollouts or {}).items():
            writes += self._addition(_ROLLOUT + rollout_id, f"{phase:03}", counts)
        name = " ".join(f"{marker.group} {marker.slot}" for marker in markers)
        for place, by_layout in columns.items():
            writes.append(self.columns.delta(*place, generations[place], name, by_layout))
        if not self._table.transact_if(writes, self._max_wait):
            return False
        for place, generation in generations.items():
            if generation.is_full:
                self.columns.fold(*place, generation)
        return True

    def markers(self, group: str) -> list[Marker]:
        """Return the markers of a group in the order of their slots, including those just written."""
        condition = Key("series").eq(_MARKED + group)
        items = self._table.query(condition, ConsistentRead=True)
        return [Marker(group, item["slot"], item["content"].value) for item in items]

    def rollout(self, rollout_id: str) -> dict[int, dict[str, int]]:
        """Return the counts of a rollout's requests by phase, including those just written."""
        items = self._table.query(Key("series").eq(_ROLLOUT + rollout_id), ConsistentRead=True)
        return {int(item["slot"]): _numbers(item) for item in items}

    def window(self, series: Series, first: str, last: str | None = None) -> Counts:
        """Return the sum of a series' counts from the hour `first` to `last`, both included; without `last`, to the
        end.

        The cost depends on the number of hours, not of predictions.
        """
        total: Counts = Counter()
        for _, counts in self.hours(series, first, last):
            total.update(counts)
        return total

    def hours(self, series: Series, first: str, last: str | None = None) -> Iterator[tuple[str, dict[str, int]]]:
        """Yield a series' counts for each hour, in order."""
        condition = Key("series").eq(series.key) & Key("slot").between(first, f"{last or '9999'}/~")
        for item in self._table.query(condition):
            hour, _, stage = item["slot"].partition("/")
            if stage == series.stage:
                yield hour, _numbers(item)

    def totals(self, model_name: str | None = None) -> dict[Series, dict[str, int]]:
        """Return the lifetime counts of each series of one model, or of all models with counts within the retention
        time.

        Items with names of another form, which a later version of the platform may write, are ignored.
        """
        condition: ConditionBase = Key("series").eq(TOTALS)
        if model_name is not None:
            condition &= Key("slot").begins_with(f"{model_name}#")
        totals = {}
        for item in self._table.query(condition):
            with suppress(ValueError):
                totals[Series.parse(item["slot"])] = _numbers(item)
        return totals

    def _marker(self, marker: Marker) -> Put:
        item = {
            "series": _MARKED + marker.group,
            "slot": marker.slot,
            "content": marker.content,
            "expires": int(time.time()) + MARKER_SECONDS,
        }
        return Put(item, Attr("series").not_exists())

    def _addition(
        self, series: str, slot: str, counts: Mapping[str, int], generation: Generation | None = None
    ) -> Iterator[Update]:
        """Yield the update of an item, if there is something to add. `generation` is that of a delta beside it."""
        added = {name: value for name, value in counts.items() if value}
        condition = None
        if generation is not None:
            added[NEW_DELTAS] = 1
            condition = generation.unchanged
        if added:
            expires = int(time.time()) + self._retention
            yield Update({"series": series, "slot": slot}, {"expires": expires}, add=added, condition=condition)


def _numbers(item: Item) -> dict[str, int]:
    """Return an item's counts, which are numbers. Other values, which a later version may write, are ignored."""
    return {name: value for name, value in item.items() if name not in _NO_COUNTS and type(value) in (int, float)}


def combined(parts: Iterable[Mapping[str, int]]) -> Counts:
    """Return the sum of several counts."""
    total: Counts = Counter()
    for part in parts:
        total.update(part)
    return total
