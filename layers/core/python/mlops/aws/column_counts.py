"""The counts of columns in the prediction_stats table: each delivery's in an item of its own, and their sums by hour.

An hour's item has a number, its `generation`. A delivery's item (a delta) carries it, and is written in one transaction
with the delivery's other counts, on the condition that the generation is still the hour's. After `DELTAS` of them the
next generation begins. From then on the deltas of the former one do not change, so their sum can be added to the hour's
total again and again, if a process dies in between, and counts once: the total says up to which generation it goes.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Item, Put
from mlops.domain.drift.column_counts import ByLayout, packed, together, unpacked
from mlops.domain.drift.series import Series

GENERATION, NEW_DELTAS = "generation", "deltas"
"""Attributes of an hour's item: its generation, and how many deltas this generation has."""
DELTAS = 50
"""A query reads about so many items beside the hours' totals, however many deliveries there are."""
DELTA_SECONDS = 16 * 24 * 3600
"""A query looks back over 14 days at most, so it sees those that nobody has added up."""


@dataclass(frozen=True)
class Generation:
    """The generation of an hour, and how many deltas it has."""

    number: int = 0
    deltas: int = 0

    @classmethod
    def of(cls, hour: Item) -> "Generation":
        """Read an hour's item."""
        return cls(int(hour.get(GENERATION, 0)), int(hour.get(NEW_DELTAS, 0)))

    @property
    def unchanged(self) -> ConditionBase:
        """The condition on the hour's item that this is its generation."""
        generation = Attr(GENERATION)
        return generation.eq(self.number) if self.number else generation.not_exists()

    @property
    def is_full(self) -> bool:
        return self.deltas >= DELTAS


@dataclass(frozen=True)
class _Total:
    """The sum of an hour's deltas up to the generation `through`, which is -1 if there is none."""

    through: int
    counts: ByLayout


class ColumnCounts:
    """Adapter of the parts of the table `PREDICTION_STATS_TABLE` that have counts of columns."""

    def __init__(self, table: DynamoTable, retention_seconds: int) -> None:
        self._table, self._retention = table, retention_seconds

    def generation(self, series: Series, hour: str) -> Generation:
        """Return the present generation of an hour."""
        condition = Key("series").eq(series.key) & Key("slot").eq(_slot(series, hour))
        return next(map(Generation.of, self._table.query(condition, ConsistentRead=True)), Generation())

    def delta(self, series: Series, hour: str, generation: Generation, name: str, counts: ByLayout) -> Put:
        """Return the write of a delivery's counts. `name` is unique among deliveries."""
        digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
        return Put(
            {
                "series": _deltas(series, hour),
                "slot": f"{generation.number:06}#{digest}",
                "counts": _packed(counts),
                "expires": int(time.time()) + DELTA_SECONDS,
            }
        )

    def fold(self, series: Series, hour: str, generation: Generation) -> None:
        """Begin the next generation of an hour, and add the deltas of this one and of former ones to the total.

        Can be repeated at any time, also by several processes at once: each generation counts once.
        """
        self._table.update(
            {"series": series.key, "slot": _slot(series, hour)},
            {GENERATION: generation.number + 1, NEW_DELTAS: 0},
            condition=generation.unchanged,
        )
        while (total := self._total(series, hour)).through < generation.number:
            number = total.through + 1
            counts = together([total.counts, *self._of_deltas(series, hour, number, number)])
            before = Attr("through").eq(total.through) if number else Attr("through").not_exists()
            item = {
                "series": _totals(series),
                "slot": _slot(series, hour),
                "through": number,
                "counts": _packed(counts),
                "expires": int(time.time()) + self._retention,
            }
            self._table.put(item, before)  # if another process was faster, its total is read next

    def fold_past(self, series: Series, first: str, last: str) -> None:
        """Fold the hours from `first` to `last`, both included, that have deltas."""
        for hour, generation in self._generations(series, first, last):
            if generation.deltas:
                self.fold(series, hour, generation)

    def hours(self, series: Series, first: str, last: str | None = None) -> Iterator[tuple[str, ByLayout]]:
        """Yield the counts of each hour that has some, in order; without `last`, to the end."""
        condition = Key("series").eq(_totals(series)) & _between(first, last)
        totals = {item["slot"]: _total(item) for item in self._table.query(condition)}
        for hour, generation in self._generations(series, first, last):
            total = totals.get(_slot(series, hour), _Total(-1, {}))
            parts = [total.counts]
            if generation.deltas or total.through + 1 < generation.number:
                parts += self._of_deltas(series, hour, total.through + 1)
            if counts := together(parts):
                yield hour, counts

    def window(self, series: Series, first: str, last: str | None = None) -> dict[str, list[int]]:
        """Return the sums of the hours from `first` to `last`, by layout."""
        return together(counts for _, counts in self.hours(series, first, last))

    def _generations(self, series: Series, first: str, last: str | None) -> Iterator[tuple[str, Generation]]:
        for item in self._table.query(Key("series").eq(series.key) & _between(first, last)):
            hour, _, stage = item["slot"].partition("/")
            if stage == series.stage:
                yield hour, Generation.of(item)

    def _total(self, series: Series, hour: str) -> _Total:
        condition = Key("series").eq(_totals(series)) & Key("slot").eq(_slot(series, hour))
        return next(map(_total, self._table.query(condition, ConsistentRead=True)), _Total(-1, {}))

    def _of_deltas(self, series: Series, hour: str, first: int, last: int = 999_999) -> Iterable[ByLayout]:
        condition = Key("series").eq(_deltas(series, hour)) & Key("slot").between(f"{first:06}", f"{last:06}~")
        return map(_counts, self._table.query(condition, ConsistentRead=True))


def _slot(series: Series, hour: str) -> str:
    return f"{hour}/{series.stage}"


def _totals(series: Series) -> str:
    return f"columns#{series.key}"


def _deltas(series: Series, hour: str) -> str:
    return f"deltas#{series.key}#{_slot(series, hour)}"


def _between(first: str, last: str | None) -> ConditionBase:
    return Key("slot").between(first, f"{last or '9999'}/~")


def _packed(counts: ByLayout) -> dict[str, bytes]:
    return {layout: packed(numbers) for layout, numbers in counts.items()}


def _counts(item: Item) -> ByLayout:
    stored: dict[str, Any] = item["counts"]
    return {layout: unpacked(numbers.value) for layout, numbers in stored.items()}


def _total(item: Item) -> _Total:
    return _Total(int(item["through"]), _counts(item))
