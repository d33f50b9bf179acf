"""Which version a rollback goes back to."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.domain.stages import Stage
from mlops.domain.transition import Transition, TransitionStatus
from mlops.domain.transition_history import rollback_targets


class History:
    """A model's versions, moved as the lifecycle allows."""

    def __init__(self) -> None:
        self.entries: list[Transition] = []
        self.present: int | None = None
        self.was: set[int] = set()

    def promote(self, version: int, force: bool = False, left: Stage | None = None) -> None:
        entry = Transition(f"tr_{len(self.entries)}", "m", version, Stage.PRODUCTION, "ann", force=force)
        before = left or (Stage.ARCHIVED if version in self.was else Stage.STAGING)
        done = replace(
            entry, status=TransitionStatus.SUCCEEDED, from_stage=before, replaced_version=self.present, open=False
        )
        self.entries.append(done)
        self.present = version
        self.was.add(version)

    def roll_back(self) -> int | None:
        """To where it went; None if there is nowhere to go."""
        targets = rollback_targets(self.entries, self.present)
        if not targets:
            return None
        self.promote(targets[0], force=True)
        return targets[0]


def promoted(*versions: int) -> History:
    history = History()
    for version in versions:
        history.promote(version)
    return history


def test_each_rollback_goes_further_back() -> None:
    history = promoted(1, 2, 3)
    assert [history.roll_back() for _ in range(3)] == [2, 1, None]


def test_a_bad_version_is_not_returned_to() -> None:
    history = promoted(1, 3, 2)
    assert [history.roll_back() for _ in range(3)] == [3, 1, None]


def test_after_a_rollback_a_new_version_stands_before_the_one_it_replaced() -> None:
    history = promoted(1, 2)
    history.roll_back()
    history.promote(3)
    assert [history.roll_back(), history.roll_back()] == [1, None]


def test_what_was_rolled_back_from_counts_again_once_it_is_promoted() -> None:
    history = promoted(1, 2, 3)
    history.roll_back()
    history.promote(3)
    history.promote(4)
    assert [history.roll_back() for _ in range(3)] == [3, 2, 1]


def test_the_to_and_fro_of_the_version_before_ends() -> None:
    """It recorded rollbacks from 3 to 2 and from 2 to 3, both of them bad."""
    history = promoted(1, 2, 3)
    history.promote(2, force=True)
    history.promote(3, force=True)
    assert history.roll_back() == 1


def test_a_version_that_was_archived_unused_and_is_forced_in_replaces_a_good_one() -> None:
    history = promoted(1)
    history.promote(5, force=True, left=Stage.ARCHIVED)
    assert history.roll_back() == 1


def test_an_alias_moved_by_hand_is_where_it_starts_from() -> None:
    history = promoted(1, 2, 3)
    assert rollback_targets(history.entries, 2) == [1]
    assert rollback_targets(history.entries, 9) == [3, 2, 1]


def test_with_nothing_in_production_the_last_one_comes_first() -> None:
    assert rollback_targets(promoted(1, 2).entries, None) == [2, 1]
    assert rollback_targets([], None) == []


@given(st.lists(st.one_of(st.integers(1, 5), st.just("back")), max_size=30))
def test_no_rollback_ever_ends_at_a_version_that_was_rolled_back_from(steps: list[int | str]) -> None:
    history, bad = History(), set[int]()
    for step in steps:
        left = history.present
        if isinstance(step, int):
            if step != left:
                history.promote(step)
                bad.discard(step)
        elif history.roll_back() is not None:
            assert left is not None
            bad.add(left)
            assert history.present not in bad


@pytest.mark.parametrize("count", range(1, 6))
def test_as_many_rollbacks_as_versions_reach_the_first(count: int) -> None:
    history = promoted(*range(1, count + 1))
    assert [history.roll_back() for _ in range(count)] == [*range(count - 1, 0, -1), None]
