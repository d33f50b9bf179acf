"""Transitions as records, and the table that holds them, on moto's DynamoDB."""

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from mlops.aws.transient import is_transient
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.errors import NotFound
from mlops.domain.stages import ALLOWED, Stage, refusal
from mlops.domain.transition import (
    GateResult,
    RecordError,
    Transition,
    TransitionKind,
    TransitionStatus,
    new_transition_id,
)

GATES = (GateResult("size", True, "small"), GateResult("metric", False, "worse", "metric"))
OLD = {
    "transition_id": "tr_1",
    "model_name": "m",
    "version": 3,
    "stage": "Production",
    "status": "queued",
    "actor": "ann",
    "created_at": "2026-01-01T00:00:00+00:00",
    "open": "1",
}
"""What the first version wrote of a transition that nobody has begun."""


def asked(number: int = 1, **more: Any) -> Transition:
    return Transition(f"tr_{number}", "m", 3, Stage.PRODUCTION, "ann", **more)


class TestRecords:
    def test_what_is_recorded_is_read_again(self) -> None:
        full = asked(
            kind=TransitionKind.REPAIR,
            status=TransitionStatus.REJECTED,
            from_stage=Stage.STAGING,
            alias_stage=Stage.PRODUCTION,
            alias_version=3,
            served_version=2,
            sha256="ab",
            gates=GATES,
            refused_gates=GATES[1:],
            open=False,
        )
        assert Transition.from_record(full.to_record()) == full

    def test_the_words_of_records_stay(self) -> None:
        record = asked(kind=TransitionKind.REPAIR, alias_version=3, served_version=2).to_record()
        assert (record["kind"], record["found"], record["served"], record["open"]) == ("mend", 3, 2, "1")
        assert asked(sha256="ab").to_record()["admitted"] == "ab"

    def test_a_record_of_the_version_before_is_read(self) -> None:
        old = Transition.from_record(OLD)
        assert (old.kind, old.tries, old.resends, old.gates) == (TransitionKind.TRANSITION, 0, 0, ())
        assert old.open
        assert old.from_stage is None
        gate = {"check": "size", "passed": True, "detail": "small"}
        assert Transition.from_record({**OLD, "gates": [gate], "reason": None}).gates == GATES[:1]

    def test_fields_of_a_later_version_are_passed_over(self) -> None:
        assert Transition.from_record({**OLD, "colour": "red"}) == Transition.from_record(OLD)

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"version": None}, "version is missing"),
            ({"status": "lost"}, "status is 'lost'"),
            ({"stage": "Attic"}, "stage is 'Attic'"),
            ({"gates": [{"check": "size"}]}, "gates is"),
        ],
    )
    def test_what_is_no_transition_is_named(self, change: dict[str, Any], named: str) -> None:
        with pytest.raises(RecordError, match=f"'tr_1': {named}"):
            Transition.from_record({**OLD, **change})

    @pytest.mark.parametrize("status", TransitionStatus)
    def test_what_waits_has_not_ended(self, status: TransitionStatus) -> None:
        assert status.has_ended == (status not in ("queued", "converting", "awaiting_approval", "awaiting_rollout"))


