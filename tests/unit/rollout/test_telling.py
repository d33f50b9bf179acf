"""The start and the end of a rollout are told to the model's history and to EventBridge, whoever ends it."""

from typing import Any

import pytest

from mlops.domain.stages import Stage
from mlops.domain.transition import Transition
from tests.unit.rollout.conftest import MODEL, World

BROKEN = {"requests": 400, "canary": 100, "asked": 100, "failed": 40}


def test_start_and_end_stand_in_the_history_and_are_sent_as_events(world: World, begin: Any) -> None:
    rollout = begin(reason="a new season")
    (entry,) = world.entries()
    assert entry[0] == "starting"
    assert (entry[1]["version"], entry[1]["champion"], entry[1]["reason"]) == (2, 1, "a new season")
    assert entry[1]["plan"]["guardrails"]["max_error_rate"] == 0.01
    world.count(rollout, **BROKEN)
    world.conductor.run()
    _, (status, detail) = world.entries()
    assert (status, detail["broken"], detail["sha256"]) == ("rolled_back", "max_error_rate", rollout.sha256)
    errors = next(figure for figure in detail["figures"] if figure["guardrail"] == "max_error_rate")
    assert (errors["limit"], errors["observed"], errors["observations"], errors["evidence"]) == (0.01, 0.4, 100, 1)
    assert [(phase["asked"], phase["failed"]) for phase in detail["phases"]] == [(100, 40)]
    told = [(event.type, event.identity, event.name) for event in world.bus.told]
    assert told == [(f"rollout.{what}", rollout.rollout_id, MODEL) for what in ("started", "rolled_back")]
    assert world.bus.told[1].data["figures"] == detail["figures"]


def test_an_end_by_another_function_is_told_within_a_minute(world: World, begin: Any) -> None:
    rollout = begin()
    world.open.give_way(Transition("tr_9", MODEL, 3, Stage.PRODUCTION, "bob"))  # in promotion
    assert len(world.entries()) == 1
    assert world.conductor.run() == {rollout.rollout_id: "aborted"}
    assert world.entries()[1][1]["note"] == "another transition ended it: version 3 goes to Production by tr_9"
    assert [event.type for event in world.bus.told] == ["rollout.started", "rollout.aborted"]
    assert world.conductor.run() == {}


def test_an_end_does_not_wait_for_eventbridge_and_is_told_when_it_is_back(world: World, begin: Any) -> None:
    rollout = begin()
    world.bus.away = True
    world.count(rollout, **BROKEN)
    with pytest.raises(RuntimeError, match=rollout.rollout_id):
        world.conductor.run()
    assert world.live() is None
    assert world.table.open_of(MODEL) is None
    world.bus.away = False
    assert world.conductor.run() == {rollout.rollout_id: "rolled_back"}
    assert [event.type for event in world.bus.told] == ["rollout.started", "rollout.rolled_back"]
    assert [status for status, _ in world.entries()] == ["starting", "rolled_back"]
