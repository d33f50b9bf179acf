"""The gate asks how often a challenger was right while callers saw it, if the model's settings say so."""

from collections import Counter
from typing import Any

import pytest

from mlops.domain.transition import Transition
from mlops_contract import Task
from promotion.live_gate import check_live_accuracy
from tests.unit.registry.fakes import MODEL, World


@pytest.mark.parametrize(
    ("labels", "right", "passes", "said"),
    [
        (100, 80, True, "80.0% of 100 labels are right, at least 80.0% needed"),
        (100, 79, False, "79.0% of 100 labels are right, at least 80.0% needed (min_live_accuracy)"),
        (100, 0, False, "0.0% of 100 labels are right"),
        (99, 0, True, "not judged: 99 labels of its own predictions, and 100 are needed"),
        (0, 0, True, "not judged: 0 labels"),
    ],
)
def test_a_version_must_be_right_as_often_as_asked(labels: int, right: int, passes: bool, said: str) -> None:
    totals = {name: count for name, count in (("n", labels), ("h", right)) if count}  # as the table has them
    result = check_live_accuracy(totals, Task.CLASSIFICATION, 0.8, 100)
    assert (result.check, result.kind, result.passed) == ("live_accuracy", "metric", passes)
    assert said in result.detail


def test_quantities_have_no_accuracy() -> None:
    result = check_live_accuracy({"n": 1000}, Task.REGRESSION, 0.8, 100)
    assert result.passed
    assert "predicts a quantity" in result.detail


@pytest.fixture
def world() -> World:
    """Version 1 in Production; the model asks for 80 %, and version 2 was right 70 times out of 100."""
    made = World(3)
    for version in made.tracking.tags:
        made.tracking.metrics[version] = {"accuracy": 0.9}
        made.tracking.tags[version]["dataset_digest"] = "d"
    made.deliver(made.ask(1, "Production", force=False))
    made.history.set(gate={"min_live_accuracy": 0.8})
    made.labels.counted[MODEL, 2] = Counter(n=100, h=70)
    made.labels.counted["another", 3] = Counter(n=100)
    return made


def moved(world: World, version: int, **more: Any) -> Transition:
    message = world.ask(version, "Production", **{"force": False, **more})
    world.deliver(message)
    world.check()
    return world.transitions.get(MODEL, message["transition_id"])


def test_a_challenger_that_was_wrong_too_often_is_refused_and_forced_in(world: World) -> None:
    refused = moved(world, 2)
    assert refused.status == "rejected"
    assert [gate.check for gate in refused.gates if not gate.passed] == ["live_accuracy"]
    assert "70.0% of 100 labels are right, at least 80.0% needed" in str(refused.error)
    assert world.tracking.aliases == {"production": 1}
    assert moved(world, 2, force=True).status == "succeeded"


def test_one_that_was_right_or_that_nobody_has_seen_replaces_the_version(world: World) -> None:
    assert moved(world, 3).status == "succeeded", "the labels of another model's version 3 say nothing"
    world.labels.counted[MODEL, 2] = Counter(n=100, h=80)
    assert moved(world, 2).status == "succeeded"


def test_models_that_do_not_ask_for_it_have_no_such_check(world: World) -> None:
    world.history.set()
    taken = moved(world, 2)
    assert taken.status == "succeeded"
    assert "live_accuracy" not in {gate.check for gate in taken.gates}
