"""A rollout from its request to its end, with every way in between, and with a crash after every step."""

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.domain.errors import Conflict, NoModelInStage, NotFound
from mlops.domain.manifest import Manifest, manifest_key
from mlops.domain.rollout.live import CANARY, VALID_SECONDS
from mlops.domain.rollout.rollout import RolloutStatus
from mlops.domain.stages import Stage
from mlops.domain.transition import GateResult, Transition, TransitionStatus
from tests.support.crashes import Crash
from tests.unit.rollout.conftest import MODEL, World

FINE = {"requests": 4_000, "canary": 400, "asked": 1_000, "pairs": 1_000, "disagreed": 80_000, "slower": 100}
BROKEN = {"requests": 400, "canary": 100, "asked": 100, "failed": 40}


def messages(world: World) -> list[dict[str, Any]]:
    sqs = world.queue._sqs._inner
    received = sqs.receive_message(QueueUrl=world.queue._url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in received]


def test_a_rollout_begins_in_the_shadow(world: World, begin: Any) -> None:
    rollout = begin()
    assert (rollout.status, rollout.phase, rollout.weight, rollout.champion) == (RolloutStatus.RUNNING, 0, 0.0, 1)
    live = world.live()
    assert (live.id, live.version, live.champion, live.weight, live.share) == (rollout.rollout_id, 2, 1, 0.0, 0.25)
    assert live.until == pytest.approx(world.now + VALID_SECONDS, abs=5)
    stored = world.s3.get_object(Bucket=world.bucket, Key=manifest_key(MODEL, CANARY))["Body"].read()
    manifest = Manifest.from_json(stored)
    assert (manifest.model_version, manifest.stage, manifest.sha256) == (2, "Production", rollout.sha256)


def test_a_good_challenger_goes_through_all_phases_to_production(world: World, begin: Any) -> None:
    rollout = begin()
    for weight in (5.0, 50.0):
        world.count(rollout, **FINE)
        world.minutes(10)
        world.conductor.run()
        rollout = world.get(rollout)
        assert (rollout.weight, world.live().weight, world.live().step) == (weight, weight, rollout.phase)
        world.count(rollout, **FINE)
        world.conductor.run()
        assert world.get(rollout).phase == rollout.phase  # its own time begins anew
    world.count(rollout, **FINE)
    world.minutes(10)
    world.conductor.run()
    rollout = world.get(rollout)
    assert rollout.status is RolloutStatus.PROMOTING
    (message,) = messages(world)
    assert (message["kind"], message["transition_id"]) == ("transition", rollout.transition_id)
    transition = world.transitions.get(MODEL, str(rollout.transition_id))
    assert (transition.version, transition.stage, transition.actor) == (2, Stage.PRODUCTION, "ada")
    assert not transition.force
    world.open.give_way(transition)  # promotion asks; it is the rollout's own
    assert world.live().weight == 50.0
    world.serve(2, "Production")
    world.transitions.finish(transition, TransitionStatus.SUCCEEDED)
    assert world.conductor.run() == {rollout.rollout_id: "succeeded"}
    assert world.live() is None
    assert world.conductor.run() == {}
    assert world.get(rollout).completed_at is not None


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_a_broken_guardrail_ends_a_rollout_in_every_phase_with_its_figures(
    world: World, begin: Any, phase: int
) -> None:
    rollout = begin()
    for _ in range(phase):
        world.count(rollout, **FINE)
        world.minutes(10)
        world.conductor.run()
        rollout = world.get(rollout)
    assert rollout.phase == phase
    world.count(rollout, **BROKEN)
    assert world.conductor.run() == {rollout.rollout_id: "rolled_back"}
    ended = world.get(rollout)
    assert world.live() is None
    assert (ended.broken, ended.weight) == ("max_error_rate", 0.0)
    assert "requests failed, and at most 1.00% may" in str(ended.note)
    assert next(figure.evidence for figure in ended.figures if figure.guardrail == "max_error_rate") == 1.0
    assert messages(world) == []


