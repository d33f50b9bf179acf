"""Promotion moves nothing that is in the bin, and waits while somebody checks whether it may be deleted."""

import pytest

from mlops.domain.bin import BinState
from mlops.domain.errors import DependencyUnavailable
from tests.unit.registry.fakes import MODEL, World


def test_a_transition_of_a_version_that_was_deleted_meanwhile_is_rejected() -> None:
    world = World()
    asked = world.ask(2, "Production")
    world.history.bin.put(MODEL, 2)
    world.deliver(asked)
    ended = world.transitions.items[asked["transition_id"]]
    assert (ended["status"], ended["error"].partition(" until ")[0]) == ("rejected", "Version 2 of 'm' is in the bin")
    assert world.tracking.aliases == {}
    world.check()


def test_a_claim_delays_a_transition_and_does_not_end_it() -> None:
    world = World()
    asked = world.ask(2, "Production")
    world.history.bin.put(MODEL, 2, BinState.CLAIMED)
    with pytest.raises(DependencyUnavailable, match="is being deleted just now"):
        world.deliver(asked)
    assert world.transitions.items[asked["transition_id"]]["status"] == "queued"
    world.history.bin.versions.clear()
    world.deliver(asked)
    assert world.tracking.aliases == {"production": 2}
    world.check()


def test_an_alias_that_is_moved_by_hand_to_a_version_in_the_bin_is_put_back() -> None:
    world = World()
    world.deliver(world.ask(1, "Production"))
    world.history.bin.put(MODEL, 2)
    world.tracking.aliases["production"] = 2
    world.deliver(world.repair())
    assert world.tracking.aliases == {"production": 1}
    (mended,) = [item for item in world.transitions.items.values() if item.get("kind") == "mend"]
    assert (mended["status"], "is in the bin until" in mended["error"]) == ("rejected", True)
    world.check()
