"""The feedback table: kept answers, labels, and the totals of both.

A request's answers and the labels of its rows are items of one partition. predict's log writes the answers, and a
caller the labels, in any order. Each side writes its own item first, and then reads the other one consistently. So at
least one side sees both. It counts the label in one transaction with the mark that it is counted, so only one does.

The mark has what was added. A changed label takes exactly that away again.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from mlops.aws.dynamodb import DynamoTable, Item, Put, Update, table_named
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.feedback.kept_answers import KeptAnswers, UnknownLabel
from mlops.domain.feedback.outcome import LIFETIME, REFUSED, Label, Totals, outcome_of
from mlops.settings import Settings

T = TypeVar("T")

ANSWERS, PARKED, LABEL = "answers", "parked", "label"
_LIFETIME = "lifetime"
_DAY = 24 * 3600
_CLIENT_ATTEMPTS = 6
_MAX_ATTEMPTS = 12
"""Of reading and writing one label, if others write it at the same time."""


@dataclass(frozen=True)
class FeedbackSettings(Settings):
    """Settings: the table, how many days answers wait for labels, and how many days totals are kept."""

    feedback_table: str
    feedback_days: int = 60
    stats_retention_days: int = 100


class Given(StrEnum):
    """What became of a label."""

    COUNTED = "counted"
    WAITING = "waiting"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"


class DifferentLabel(Exception):
    """The row has another label, which is not to be replaced."""


class NoSuchRow(Exception):
    """The request had fewer rows, or fewer were kept. `rows` says how many."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.rows = rows


class AnswersExpired(Exception):
    """The answers, which a label has been compared with, are not kept any more."""


@dataclass(frozen=True)
class LabelPlace:
    """Whose label it is: a model, the id of a request or of a row, and the row's number.

    `made` is the Unix time of the id, or that of the label if the id is a caller's.
    """

    model_name: str
    id: str
    row: int
    made: float

    @property
    def series(self) -> str:
        return f"predictions#{self.model_name}#{self.id}"

    @property
    def slot(self) -> str:
        return f"{LABEL}#{self.row:04}"