def test_a_paused_rollout_keeps_its_phase_and_its_guardrails(world: World, begin: Any) -> None:
    rollout = begin()
    world.requests.pause(MODEL, rollout.rollout_id)
    world.count(rollout, **FINE)
    world.minutes(60)
    world.conductor.run()
    assert (world.get(rollout).status, world.get(rollout).phase) == (RolloutStatus.PAUSED, 0)
    assert world.live().until == pytest.approx(world.now + VALID_SECONDS, abs=1)
    with pytest.raises(Conflict, match="is paused, and this needs one that is running"):
        world.requests.pause(MODEL, rollout.rollout_id)
    world.requests.resume(MODEL, rollout.rollout_id)
    world.count(rollout, **BROKEN, pairs=0)
    world.count(rollout, asked=100, failed=100)
    world.conductor.run()
    assert world.get(rollout).status is RolloutStatus.ROLLED_BACK


def test_without_traffic_it_waits_says_so_and_keeps_its_file_valid(world: World, begin: Any) -> None:
    rollout = begin()
    world.minutes(30)
    world.conductor.run()
    assert world.get(rollout).note == "the challenger was asked 0 requests, and 100 are needed"
    assert world.live().until == pytest.approx(world.now + VALID_SECONDS, abs=1)


def test_an_abort_removes_the_file_and_says_who_and_why(world: World, begin: Any) -> None:
    rollout = begin()
    aborted = world.requests.abort(MODEL, rollout.rollout_id, "calls from customers", "bob")
    assert (aborted.status, aborted.note) == (RolloutStatus.ABORTED, "aborted by bob: calls from customers")
    assert world.live() is None
    with pytest.raises(Conflict, match="is aborted"):
        world.requests.abort(MODEL, rollout.rollout_id, None, "bob")
    assert begin().status is RolloutStatus.RUNNING  # the model can have another one


def test_complete_goes_to_production_at_once(world: World, begin: Any) -> None:
    rollout = begin()
    completed = world.requests.complete(MODEL, rollout.rollout_id)
    assert completed.status is RolloutStatus.PROMOTING
    assert [message["transition_id"] for message in messages(world)] == [completed.transition_id]
    with pytest.raises(Conflict, match="is promoting"):
        world.requests.complete(MODEL, rollout.rollout_id)


def test_a_transition_to_production_that_is_refused_ends_it_as_failed(world: World, begin: Any) -> None:
    rollout = begin()
    completed = world.requests.complete(MODEL, rollout.rollout_id)
    transition = world.transitions.get(MODEL, str(completed.transition_id))
    gates = (GateResult("metric", False, "accuracy 0.8", "metric"),)
    world.transitions.finish(transition, TransitionStatus.REJECTED, error="metric: accuracy 0.8", gates=gates)
    world.conductor.run()
    ended = world.get(rollout)
    assert ended.status is RolloutStatus.FAILED
    assert ended.note == "the transition to Production was rejected: metric: accuracy 0.8"
    assert world.live() is None


@pytest.mark.parametrize(
    ("version", "stage", "ends"),
    [(3, Stage.PRODUCTION, True), (1, Stage.ARCHIVED, True), (2, Stage.ARCHIVED, True), (3, Stage.STAGING, False)],
)
def test_another_transition_of_its_versions_ends_it_first(
    world: World, begin: Any, version: int, stage: Stage, ends: bool
) -> None:
    rollout = begin()
    for _ in range(2):  # a second delivery changes nothing
        world.open.give_way(Transition("tr_9", MODEL, version, stage, "bob"))
    ended = world.get(rollout)
    assert (ended.status is RolloutStatus.ABORTED) == ends
    assert (world.live() is None) == ends
    if ends:
        assert ended.note == f"another transition ended it: version {version} goes to {stage} by tr_9"


def test_a_retrain_that_takes_staging_does_not_disturb_it(world: World, begin: Any) -> None:
    rollout = begin()
    world.serve(3, "Staging")
    world.conductor.run()
    assert world.get(rollout).status is RolloutStatus.RUNNING
    stored = world.s3.get_object(Bucket=world.bucket, Key=manifest_key(MODEL, CANARY))["Body"].read()
    assert Manifest.from_json(stored).model_version == 2


