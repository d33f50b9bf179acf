"""The process dies after each single change a scenario makes; the next delivery brings it to the same end."""

import contextlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mlops.domain.errors import DependencyUnavailable
from mlops.domain.stages import Stage
from tests.support.crashes import Crash
from tests.support.tables import make_table
from tests.unit.registry.fakes import World

Scenario = Callable[[World], dict]
MakeWorld = Callable[[], World]


def first_promotion(world: World) -> dict:
    return world.ask(1, "Production")


def replacing(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    world.deliver(world.ask(2, "Staging"))
    return world.ask(2, "Production")


def archiving(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    return world.ask(1, "Archived")


def rolling_back(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    world.deliver(world.ask(2, "Production"))
    return world.ask(1, "Production")


def refused(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    world.serving.broken.add(2)
    return world.ask(2, "Production")


def moved_by_hand(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    world.deliver(world.ask(2, "Staging"))
    world.tracking.aliases["production"] = 2
    return world.repair()


def moved_by_hand_to_a_broken_version(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    world.serving.broken.add(2)
    world.tracking.aliases["production"] = 2
    return world.repair()


def removed_by_hand(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    del world.tracking.aliases["production"]
    return world.repair()


def spoiled(world: World) -> dict:
    world.deliver(world.ask(1, "Production"))
    world.serving.spoil(Stage.PRODUCTION)
    return world.repair()


SCENARIOS = [
    first_promotion,
    replacing,
    archiving,
    rolling_back,
    refused,
    moved_by_hand,
    moved_by_hand_to_a_broken_version,
    removed_by_hand,
    spoiled,
]


@pytest.fixture(params=["in memory", "on DynamoDB"])
def make_world(request: pytest.FixtureRequest) -> MakeWorld:
    """Worlds whose history is in memory, or the real adapter's on moto's DynamoDB."""
    if request.param == "in memory":
        return World
    request.getfixturevalue("aws")
    numbers = itertools.count()
    return lambda: World(table=make_table("TransitionsTable", f"transitions-{next(numbers)}"))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_crash_after_any_change_converges_on_redelivery(scenario: Scenario, make_world: MakeWorld) -> None:
    world = make_world()
    message = scenario(world)
    before = world.effects.count
    world.deliver(message)
    world.check()
    steps, wanted, announced = world.effects.count - before, world.snapshot(), sorted(set(world.events.announced))
    assert steps >= 4
    assert announced == sorted(world.transitions.items)

    for step in range(1, steps + 1):
        world = make_world()
        message = scenario(world)
        world.effects.fatal = world.effects.count + step
        with pytest.raises(Crash):
            world.promoter.handle(message)
        world.deliver(message)
        world.check()
        assert world.snapshot() == wanted, f"step {step} of {steps}"
        # An event may be sent twice, if we die between sending and noting it; it is never left out.
        assert sorted(set(world.events.announced)) == announced
        assert len(world.events.announced) <= len(announced) + 1


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_second_delivery_changes_nothing(scenario: Scenario, make_world: MakeWorld) -> None:
    world = make_world()
    message = scenario(world)
    world.deliver(message)
    wanted, announced = world.snapshot(), list(world.events.announced)
    world.deliver(message)
    assert world.snapshot() == wanted
    assert world.events.announced == announced


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_never_two_in_production_at_any_moment(scenario: Scenario, make_world: MakeWorld) -> None:
    world = make_world()
    message = scenario(world)

    def watch() -> None:
        tags = [tags["stage"] for tags in world.tracking.tags.values()]
        assert tags.count("Production") <= 1
        assert list(world.tracking.stages.values()).count("Production") <= 1
        stages = [world.tracking.model("m").stage_of(version) for version in world.tracking.versions("m")]
        assert stages.count("Production") <= 1

    world.effects.watch = watch
    world.deliver(message)


def test_a_transition_that_ends_the_process_each_time_is_failed_and_lets_the_next_one_pass() -> None:
    world = World()
    poison = world.ask(1, "Production")
    following = world.ask(2, "Production")

    def out_of_memory(uri: str, max_bytes: int):
        if uri.endswith("/1"):
            raise Crash
        return fetch(uri, max_bytes)

    fetch, world.serving.fetch = world.serving.fetch, out_of_memory  # type: ignore[method-assign]
    with pytest.raises(Crash):
        world.deliver(poison)
    assert world.transitions.items[poison["transition_id"]]["status"] == "queued"
    world.promoter.handle(following)  # at the first try: the poison is not tried a fourth time
    assert world.transitions.items[poison["transition_id"]]["status"] == "failed"
    assert world.transitions.items[following["transition_id"]]["status"] == "succeeded"
    world.check()


def test_an_unforeseen_error_is_failed_with_the_last_try_and_raised_for_the_dead_letter_queue() -> None:
    world = World()
    message = world.ask(1, "Production")

    def broken(*args: object) -> None:
        raise RuntimeError("a secret")

    world.serving.publish = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        world.deliver(message)
    item = world.transitions.items[message["transition_id"]]
    assert item["status"] == "failed"
    assert "secret" not in item["error"]
    world.check()


@pytest.mark.parametrize(("hours", "status"), [(23, "queued"), (25, "failed")])
def test_an_outage_keeps_a_transition_queued_for_a_day(hours: int, status: str) -> None:
    world = World()
    message = world.ask(1, "Production")
    item = world.transitions.items[message["transition_id"]]
    item["created_at"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()

    def away(*args: object) -> None:
        raise DependencyUnavailable("The model registry does not answer")

    world.tracking.model = away  # type: ignore[assignment]
    with contextlib.suppress(DependencyUnavailable):
        world.deliver(message, tries=10)
    assert item["status"] == status
    assert status == "queued" or "Given up after 24 hours" in item["error"]
    assert world.events.announced == ([message["transition_id"]] if status == "failed" else [])


def test_events_that_cannot_be_sent_are_sent_later() -> None:
    world = World()
    message = world.ask(1, "Production")
    send = world.events.transition_ended

    def away(transition: dict) -> None:
        raise DependencyUnavailable("EventBridge does not answer")

    world.events.transition_ended = away  # type: ignore[method-assign]
    with pytest.raises(DependencyUnavailable):
        world.deliver(message)
    assert world.transitions.items[message["transition_id"]]["status"] == "succeeded"
    assert [transition.transition_id for transition in world.transitions.still_open()] == [message["transition_id"]]
    world.events.transition_ended = send  # type: ignore[method-assign]
    world.deliver(message)
    assert world.events.announced == [message["transition_id"]]
    world.check()