@dataclass(frozen=True)
class _Counted:
    """What a label has added, and to which totals."""

    version: int
    hour: str
    totals: Mapping[str, int]

    def to_text(self) -> str:
        return json.dumps([self.version, self.hour, self.totals], separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> "_Counted":
        return cls(*json.loads(text))


class FeedbackTable:
    """Adapter of the DynamoDB table `FEEDBACK_TABLE` (key `series`, `slot`; `expires` is its TTL)."""

    def __init__(self, table: DynamoTable, feedback_days: int = 60, retention_days: int = 100) -> None:
        self._table = table
        self._kept_seconds, self._retention = feedback_days * _DAY, retention_days * _DAY

    @classmethod
    def from_environment(cls) -> "FeedbackTable":
        settings = FeedbackSettings.from_environment()
        table = table_named(settings.feedback_table, _CLIENT_ATTEMPTS)
        return cls(table, settings.feedback_days, settings.stats_retention_days)

    def keep(self, answers: Mapping[LabelPlace, KeptAnswers]) -> None:
        """Store answers, and count the labels that came before them. Can be repeated.

        Args:
            answers: By the place of their first row.

        Raises:
            ClientError: DynamoDB refuses. The call can be repeated.
        """
        by_series = {place.series: (place, kept) for place, kept in answers.items()}
        self._table.put_many(
            {
                **_key(series, ANSWERS),
                "version": kept.version,
                "stage": kept.stage,
                "hour": kept.hour,
                "content": kept.to_content(),
                "expires": self._expires(place.made),
            }
            for series, (place, kept) in by_series.items()
        )
        for parked in self._table.get_many([_key(series, PARKED) for series in by_series]):
            place, kept = by_series[parked["series"]]
            for row in sorted(map(int, parked["rows"])):
                at = LabelPlace(place.model_name, place.id, row, place.made)
                self._attempt(partial(self._join, at, kept))

    def give(
        self,
        place: LabelPlace,
        label: Label,
        actor: str,
        observed_at: str | None,
        replace: bool,
        before_parking: Callable[[], None] = lambda: None,
    ) -> Given:
        """Store the label of a row, and count it if the row's answer is known. Can be repeated.

        Args:
            place: Whose label it is.
            label: The label.
            actor: The name of the key that sends it.
            observed_at: When it became known, ISO 8601 in UTC.
            replace: Whether it may take the place of another label.
            before_parking: Checks the label if the row's answer is not known. It may raise any error.

        Raises:
            DifferentLabel: The row has another label, and `replace` is false.
            UnknownLabel: It is none of the model's labels.
            NoSuchRow: The request had fewer rows.
            AnswersExpired: The label is to be replaced, and the answers are not kept any more.
            DependencyUnavailable: Others change the same label all the time.
            ClientError: DynamoDB refuses. The call can be repeated.
        """
        given = {"label": json.dumps(label), "actor": actor, "observed_at": observed_at}
        return self._attempt(partial(self._give, place, label, given, replace, before_parking))

    def hours(self, model_name: str, version: int, first: str, last: str | None = None) -> Iterator[tuple[str, Totals]]:
        """Yield the totals of a version for each hour of predictions that has labels, in order."""
        condition = Key("series").eq(_totals(model_name, version)) & Key("slot").between(first, f"{last or '9999'}~")
        for item in self._table.query(condition):
            yield item["slot"], _numbers(item)

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
            if _is_valid(item):
                recent, older = (recent + number, older) if item["slot"] >= since else (recent, older + number)
        return recent, older

    def _give(
        self, place: LabelPlace, label: Label, given: Item, replace: bool, before_parking: Callable[[], None]
    ) -> Given | None:
        """Do one attempt; None if another writer was faster."""
        answers, before = self._read(place)
        counted = _counted_of(answers, place.row, label) if answers is not None else None
        if before is None:
            if counted is None:
                before_parking()
                # The answers are read again, after the label is there: they may have come in between.
                return None if not self._park(place, given) or self._read(place)[0] is not None else Given.WAITING
            item = {**_key(place.series, place.slot), **given, "revision": 0, "expires": self._expires(place.made)}
            writes: list[Put | Update] = [
                Put({**item, "counted": counted.to_text()}, _is_free()),
                *self._changes(place, None, counted),
            ]
            return Given.COUNTED if self._table.transact_if(writes) else None
        if before["label"] == given["label"]:
            if "counted" in before:
                return Given.UNCHANGED
            if answers is None or counted is None:
                return Given.WAITING
            return Given.COUNTED if self._settle(place, before, counted) else None
        if not replace:
            raise DifferentLabel
        if "counted" not in before and counted is None:
            before_parking()
            self._table.update(
                _key(place.series, place.slot),
                {**given, "revision": int(before["revision"]) + 1},
                condition=_is_unchanged(before),
            )
            return None  # and once more, in case that the answers have come in between
        if counted is None:
            raise AnswersExpired
        return Given.REPLACED if self._settle(place, before, counted, given) else None

    def _join(self, place: LabelPlace, answers: KeptAnswers) -> bool | None:
        """Count a label that came before its answer; None if another writer was faster."""
        item = self._table.get(_key(place.series, place.slot))
        if item is None or not _is_valid(item) or "counted" in item:
            return True
        try:
            counted = _counted_of(answers, place.row, json.loads(item["label"]))
        except (UnknownLabel, NoSuchRow):
            counted = _Counted(answers.version, answers.hour, {REFUSED: 1})
        return self._settle(place, item, counted) or None

    def _settle(self, place: LabelPlace, before: Item, counted: _Counted, given: Item | None = None) -> bool:
        """Count a stored label, in place of what it has added before. False if another writer was faster."""
        added = _Counted.of(before["counted"]) if "counted" in before else None
        update = Update(
            _key(place.series, place.slot),
            {
                **(given or {}),
                "counted": counted.to_text(),
                "revision": int(before["revision"]) + 1,
                "expires": max(int(before["expires"]), self._expires(place.made)),
            },
            condition=_is_unchanged(before),
        )
        writes = [update, *self._changes(place, added, counted)]
        if added is None:
            writes.append(self._waits(place.model_name, before["parked_in"], "joined"))
        return self._table.transact_if(writes)

    def _park(self, place: LabelPlace, given: Item) -> bool:
        hour = time.strftime("%Y-%m-%dT%H", time.gmtime())
        expires = self._expires(place.made)
        item = {**_key(place.series, place.slot), **given, "revision": 0, "parked_in": hour, "expires": expires}
        rows = Update(_key(place.series, PARKED), {"expires": expires}, add={"rows": {str(place.row)}})
        return self._table.transact_if([Put(item, _is_free()), rows, self._waits(place.model_name, hour, "parked")])

    def _waits(self, model_name: str, hour: str, name: str) -> Update:
        return Update(_key(_waiting(model_name), hour), {"expires": self._expires(time.time())}, add={name: 1})

    def _changes(self, place: LabelPlace, before: _Counted | None, after: _Counted) -> Iterator[Update]:
        """Yield the writes of totals that count `after` in place of `before`."""
        sums: dict[tuple[str, str], Totals] = defaultdict(Counter)
        for counted, sign in ((before, -1), (after, 1)):
            if counted is None:
                continue
            version = f"{place.model_name}#{counted.version}"
            for name, value in counted.totals.items():
                sums[f"totals#{version}", counted.hour][name] += sign * value
                if name in LIFETIME:
                    sums[_LIFETIME, version][name] += sign * value
        expires = int(time.time()) + self._retention
        for (series, slot), totals in sums.items():
            if added := {name: value for name, value in totals.items() if value}:
                yield Update(_key(series, slot), {"expires": expires}, add=added)

    def _read(self, place: LabelPlace) -> tuple[KeptAnswers | None, Item | None]:
        """Return the answers and the stored label, if they are there."""
        items = self._table.get_many([_key(place.series, ANSWERS), _key(place.series, place.slot)])
        by_slot = {item["slot"]: item for item in items if _is_valid(item)}
        return _answers(by_slot.get(ANSWERS)), by_slot.get(place.slot)

    def _attempt(self, attempt: Callable[[], T | None]) -> T:
        for number in range(_MAX_ATTEMPTS):
            result = attempt()
            if result is not None:
                return result
            time.sleep(min(0.2, 0.005 * 2**number))
        raise DependencyUnavailable("The label is being changed by other requests; send it again")

    def _expires(self, made: float) -> int:
        return int(made) + self._kept_seconds


def _counted_of(answers: KeptAnswers, row: int, label: Label) -> _Counted:
    if row >= answers.rows:
        raise NoSuchRow(answers.rows)
    return _Counted(answers.version, answers.hour, outcome_of(answers, row, label))


def _answers(item: Item | None) -> KeptAnswers | None:
    if item is None:
        return None
    return KeptAnswers.from_content(item["version"], item["stage"], item["hour"], item["content"].value)


def _is_valid(item: Item) -> bool:
    """Whether an item counts: DynamoDB may delete it some days after it has expired."""
    return bool(item["expires"] > time.time())


def _is_free() -> ConditionBase:
    return Attr("series").not_exists() | Attr("expires").lte(int(time.time()))


def _is_unchanged(item: Item) -> ConditionBase:
    return Attr("revision").eq(item["revision"])


def _numbers(item: Item) -> Totals:
    return Counter({name: value for name, value in item.items() if name != "expires" and type(value) is int})


def _key(series: str, slot: str) -> dict[str, str]:
    return {"series": series, "slot": slot}


def _totals(model_name: str, version: int) -> str:
    return f"totals#{model_name}#{version}"


def _waiting(model_name: str) -> str:
    return f"waiting#{model_name}"