def test_another_version_in_production_ends_it_however_it_came_there(world: World, begin: Any) -> None:
    rollout = begin()
    world.serve(3, "Production")
    world.conductor.run()
    assert world.get(rollout).note == "version 3 is in Production now"
    assert world.live() is None


def test_a_file_that_was_removed_ends_it(world: World, begin: Any) -> None:
    rollout = begin()
    world.files.remove(MODEL, rollout.rollout_id)
    world.conductor.run()
    ended = world.get(rollout)
    assert ended.status is RolloutStatus.ABORTED
    assert "was removed or replaced" in str(ended.note)


def test_an_abort_wins_over_a_look_at_the_same_time(world: World, begin: Any, monkeypatch: Any) -> None:
    rollout = begin()
    stale = world.get(rollout)
    read = world.files.read

    def aborted_meanwhile(model_name: str) -> Any:
        stored = read(model_name)
        monkeypatch.setattr(world.files, "read", read)
        world.requests.abort(MODEL, rollout.rollout_id, None, "bob")
        return stored

    monkeypatch.setattr(world.files, "read", aborted_meanwhile)
    world.conductor.advance(stale)
    assert world.live() is None
    assert world.get(rollout).status is RolloutStatus.ABORTED


def test_a_model_has_one_rollout(world: World, begin: Any) -> None:
    first = begin()
    with pytest.raises(Conflict, match=f"{first.rollout_id}' of version 2"):
        begin()
    assert [entry.rollout_id for entry in world.requests.page(MODEL, 10, None).rollouts] == [first.rollout_id]


def test_requests_that_cannot_begin_say_why(world: World, begin: Any) -> None:
    with pytest.raises(Conflict, match="Version 1 of 'digit-classifier' is in Production already"):
        begin(version=1)
    with pytest.raises(Conflict, match="not in Staging, where version 2 is; move it there first"):
        begin(version=3)
    world.s3.delete_object(Bucket=world.bucket, Key=manifest_key(MODEL, "Staging"))
    with pytest.raises(Conflict, match="is not in Staging; move it there first"):
        begin()
    world.s3.delete_object(Bucket=world.bucket, Key=manifest_key(MODEL, "Production"))
    with pytest.raises(NoModelInStage):
        begin()
    with pytest.raises(NotFound, match="/rollouts lists them"):
        world.requests.get(MODEL, "ro_" + "0" * 20)


def test_lists_have_the_newest_first_in_pages(world: World, begin: Any) -> None:
    ids = []
    for _ in range(3):
        rollout = begin()
        ids.append(rollout.rollout_id)
        world.requests.abort(MODEL, rollout.rollout_id, None, "bob")
    page = world.requests.page(MODEL, 2, None)
    assert page.next_cursor is not None
    rest = world.requests.page(MODEL, 2, page.next_cursor)
    assert [entry.rollout_id for entry in (*page.rollouts, *rest.rollouts)] == sorted(ids, reverse=True)


class S3Away:
    """In front of S3: from the request of this number on it does not answer."""

    def __init__(self, inner: Any, number: int) -> None:
        self._inner, self._left = inner, number

    def __getattr__(self, name: str) -> Any:
        if name not in ("get_object", "put_object", "delete_object"):
            return getattr(self._inner, name)
        self._left -= 1
        if self._left < 0:
            raise EndpointConnectionError(endpoint_url="http://s3")
        return getattr(self._inner, name)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("counts", [FINE, BROKEN])
def test_s3_that_goes_away_in_the_middle_of_a_look_loses_nothing(
    world: World, begin: Any, number: int, counts: dict[str, int]
) -> None:
    rollout = begin()
    world.count(rollout, **counts)
    world.minutes(6)
    valid_until = world.live().until
    s3 = world.files._s3
    world.files._s3 = S3Away(s3, number)
    for _ in range(3):  # minutes without S3
        with suppress(RuntimeError):  # the function's alarm
            world.conductor.run()
    world.files._s3 = s3
    left = world.live()
    assert left is None or left.until >= valid_until, "predict goes back by itself at this time at the latest"
    for _ in range(2):
        world.conductor.run()
    after = world.get(rollout)
    if counts is FINE:
        assert (after.status, after.phase, world.live().step) == (RolloutStatus.RUNNING, 1, 1)
        assert world.live().until == pytest.approx(world.now + VALID_SECONDS, abs=1)
    else:
        assert (after.status, after.broken, world.live()) == (RolloutStatus.ROLLED_BACK, "max_error_rate", None)


