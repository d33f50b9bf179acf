"""Streams of answers and labels, late, doubled, reordered, changed and interrupted, against a computation from scratch.

Whatever happens on the way, the totals are those of the last label of each row that was kept, to the last digit.
"""

import random
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_place import LabelPlace
from mlops.aws.stats_table import hour_of
from mlops.domain.feedback.giving import DifferentLabel
from mlops.domain.feedback.kept_answers import KeptAnswers, OtherAnswers
from mlops.domain.feedback.outcome import outcome_of
from mlops.domain.feedback.prediction_id import Mint

MODEL, LABELS, ROLLOUT = "churn", ("no", "yes"), "ro_0123456789abcdef0123"
DAY = 24 * 3600
Totals = dict[tuple[int, str], Counter[str]]


def float32(number: float) -> float:
    """As models answer, and as answers are kept."""
    return array("f", [number])[0]


class Killed(Exception):
    """The function's process ended at a call of DynamoDB."""


class Stream:
    """Requests with answers, labels of their rows, and what arrives in which order."""

    def __init__(self, seed: int, quantities: bool) -> None:
        self.random = random.Random(seed)
        self.answers: dict[LabelPlace, KeptAnswers] = {}
        self.events: list[tuple[float, str, Any]] = []
        self.last: dict[LabelPlace, tuple[float, Any]] = {}
        for _ in range(self.random.randint(3, 8)):
            self._request(quantities)
        self.events.sort(key=lambda event: event[0])

    def _request(self, quantities: bool) -> None:
        rows, now = self.random.choice([1, 1, 2, 5]), time.time()
        made = now - self.random.uniform(0, 30 * DAY)
        place = LabelPlace(MODEL, Mint().make(1).text, 0, made)
        version = self.random.choice([1, 2])
        if quantities:
            outputs = tuple((float32(self.random.uniform(-5, 5)),) for _ in range(rows))
            kept = KeptAnswers(version, "Production", hour_of(made), outputs, (), -6)
        else:
            scores = [float32(self.random.random()) for _ in range(rows)]
            outputs = tuple((float32(1 - p), p) for p in scores)
            kept = KeptAnswers(version, "Production", hour_of(made), outputs, LABELS, other=self._other(rows))
        self.answers[place] = kept
        for _ in range(self.random.choice([1, 1, 2])):  # a delivery may come twice
            self.events.append((made + self.random.uniform(0, 2 * DAY), "answers", place))
        for row in range(rows):
            for _ in range(self.random.choice([0, 1, 1, 2, 3])):
                at = made + self.random.uniform(-DAY, 30 * DAY)
                label: Any = self.random.choice(LABELS) if not quantities else round(self.random.uniform(-5, 5), 3)
                given = LabelPlace(MODEL, place.id, row, made)
                for _ in range(self.random.choice([1, 1, 2])):  # a caller may try again
                    self.events.append((at, "label", (given, label)))
                if at >= self.last.get(given, (-1.0, None))[0]:
                    self.last[given] = at, label

    def _other(self, rows: int) -> OtherAnswers | None:
        """Of half of the requests, what the other version of a rollout has answered."""
        if self.random.random() < 0.5:
            return None
        places = tuple(self.random.choice([-1, 0, 1]) for _ in range(rows))
        return OtherAnswers(ROLLOUT, self.random.randrange(2), self.random.random() < 0.5, places)

    def expected_of_rollout(self) -> dict[int, Counter[str]]:
        """The counts of the rollout's phases from scratch."""
        counts: dict[int, Counter[str]] = defaultdict(Counter)
        for place, (_, label) in self.last.items():
            kept = self.answers[LabelPlace(MODEL, place.id, 0, place.made)]
            if kept.other is not None:
                mine = LABELS[int(kept.outputs[place.row][1] > kept.outputs[place.row][0])] == label
                theirs = kept.other.places[place.row] == LABELS.index(label)
                won = mine - theirs if kept.other.is_champion else theirs - mine
                counts[kept.other.phase].update(labelled=1, won=int(won > 0), lost=int(won < 0))
        return counts

    def expected(self) -> Totals:
        """The totals from scratch."""
        totals: Totals = defaultdict(Counter)
        for place, (_, label) in self.last.items():
            kept = self.answers[LabelPlace(MODEL, place.id, 0, place.made)]
            totals[kept.version, kept.hour].update(outcome_of(kept, place.row, label))
        return totals


