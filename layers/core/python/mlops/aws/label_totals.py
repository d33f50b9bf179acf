"""The totals of labels in the feedback table: by version and hour of the prediction, over a version's life, and of the
rows that both versions of a rollout have answered, by its phase."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.dynamodb_requests import Item, Put, Update
from mlops.domain.feedback.outcome import KEPT, LIFETIME, Totals

_LIFETIME = "lifetime"
_TRIAL = "trial"


@dataclass(frozen=True)
class Counted:
    """What a label has added, and to which totals. `trial` is what it has added to a rollout's phase."""

    version: int
    hour: str
    totals: Mapping[str, int]
    trial: tuple[str, int, Mapping[str, int]] | None = None

    def to_item(self) -> dict[str, str]:
        """Return the attributes of the label's item. A version of the platform without rollouts reads the first one."""
        marks = {"counted": _packed([self.version, self.hour, self.totals])}
        return marks if self.trial is None else {**marks, _TRIAL: _packed(self.trial)}

    @classmethod
    def of(cls, item: Item) -> "Counted":
        """Read what `to_item` returned."""
        version, hour, totals = json.loads(item["counted"])
        return cls(version, hour, totals, tuple(json.loads(item[_TRIAL])) if _TRIAL in item else None)


class LabelTotals:
    """Adapter of the totals in the table `FEEDBACK_TABLE`.

    Args:
        table: The table.
        retention_seconds: How long totals are kept.
        waiting_seconds: How long it is kept how many labels of an hour wait.
    """

    def __init__(self, table: DynamoTable, retention_seconds: int, waiting_seconds: int) -> None:
        self._table, self._retention, self._waiting = table, retention_seconds, waiting_seconds

    def hours(self, model_name: str, version: int, first: str) -> Iterator[tuple[str, Totals]]:
        """Yield the totals of a version for each hour of predictions from `first` on that has labels, in order."""
        condition = Key("series").eq(_totals(model_name, version)) & Key("slot").gte(first)
        for item in self._table.query(condition):
            yield item["slot"], _numbers(item)

    def rollout(self, rollout_id: str) -> dict[int, Totals]:
        """Return what the labels of rows that both versions of a rollout have answered say, by its phase."""
        items = self._table.query(Key("series").eq(_rollout(rollout_id)), ConsistentRead=True)
        return {int(item["slot"]): _numbers(item) for item in items}

    def lifetime(self, model_name: str | None = None) -> dict[tuple[str, int], Totals]:
        """Return the totals over the life of each version of one model, or of all models, within the retention time."""
        condition: ConditionBase = Key("series").eq(_LIFETIME)
        if model_name is not None:
            condition &= Key("slot").begins_with(f"{model_name}#")
        totals = {}
        for item in self._table.query(condition):
            name, _, version = item["slot"].rpartition("#")
            totals[name, int(version)] = _numbers(item)
        return totals

    def waiting(self, model_name: str, since: str) -> tuple[int, int]:
        """Return how many labels wait for their prediction: those that came since the hour, and those before it."""
        recent = older = 0
        for item in self._table.query(Key("series").eq(_waiting(model_name))):
            number = int(item.get("parked", 0)) - int(item.get("joined", 0))
            if item["expires"] > time.time():
                recent, older = (recent + number, older) if item["slot"] >= since else (recent, older + number)
        return recent, older

    def count_kept(self, model_name: str, version: int, hour: str, batch_id: str, rows: int) -> None:
        """Count the answers of a batch prediction as predictions that wait for labels. Of several calls, one does."""
        mark = {"series": f"batch#{batch_id}", "slot": KEPT, "expires": int(time.time()) + self._retention}
        counted = Counted(version, hour, {KEPT: rows})
        self._table.transact_if([Put(mark, Attr("series").not_exists()), *self.changes(model_name, None, (counted,))])

    def waits(self, model_name: str, hour: str, name: str) -> Update:
        """Return the write that counts a label of an hour as `parked`, or as `joined` with its prediction."""
        expires = int(time.time()) + self._waiting
        return Update({"series": _waiting(model_name), "slot": hour}, {"expires": expires}, add={name: 1})

    def changes(self, model_name: str, removed: Counted | None, added: Iterable[Counted]) -> Iterator[Update]:
        """Yield the writes of totals that count what is added in place of what is removed."""
        sums: dict[tuple[str, str], Totals] = defaultdict(Counter)
        signed = [(each, 1) for each in added] if removed is None else [(removed, -1), *((each, 1) for each in added)]
        for counted, sign in signed:
            for name, value in counted.totals.items():
                sums[_totals(model_name, counted.version), counted.hour][name] += sign * value
                if name in LIFETIME:
                    sums[_LIFETIME, f"{model_name}#{counted.version}"][name] += sign * value
            if counted.trial is not None:
                rollout_id, phase, added_to_it = counted.trial
                for name, value in added_to_it.items():
                    sums[_rollout(rollout_id), f"{phase:03}"][name] += sign * value
        expires = int(time.time()) + self._retention
        for (series, slot), totals in sums.items():
            if change := {name: value for name, value in totals.items() if value}:
                yield Update({"series": series, "slot": slot}, {"expires": expires}, add=change)


def _numbers(item: Item) -> Totals:
    return Counter({name: value for name, value in item.items() if name != "expires" and type(value) is int})


def _totals(model_name: str, version: int) -> str:
    return f"totals#{model_name}#{version}"


def _rollout(rollout_id: str) -> str:
    return f"rollout#{rollout_id}"


def _packed(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def _waiting(model_name: str) -> str:
    return f"waiting#{model_name}"
