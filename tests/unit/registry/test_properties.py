"""Whatever is asked, in whatever order it arrives and how often: at most one Production, and everything agrees."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops.domain.errors import DependencyUnavailable
from tests.support.crashes import Crash
from tests.unit.registry.fakes import World

VERSIONS = 4
move = st.tuples(st.just("move"), st.integers(1, VERSIONS), st.sampled_from(["Staging", "Production", "Archived"]))
by_hand = st.tuples(
    st.just("hand"), st.sampled_from(["production", "staging"]), st.one_of(st.none(), st.integers(1, VERSIONS))
)
crash = st.tuples(st.just("crash"), st.integers(1, 15), st.none())
outage = st.tuples(st.just("outage"), st.integers(1, 15), st.none())
again = st.tuples(st.just("again"), st.integers(0, 20), st.none())
broken = st.tuples(st.just("broken"), st.integers(1, VERSIONS), st.none())


def watched(world: World) -> None:
    """Looked at after every single change."""
    tags = [tags["stage"] for tags in world.tracking.tags.values()]
    assert tags.count("Production") <= 1
    assert list(world.tracking.stages.values()).count("Production") <= 1


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(move, move, move, by_hand, crash, outage, again, broken), max_size=20), st.randoms())
def test_at_most_one_production_after_anything(steps, random) -> None:
    world = World(VERSIONS)
    world.effects.watch = lambda: watched(world)
    waiting: list[dict] = []
    sent: list[dict] = []
    for kind, first, second in steps:
        if kind == "move":
            waiting.append(world.ask(first, second))
        elif kind == "hand":
            if second is None:
                world.tracking.aliases.pop(first, None)
            else:
                world.tracking.aliases[first] = second
            waiting.append(world.repair())
        elif kind == "again" and sent:
            waiting.append(sent[first % len(sent)])
        elif kind == "broken":
            world.serving.broken ^= {first}
        elif kind in ("crash", "outage") and waiting:
            world.effects.fatal = world.effects.count + first if kind == "crash" else None
            if kind == "outage":
                world.effects.watch = dying(world, world.effects.count + first)
            message = waiting.pop(0)
            with contextlib.suppress(Crash, DependencyUnavailable):
                world.promoter.handle(message)
            world.effects.fatal, world.effects.watch = None, lambda: watched(world)
            waiting.insert(0, message)
            sent.append(message)
        # Now and then the queue gets on; messages that were lost and sent again come in any order.
        if waiting and random.random() < 0.4:
            message = waiting.pop(random.randrange(len(waiting)))
            world.deliver(message, tries=6)
            sent.append(message)
    random.shuffle(waiting)
    for message in [*waiting, world.repair(), world.repair()]:
        world.deliver(message, tries=6)
    world.check()
    ended = [item["status"] for item in world.transitions.items.values()]
    assert set(ended) <= {"succeeded", "rejected", "failed"}


def dying(world: World, at: int):
    def watch() -> None:
        watched(world)
        if world.effects.count == at:
            raise DependencyUnavailable("away")

    return watch


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(move, max_size=12), st.randoms())
def test_the_order_of_arrival_does_not_matter(steps, random) -> None:
    """A message ends what was asked for before it, so any order of messages gives what the asked order gives."""
    wanted, shuffled = World(VERSIONS), World(VERSIONS)
    messages = [[world.ask(version, stage) for _, version, stage in steps] for world in (wanted, shuffled)]
    for message in messages[0]:
        wanted.deliver(message)
    random.shuffle(messages[1])
    for message in messages[1]:
        shuffled.deliver(message)
    assert shuffled.snapshot() == wanted.snapshot()