def carry_out(
    table: FeedbackTable, stream: Stream, interrupt: Callable[[], None] = lambda: None, together: bool = False
) -> None:
    """Let everything arrive. What is killed is sent again, as Lambda and callers do. `together` as a batch does."""
    for _, kind, what in stream.events:
        while True:
            interrupt()
            try:
                if kind == "answers":
                    table.keep({what: stream.answers[what]})
                elif not together or what[0] not in table.give_new({what[0]: what[1]}, {what[0]: None}, "test"):
                    table.give(what[0], what[1], "test", None, replace=True)
                break
            except Killed:
                continue


def totals_of(table: FeedbackTable) -> Totals:
    found: Totals = {}
    for version in (1, 2):
        for hour, totals in table.totals.hours(MODEL, version, "0000"):
            found[version, hour] = Counter({name: value for name, value in totals.items() if value})
    return {key: totals for key, totals in found.items() if totals}


def nonzero(totals: Mapping[Any, Counter[str]]) -> dict[Any, Counter[str]]:
    found = {key: Counter({name: value for name, value in part.items() if value}) for key, part in totals.items()}
    return {key: part for key, part in found.items() if part}


@pytest.mark.parametrize("quantities", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_totals_equal_those_from_scratch(table: FeedbackTable, seed: int, quantities: bool) -> None:
    stream = Stream(seed, quantities)
    carry_out(table, stream, together=bool(seed % 2))
    assert totals_of(table) == nonzero(stream.expected())
    assert table.totals.waiting(MODEL, "0000") == (0, 0)
    assert nonzero(table.totals.rollout(ROLLOUT)) == nonzero(stream.expected_of_rollout())
    lifetime = table.totals.lifetime(MODEL)
    for version in (1, 2):
        hours = [part for (number, _), part in stream.expected().items() if number == version]
        assert lifetime.get((MODEL, version), Counter())["n"] == sum(part["n"] for part in hours)


@pytest.mark.parametrize("seed", range(100, 112))
def test_a_process_that_dies_at_any_call_changes_nothing(
    table: FeedbackTable, raw_table: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, dice = raw_table.meta.client, random.Random(seed)
    armed = [False]
    for name in ("transact_write_items", "batch_write_item", "batch_get_item"):
        call = getattr(client, name)

        def dying(call: Any = call, **request: Any) -> Any:
            if armed[0] and dice.random() < 0.3:  # before the call
                raise Killed
            answer = call(**request)
            if armed[0] and dice.random() < 0.3:  # after it, and nobody hears of it
                raise Killed
            return answer

        monkeypatch.setattr(client, name, dying)

    def interrupt() -> None:
        armed[0] = dice.random() < 0.7

    stream = Stream(seed, quantities=bool(seed % 2))
    carry_out(table, stream, interrupt, together=bool(seed % 3))
    armed[0] = False
    # A label that was parked just before the end is joined when its delivery is repeated, as it is after an exception.
    assert totals_of(table) == nonzero(stream.expected())
    assert nonzero(table.totals.rollout(ROLLOUT)) == nonzero(stream.expected_of_rollout())
    assert table.totals.waiting(MODEL, "0000") == (0, 0)


def test_both_sides_at_once_count_once(table: FeedbackTable, raw_table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers arrive right after the label was parked, and before its side reads again."""
    now = time.time()
    place = LabelPlace(MODEL, Mint().make(1).text, 0, now)
    kept = KeptAnswers(1, "Production", hour_of(now), ((0.2, 0.8),), LABELS)
    client = raw_table.meta.client
    transact, done = client.transact_write_items, []

    def then_the_answers(**request: Any) -> Any:
        answer = transact(**request)
        if not done:
            done.append(True)
            table.keep({place: kept})
        return answer

    monkeypatch.setattr(client, "transact_write_items", then_the_answers)
    table.give(place, "yes", "test", None, replace=False)
    (found,) = totals_of(table).values()
    assert (found["n"], found["h"]) == (1, 1)
    assert table.totals.waiting(MODEL, "0000") == (0, 0)


def test_a_conflict_is_tried_again_and_other_errors_are_not(
    table: FeedbackTable, raw_table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    place = LabelPlace(MODEL, Mint().make(1).text, 0, now)
    client = raw_table.meta.client
    transact = client.transact_write_items
    errors = [
        ClientError(
            {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": [{"Code": "TransactionConflict"}],  # type: ignore[typeddict-unknown-key]
            },
            "TransactWriteItems",
        )
    ]

    def once_conflicting(**request: Any) -> Any:
        if errors:
            raise errors.pop()
        return transact(**request)

    monkeypatch.setattr(client, "transact_write_items", once_conflicting)
    assert table.give(place, "yes", "test", None, replace=False) == "waiting"
    errors.append(ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "TransactWriteItems"))
    with pytest.raises(ClientError):
        table.give(LabelPlace(MODEL, Mint().make(1).text, 0, now), "yes", "test", None, replace=False)


def test_a_different_label_needs_replace(table: FeedbackTable) -> None:
    now = time.time()
    place = LabelPlace(MODEL, Mint().make(1).text, 0, now)
    assert table.give(place, "yes", "test", None, replace=False) == "waiting"
    with pytest.raises(DifferentLabel):
        table.give(place, "no", "test", None, replace=False)
    table.keep({place: KeptAnswers(1, "Production", hour_of(now), ((0.2, 0.8),), LABELS)})
    with pytest.raises(DifferentLabel):
        table.give(place, "no", "test", None, replace=False)
    assert table.give(place, "yes", "test", None, replace=False) == "unchanged"
    assert table.give(place, "no", "test", None, replace=True) == "replaced"
    (found,) = totals_of(table).values()
    assert (found["n"], found["h"]) == (1, 0)


def test_a_label_that_came_first_and_is_none_of_the_models_is_told(table: FeedbackTable) -> None:
    now = time.time()
    place = LabelPlace(MODEL, Mint().make(1).text, 0, now)
    table.give(place, "maybe", "test", None, replace=False)
    table.keep({place: KeptAnswers(1, "Production", hour_of(now), ((0.2, 0.8),), LABELS)})
    assert totals_of(table) == {(1, hour_of(now)): Counter(refused=1)}
    assert table.totals.lifetime(MODEL)[MODEL, 1]["refused"] == 1
    assert table.give(place, "yes", "test", None, replace=True) == "replaced"
    (found,) = totals_of(table).values()
    assert (found["n"], found["h"], found["refused"]) == (1, 1, 0)


def test_expired_items_that_dynamodb_has_not_deleted_yet_are_not_there(raw_table: Any, table: FeedbackTable) -> None:
    old = time.time() - 61 * DAY
    place = LabelPlace(MODEL, Mint().make(1).text, 0, old)
    table.keep({place: KeptAnswers(1, "Production", hour_of(old), ((0.2, 0.8),), LABELS)})
    assert table.give(LabelPlace(MODEL, place.id, 0, time.time()), "yes", "test", None, replace=False) == "waiting"
    assert totals_of(table) == {}


def test_models_do_not_share_ids(table: FeedbackTable) -> None:
    now = time.time()
    mine, other = LabelPlace(MODEL, "A" * 20, 0, now), LabelPlace("other", "A" * 20, 0, now)
    table.keep({mine: KeptAnswers(1, "Production", hour_of(now), ((0.2, 0.8),), LABELS)})
    assert table.give(other, "yes", "test", None, replace=False) == "waiting"
    assert table.give(mine, "yes", "test", None, replace=False) == "counted"