class TestTable:
    def test_a_transition_is_recorded_once(self, transitions: TransitionsTable) -> None:
        assert transitions.create(asked())
        assert not transitions.create(asked(reason="again"))
        assert transitions.find("tr_1").reason is None
        assert transitions.exists("m", "tr_1")
        assert not transitions.exists("m", "tr_2")

    def test_steps_are_noted_and_the_end_is_written_once(self, transitions: TransitionsTable) -> None:
        transitions.create(asked())
        begun = transitions.begin("m", "tr_1")
        assert begun.tries == 1
        noted = transitions.note(begun, from_stage=Stage.STAGING, replaced_version=None, gates=GATES)
        assert (noted.from_stage, noted.replaced_version, noted.gates) == (Stage.STAGING, None, GATES)
        assert transitions.finish(noted, TransitionStatus.FAILED, error="why")
        assert not transitions.finish(noted, TransitionStatus.SUCCEEDED)
        ended = transitions.get("m", "tr_1")
        assert (ended.status, ended.error, ended.gates, ended.tries) == ("failed", "why", GATES, 1)
        assert ended.completed_at is not None
        assert transitions.still_open() == [ended]
        transitions.close(ended)
        assert transitions.still_open() == []

    def test_the_oldest_admission_of_a_version_counts_since_it_was_registered(
        self, transitions: TransitionsTable
    ) -> None:
        for number, (version, sha256) in enumerate([(3, None), (4, "b"), (3, "a"), (3, "c")], start=1):
            entry = asked(number, created_at=f"2026-01-0{number}T00:00:00.000Z")
            transitions.create(replace(entry, version=version, sha256=sha256))
        transitions.create(Transition("tr_0", "other", 3, Stage.STAGING, "ann", sha256="d"))
        assert transitions.admission("m", 3) == "a"
        assert transitions.admission("m", 3, "2026-01-04T00:00:00.000Z") == "c"
        assert transitions.admission("m", 3, "2026-01-05T00:00:00.000Z") is None
        assert transitions.admission("m", 5) is None

    def test_productions_are_what_came_into_production_the_oldest_first(self, transitions: TransitionsTable) -> None:
        done = TransitionStatus.SUCCEEDED
        for number, (stage, status) in enumerate(
            [
                (Stage.PRODUCTION, done),
                (Stage.STAGING, done),
                (Stage.PRODUCTION, TransitionStatus.REJECTED),
                (Stage.PRODUCTION, TransitionStatus.QUEUED),
                (Stage.PRODUCTION, done),
            ],
            start=1,
        ):
            transitions.create(replace(asked(number, status=status), stage=stage))
        assert [entry.transition_id for entry in transitions.productions("m")] == ["tr_1", "tr_5"]

    def test_a_message_is_sent_again_by_one_of_two(self, transitions: TransitionsTable) -> None:
        transitions.create(asked())
        for resends in (1, 2):
            seen = transitions.get("m", "tr_1")
            assert transitions.resent(seen)
            assert not transitions.resent(seen)
            assert transitions.get("m", "tr_1").resends == resends

    def test_a_record_of_the_version_before_is_sent_again_too(self, transitions: TransitionsTable) -> None:
        boto3.resource("dynamodb").Table("transitions").put_item(Item=OLD)
        assert transitions.resent(transitions.get("m", "tr_1"))

    def test_what_is_not_there_is_said_and_not_made(self, transitions: TransitionsTable) -> None:
        for ask in (
            lambda: transitions.find("tr_9"),
            lambda: transitions.get("m", "tr_9"),
            lambda: transitions.begin("m", "tr_9"),
            lambda: transitions.note(asked(9), tries=1),
        ):
            with pytest.raises(NotFound, match="'tr_9'"):
                ask()
        assert transitions.history("m").transitions == []

    def test_the_history_comes_in_pages_newest_first(self, transitions: TransitionsTable) -> None:
        for number in range(1, 6):
            transitions.create(asked(number))
        first = transitions.history("m", 3)
        second = transitions.history("m", 3, first.next_cursor)
        ids = [entry.transition_id for page in (first, second) for entry in page.transitions]
        assert ids == ["tr_5", "tr_4", "tr_3", "tr_2", "tr_1"]
        assert second.next_cursor is None

    def test_one_record_that_is_no_transition_keeps_nobody_from_the_others(
        self, transitions: TransitionsTable, caplog: pytest.LogCaptureFixture
    ) -> None:
        transitions.create(asked(2))
        boto3.resource("dynamodb").Table("transitions").put_item(Item={**OLD, "status": "lost"})
        assert [entry.transition_id for entry in transitions.history("m").transitions] == ["tr_2"]
        assert [entry.transition_id for entry in transitions.still_open("m")] == ["tr_2"]
        assert "status is 'lost'" in caplog.text

    def test_what_is_open_is_listed_by_model_and_up_to_an_id(self, transitions: TransitionsTable) -> None:
        transitions.create(asked(1))
        transitions.create(Transition("tr_2", "other", 1, Stage.STAGING, "ann"))
        transitions.create(asked(3))
        assert [entry.transition_id for entry in transitions.still_open()] == ["tr_1", "tr_2", "tr_3"]
        assert [entry.transition_id for entry in transitions.still_open("m", until="tr_2")] == ["tr_1"]


def test_ids_sort_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for moment in (1, 2, 300):
        monkeypatch.setattr("time.time_ns", lambda moment=moment: moment * 1_000_000)
        made.append(new_transition_id())
    assert made == sorted(made)


@pytest.mark.parametrize("left", Stage)
def test_a_step_is_refused_exactly_where_the_lifecycle_has_no_edge(left: Stage) -> None:
    assert {entered for entered in Stage if refusal(left, entered) is None} == ALLOWED[left]
    assert refusal(Stage.PRODUCTION, Stage.STAGING) == "in Production; from there it can go to Archived"


@pytest.mark.parametrize(
    ("error", "is_worth_it"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), True),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "Call"), True),
        (ClientError({"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "Call"), True),
        (ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "Call"), False),
        (ValueError("ours"), False),
    ],
)
def test_an_outage_is_worth_another_try_and_a_refusal_is_not(error: Exception, is_worth_it: bool) -> None:
    assert is_transient(error) is is_worth_it


@pytest.mark.parametrize(("code", "is_worth_it"), [("TransactionConflict", True), ("ConditionalCheckFailed", False)])
def test_of_a_cancelled_transaction_its_writes_decide(code: str, is_worth_it: bool) -> None:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": "None"}, {"Code": code}],
    }
    assert is_transient(ClientError(response, "Call")) is is_worth_it