def test_an_abort_while_s3_is_away_says_so_and_can_be_repeated(world: World, begin: Any) -> None:
    rollout = begin()
    s3 = world.files._s3
    world.files._s3 = S3Away(s3, 0)
    with pytest.raises(EndpointConnectionError):  # the API answers 503
        world.requests.abort(MODEL, rollout.rollout_id, None, "bob")
    assert world.get(rollout).status is RolloutStatus.RUNNING
    world.files._s3 = s3
    assert world.requests.abort(MODEL, rollout.rollout_id, None, "bob").status is RolloutStatus.ABORTED
    assert world.live() is None


def test_one_that_cannot_be_taken_on_does_not_stop_the_others(world: World, begin: Any, monkeypatch: Any) -> None:
    rollout = begin()
    monkeypatch.setattr(world.stats, "rollout", lambda rollout_id: 1 / 0)
    with pytest.raises(RuntimeError, match=rollout.rollout_id):
        world.conductor.run()


def _survives(world: World, fatal: int, action: Any) -> bool:
    """Do something and die after the change of this number; return whether there were so many."""
    world.effects.begin(fatal)
    try:
        action()
    except Crash:
        return False
    finally:
        world.effects.fatal = None
    return True


@pytest.mark.parametrize("fatal", range(1, 8))
def test_a_crash_after_any_step_of_the_start_converges(world: World, begin: Any, fatal: int) -> None:
    _survives(world, fatal, begin)
    for _ in range(2):
        world.conductor.run()
    (rollout,) = world.requests.page(MODEL, 10, None).rollouts
    assert rollout.status is RolloutStatus.RUNNING
    assert world.live().id == rollout.rollout_id
    assert [status for status, _ in world.entries()] == ["starting"]
    assert {event.type for event in world.bus.told} == {"rollout.started"}


@pytest.mark.parametrize("fatal", range(1, 10))
@pytest.mark.parametrize("ending", ["rolled_back", "aborted", "succeeded"])
def test_a_crash_after_any_step_of_the_end_converges(world: World, begin: Any, fatal: int, ending: str) -> None:
    rollout = begin(shadow_minutes=0, steps=[{"weight": 100.0, "minutes": 1}])
    if ending == "rolled_back":
        world.count(rollout, **BROKEN)
        _survives(world, fatal, world.conductor.run)
    elif ending == "aborted":
        _survives(world, fatal, lambda: world.requests.abort(MODEL, rollout.rollout_id, None, "bob"))
    else:
        world.count(rollout, **FINE)
        world.minutes(2)
        _survives(world, fatal, world.conductor.run)
        world.conductor.run()  # requests the transition that the dead process had only noted
        promoting = world.get(rollout)
        assert promoting.status is RolloutStatus.PROMOTING
        transition = world.transitions.get(MODEL, str(promoting.transition_id))
        world.serve(2, "Production")
        world.transitions.finish(transition, TransitionStatus.SUCCEEDED)
        _survives(world, fatal, world.conductor.run)
    for _ in range(2):
        world.conductor.run()
    ended = world.get(rollout)
    assert ended.status == ending
    assert world.live() is None
    assert world.table.open_of(MODEL) is None
    assert world.table.all_open() == []
    assert [status for status, _ in world.entries()] == ["starting", ending]
    assert {event.type for event in world.bus.told} == {"rollout.started", f"rollout.{ending}"}


def test_a_crash_between_two_phases_leaves_predict_a_valid_file(world: World, begin: Any) -> None:
    rollout = begin()
    world.count(rollout, **FINE)
    world.minutes(6)
    assert not _survives(world, 1, world.conductor.run)  # the record has the next phase, the file the one before
    assert (world.get(rollout).phase, world.live().step) == (1, 0)
    world.conductor.run()
    assert (world.get(rollout).phase, world.live().step) == (1, 1)
