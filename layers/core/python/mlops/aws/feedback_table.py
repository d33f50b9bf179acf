"""The feedback table: kept answers, labels, and the totals of both.

A request's answers and the labels of its rows are items of one partition. predict's log writes the answers, and a
caller the labels, in any order. Each side writes its own item first, and then reads the other one consistently. So at
least one side sees both. It counts the label in one transaction with the mark that it is counted, so only one does.

The mark has what was added. A changed label takes exactly that away again.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

from boto3.dynamodb.conditions import Attr, ConditionBase

from mlops.aws.deleted_predictions import DeletedPredictions
from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.dynamodb_requests import ConditionCheck, Item, Put, Update, Write
from mlops.aws.feedback_settings import FeedbackSettings
from mlops.aws.kept_predictions import KeptPredictions
from mlops.aws.label_place import ANSWERS, PARKED, LabelPlace, key_of
from mlops.aws.label_totals import Counted, LabelTotals
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.feedback.giving import AnswersExpired, DifferentLabel, Given, NoSuchRow, PredictionDeleted
from mlops.domain.feedback.kept_answers import KeptAnswers, UnknownLabel
from mlops.domain.feedback.outcome import REFUSED, Label, are_same, compared, outcome_of

T = TypeVar("T")

_DAY = 24 * 3600
_CLIENT_ATTEMPTS = 6
_LABELS_PER_TRANSACTION = 20
"""With the answers and the totals of an hour, of a version's life and of a rollout for each they are the 100 items of a
transaction."""
_MAX_WAIT_SECONDS = 5.0
"""For a write that conflicts with others. A caller waits for it."""
_MAX_ATTEMPTS = 12
"""Of reading and writing one label, if others write it at the same time."""


class FeedbackTable:
    """Adapter of the DynamoDB table `FEEDBACK_TABLE` (key `series`, `slot`; `expires` is its TTL)."""

    def __init__(self, table: DynamoTable, feedback_days: int = 60, retention_days: int = 100) -> None:
        self._table = table
        self._kept_seconds = feedback_days * _DAY
        self.totals = LabelTotals(table, retention_days * _DAY, self._kept_seconds)
        self.deleted = DeletedPredictions(table, self._kept_seconds)
        self.kept = KeptPredictions(table, self.totals)

    @classmethod
    def from_environment(cls) -> "FeedbackTable":
        settings = FeedbackSettings.from_environment()
        table = table_named(settings.feedback_table, _CLIENT_ATTEMPTS)
        return cls(table, settings.feedback_days, settings.stats_retention_days)

    def keep(self, answers: Mapping[LabelPlace, KeptAnswers]) -> None:
        """Store answers, and count the labels that came before them. Answers of deleted predictions go again at once.

        Can be repeated.

        Args:
            answers: By the place of their first row.

        Raises:
            ClientError: DynamoDB refuses. The call can be repeated.
        """
        by_series = {place.series: (place, kept) for place, kept in answers.items()}
        self._table.put_many(
            {
                **key_of(series, ANSWERS),
                "version": kept.version,
                "stage": kept.stage,
                "hour": kept.hour,
                "content": kept.to_content(),
                "expires": self._expires(place.made),
            }
            for series, (place, kept) in by_series.items()
        )
        for place in self.deleted.among(place for place, _ in by_series.values()):
            self.kept.delete(place)
            del by_series[place.series]
        for parked in self._table.get_many([key_of(series, PARKED) for series in by_series]):
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
            PredictionDeleted: What was kept of the prediction was deleted.
            AnswersExpired: The label is to be replaced, and the answers are not kept any more.
            DependencyUnavailable: Others change the same label all the time.
            ClientError: DynamoDB refuses. The call can be repeated.
        """
        given = {"label": json.dumps(label), "actor": actor, "observed_at": observed_at}
        return self._attempt(partial(self._give, place, label, given, replace, before_parking))

    def give_new(
        self, labels: Mapping[LabelPlace, Label], observed: Mapping[LabelPlace, str | None], actor: str
    ) -> set[LabelPlace]:
        """Count the first labels of rows whose answers are known, many in a transaction.

        Args:
            labels: Labels of one model.
            observed: When each became known, ISO 8601 in UTC.
            actor: The name of the key that sends them.

        Returns:
            The places of the labels that were counted. `give` says what is with the others. Can be repeated.

        Raises:
            ClientError: DynamoDB refuses. Some of the labels may be counted.
        """
        keys = {(place.series, slot) for place in labels for slot in (ANSWERS, place.slot)}
        items = self._table.get_many([key_of(series, slot) for series, slot in sorted(keys)])
        found = {(item["series"], item["slot"]): item for item in items if _is_valid(item)}
        answers = {series: _answers(item) for (series, slot), item in found.items() if slot == ANSWERS}
        new: list[tuple[LabelPlace, Counted]] = []
        for place, label in labels.items():
            kept = answers.get(place.series)
            if kept is not None and (place.series, place.slot) not in found:
                with suppress(UnknownLabel, NoSuchRow):
                    new.append((place, _counted_of(kept, place.row, label)))
        done: set[LabelPlace] = set()
        for start in range(0, len(new), _LABELS_PER_TRANSACTION):
            part = new[start : start + _LABELS_PER_TRANSACTION]
            writes: list[Write] = [_answers_are_there(series) for series in {place.series for place, _ in part}]
            for place, counted in part:
                given = {"label": json.dumps(labels[place]), "actor": actor, "observed_at": observed[place]}
                writes.append(self._put(place, given, **counted.to_item()))
            writes += self.totals.changes(part[0][0].model_name, None, (counted for _, counted in part))
            if self._table.transact_if(writes, _MAX_WAIT_SECONDS):
                done |= {place for place, _ in part}
        return done

    def _give(
        self, place: LabelPlace, label: Label, given: Item, replace: bool, before_parking: Callable[[], None]
    ) -> Given | None:
        """Do one attempt; None if another writer was faster."""
        answers, before = self._read(place)
        counted = _counted_of(answers, place.row, label) if answers is not None else None
        if before is None:
            if counted is None:
                if self.deleted.has(place):
                    raise PredictionDeleted
                before_parking()
                # The answers are read again, after the label is there: they may have come in between.
                return None if not self._park(place, given) or self._read(place)[0] is not None else Given.WAITING
            writes: list[Write] = [
                _answers_are_there(place.series),
                self._put(place, given, **counted.to_item()),
                *self.totals.changes(place.model_name, None, (counted,)),
            ]
            return Given.COUNTED if self._table.transact_if(writes, _MAX_WAIT_SECONDS) else None
        if are_same(json.loads(before["label"]), label, answers is not None and not answers.labels):
            if "counted" in before:
                return Given.UNCHANGED
            if counted is None:
                return Given.WAITING
            return Given.COUNTED if self._settle(place, before, counted) else None
        if not replace:
            raise DifferentLabel
        if "counted" not in before and counted is None:
            before_parking()
            self._table.update(
                key_of(place.series, place.slot),
                {**given, "revision": int(before["revision"]) + 1},
                condition=_is_unchanged(before),
            )
            return None  # and once more, in case that the answers have come in between
        if counted is None:
            raise AnswersExpired
        return Given.REPLACED if self._settle(place, before, counted, given) else None

    def _join(self, place: LabelPlace, answers: KeptAnswers) -> bool | None:
        """Count a label that came before its answer; None if another writer was faster."""
        item = self._table.get(key_of(place.series, place.slot))
        if item is None or not _is_valid(item) or "counted" in item:
            return True
        try:
            counted = _counted_of(answers, place.row, json.loads(item["label"]))
        except (UnknownLabel, NoSuchRow):
            counted = Counted(answers.version, answers.hour, {REFUSED: 1})
        return self._settle(place, item, counted) or None

    def _settle(self, place: LabelPlace, before: Item, counted: Counted, given: Item | None = None) -> bool:
        """Count a stored label, in place of what it has added before. False if another writer was faster."""
        added = Counted.of(before) if "counted" in before else None
        update = Update(
            key_of(place.series, place.slot),
            {
                **(given or {}),
                **counted.to_item(),
                "revision": int(before["revision"]) + 1,
                "expires": max(int(before["expires"]), self._expires(place.made)),
            },
            condition=_is_unchanged(before),
        )
        writes = [update, *self.totals.changes(place.model_name, added, (counted,))]
        if added is None:
            writes.append(self.totals.waits(place.model_name, before["parked_in"], "joined"))
        return self._table.transact_if(writes, _MAX_WAIT_SECONDS)

    def _park(self, place: LabelPlace, given: Item) -> bool:
        hour = time.strftime("%Y-%m-%dT%H", time.gmtime())
        expires = self._expires(place.made)
        rows = Update(key_of(place.series, PARKED), {"expires": expires}, add={"rows": {str(place.row)}})
        writes: list[Write] = [
            self.deleted.none_of(place),
            self._put(place, given, parked_in=hour),
            rows,
            self.totals.waits(place.model_name, hour, "parked"),
        ]
        return self._table.transact_if(writes, _MAX_WAIT_SECONDS)

    def _put(self, place: LabelPlace, given: Item, **state: str) -> Put:
        """Return the write of the first label of a row."""
        item = {**key_of(place.series, place.slot), **given, **state, "revision": 0}
        return Put({**item, "expires": self._expires(place.made)}, _is_free())

    def _read(self, place: LabelPlace) -> tuple[KeptAnswers | None, Item | None]:
        """Return the answers and the stored label, if they are there."""
        items = self._table.get_many([key_of(place.series, ANSWERS), key_of(place.series, place.slot)])
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


def _answers_are_there(series: str) -> ConditionCheck:
    """Return the check that nobody has deleted a request's answers meanwhile."""
    return ConditionCheck(key_of(series, ANSWERS), Attr("series").exists())


def _counted_of(answers: KeptAnswers, row: int, label: Label) -> Counted:
    if row >= answers.rows:
        raise NoSuchRow(answers.rows)
    other = answers.other
    trial = (other.rollout_id, other.phase, compared(answers, row, label)) if other is not None else None
    return Counted(answers.version, answers.hour, outcome_of(answers, row, label), trial)


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
