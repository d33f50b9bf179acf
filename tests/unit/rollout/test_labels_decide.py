"""Labels in a rollout: they end it, a step waits for them, and after it they bring the version before back."""

from typing import Any

import pytest

from mlops.domain.access import Caller
from mlops.domain.approval import require_another
from mlops.domain.errors import Conflict, Forbidden, ValidationFailed
from mlops.domain.rollout.rollout import Rollout, RolloutStatus
from mlops.domain.stages import Stage
from mlops.domain.timestamps import now
from mlops.domain.transition import Transition, TransitionStatus
from tests.support.crashes import Crash
from tests.unit.rollout.conftest import ADA, MODEL, World

DAY = 24 * 60
WORSE = {"lost": 90, "won": 10, "both": 100}
FINE = {"requests": 400, "canary": 200, "asked": 400, "pairs": 400}
WATCHED = {
    "shadow_minutes": 0,
    "steps": [{"weight": 50.0, "minutes": 1}],
    "guardrails": {"min_accuracy_delta": -0.01},
    "bake_days": 7,
}


def in_production(world: World, begin: Any, **changes: Any) -> Rollout:
    """Let a rollout go to Production; the days of labels begin."""
    rollout = begin(**{**WATCHED, **changes})
    world.count(rollout, **FINE)
    world.minutes(2)
    world.conductor.run()
    promoting = world.get(rollout)
    world.serve(2, "Production")
    transition = world.transitions.get(MODEL, str(promoting.transition_id))
    world.transitions.finish(transition, TransitionStatus.SUCCEEDED)
    world.conductor.run()
    return world.get(rollout)


def bring_back(world: World, rollout: Rollout) -> None:
    """Carry out the transition that brings the version before back."""
    transition = world.transitions.get(MODEL, str(rollout.rollback_id))
    assert (transition.version, transition.stage, transition.force) == (1, Stage.PRODUCTION, True)
    assert str(transition.reason).startswith(f"rolled back by the rollout {rollout.rollout_id}: min_accuracy_delta")
    world.open.give_way(transition)  # promotion asks; it is the rollout's own
    world.serve(1, "Production")
    world.transitions.finish(transition, TransitionStatus.SUCCEEDED)


def test_labels_end_a_rollout_with_their_figures(world: World, begin: Any) -> None:
    rollout = begin(guardrails={"min_accuracy_delta": -0.01})
    world.label(rollout, **WORSE)
    assert world.conductor.run() == {rollout.rollout_id: "rolled_back"}
    ended = world.get(rollout)
    assert ended.broken == "min_accuracy_delta"
    assert "the accuracy on 200 rows with labels differs from Production's by -40.00%" in str(ended.note)
    (counts,) = world.conductor.counts(ended)
    assert (counts.labelled, counts.lost, counts.won) == (200, 90, 10)
    _, (_, detail) = world.entries()
    assert (detail["phases"][0]["lost"], detail["figures"][-1]["observed"]) == (90, -0.4)


def test_a_step_waits_until_labels_come_however_late_their_phase_is_over(world: World, begin: Any) -> None:
    steps = [{"weight": 5.0, "minutes": 1, "min_labels": 100}, {"weight": 50.0, "minutes": 1, "min_labels": 100}]
    rollout = begin(shadow_minutes=0, steps=steps, guardrails={"min_accuracy_delta": -0.01})
    world.count(rollout, **FINE)
    world.minutes(2)
    world.label(rollout, 3, 3, 40)
    world.conductor.run()
    assert world.get(rollout).note == "46 compared rows have a label, and 100 are needed"
    world.label(rollout, 3, 3, 50)
    world.conductor.run()
    assert world.get(rollout).phase == 1
    world.count(world.get(rollout), **FINE)
    world.label(rollout, **WORSE)  # of the phase before
    world.conductor.run()
    assert world.get(rollout).broken == "min_accuracy_delta"


@pytest.mark.parametrize("name", ["min_accuracy_delta", "max_confidence_drop"])
def test_a_model_of_quantities_has_no_guardrails_of_classes(
    world: World, begin: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {"min_accuracy_delta": -0.01, "max_confidence_drop": 0.1}[name]
    monkeypatch.setattr("mlops.domain.manifest.Manifest.predicts_quantity", True)
    with pytest.raises(ValidationFailed, match=f"guardrails.{name}: is for models of classes"):
        begin(guardrails={name: limit})
    assert world.table.open_of(MODEL) is None
    assert begin(guardrails={"max_prediction_shift": 0.1}).status is RolloutStatus.RUNNING


def test_after_the_last_step_labels_are_awaited_and_predict_follows_it_no_longer(world: World, begin: Any) -> None:
    rollout = in_production(world, begin)
    assert (rollout.status, rollout.weight) == (RolloutStatus.BAKING, 100.0)
    assert world.live() is None
    world.label(rollout, 5, 5, 100)
    world.minutes(6 * DAY)
    world.conductor.run()
    assert world.get(rollout).status is RolloutStatus.BAKING
    assert next(f for f in world.get(rollout).figures if f.guardrail == "min_accuracy_delta").observations == 110
    world.minutes(DAY)
    assert world.conductor.run() == {rollout.rollout_id: "succeeded"}
    assert world.get(rollout).note == "version 2 is in Production, and its 7 days of labels are over"
    assert [status for status, _ in world.entries()] == ["starting", "succeeded"]


def test_late_labels_bring_the_version_before_back_by_an_ordinary_transition(world: World, begin: Any) -> None:
    rollout = in_production(world, begin)
    world.minutes(3 * DAY)
    world.label(rollout, **WORSE)
    assert world.conductor.run() == {rollout.rollout_id: "returning"}
    returning = world.get(rollout)
    assert (returning.broken, returning.weight) == ("min_accuracy_delta", 100.0)
    world.conductor.run()
    assert world.get(rollout) == returning, "it waits for the transition"
    bring_back(world, returning)
    assert world.conductor.run() == {rollout.rollout_id: "rolled_back"}
    assert [status for status, _ in world.entries()] == ["starting", "rolled_back"]
    assert world.table.open_of(MODEL) is None


def test_a_way_back_that_is_refused_is_told(world: World, begin: Any) -> None:
    rollout = in_production(world, begin)
    world.label(rollout, **WORSE)
    world.conductor.run()
    transition = world.transitions.get(MODEL, str(world.get(rollout).rollback_id))
    world.transitions.finish(transition, TransitionStatus.REJECTED, error="version 1 was deleted")
    assert world.conductor.run() == {rollout.rollout_id: "failed"}
    assert str(world.get(rollout).note).endswith("The rollback was rejected: version 1 was deleted")


def awaiting(world: World, transition_id: str | None) -> Transition:
    """Let a transition wait for an approval, as promotion does."""
    transition = world.transitions.get(MODEL, str(transition_id))
    return world.transitions.note(transition, status=TransitionStatus.AWAITING_APPROVAL, waiting_since=now())


def way_back_that_waits(world: World, begin: Any) -> tuple[Rollout, Transition]:
    """A rollout on its way back, as it was before its transition waited for an approval, and the transition."""
    rollout = in_production(world, begin)
    world.label(rollout, **WORSE)
    world.conductor.run()
    before = world.get(rollout)
    waiting = awaiting(world, before.rollback_id)
    world.conductor.run()
    return before, waiting


def test_a_way_back_that_waits_for_an_approval_says_so_until_it_goes_on(world: World, begin: Any) -> None:
    before, waiting = way_back_that_waits(world, begin)
    noted = world.get(before)
    assert noted.status is RolloutStatus.RETURNING
    assert noted.note == f"{before.note}; the transition {waiting.transition_id} waits for an approval"
    world.conductor.run()
    assert world.get(before) == noted, "once is enough"
    world.transitions.note(waiting, status=TransitionStatus.QUEUED)
    world.conductor.run()
    assert world.get(before).note == before.note


@pytest.mark.parametrize(
    ("status", "ended", "added"),
    [
        (TransitionStatus.SUCCEEDED, "rolled_back", ""),
        (TransitionStatus.REJECTED, "failed", ". The rollback was rejected: Nobody has decided"),
    ],
)
def test_the_end_of_a_way_back_that_has_waited_does_not_say_that_it_waits(
    world: World, begin: Any, status: TransitionStatus, ended: str, added: str
) -> None:
    before, waiting = way_back_that_waits(world, begin)
    world.transitions.finish(waiting, status, error="Nobody has decided" if added else None)
    assert world.conductor.run() == {before.rollout_id: ended}
    assert world.get(before).note == f"{before.note}{added}"


def test_a_last_step_that_waits_for_an_approval_says_so(world: World, begin: Any) -> None:
    rollout = begin()
    world.requests.complete(MODEL, rollout.rollout_id)  # the settings have changed since it began
    waiting = awaiting(world, world.get(rollout).transition_id)
    world.conductor.run()
    assert world.get(rollout).note == (
        f"the version goes to Production; the transition {waiting.transition_id} waits for an approval"
    )


def test_who_asked_for_a_rollout_does_not_approve_its_transitions_with_another_key(world: World, begin: Any) -> None:
    rollout = in_production(world, begin)
    world.label(rollout, **WORSE)
    world.conductor.run()
    found = world.get(rollout)
    for transition_id in (found.transition_id, found.rollback_id):
        transition = world.transitions.get(MODEL, str(transition_id))
        asked = (transition.actor, transition.actor_owner, transition.actor_key)
        assert asked == (ADA.name, ADA.owner, ADA.key_id)
        with pytest.raises(Forbidden, match="somebody else has to decide"):
            require_another(Caller("ada 2", "approve", owner=ADA.owner, key_id="key-2"), *asked)


@pytest.mark.parametrize(("version", "stage"), [(3, Stage.PRODUCTION), (1, Stage.PRODUCTION), (2, Stage.ARCHIVED)])
def test_another_transition_ends_the_days_of_labels(world: World, begin: Any, version: int, stage: Stage) -> None:
    rollout = in_production(world, begin)
    world.open.give_way(Transition("tr_9", MODEL, version, stage, "bob"))
    ended = world.get(rollout)
    assert ended.status is RolloutStatus.SUCCEEDED
    assert ended.note == f"another transition ended it: version {version} goes to {stage} by tr_9"


def test_another_version_in_production_ends_the_days_of_labels(world: World, begin: Any) -> None:
    rollout = in_production(world, begin)
    world.serve(3, "Production")
    world.label(rollout, **WORSE)
    world.conductor.run()
    assert (world.get(rollout).status, world.get(rollout).note) == ("succeeded", "version 3 is in Production now")
    assert world.get(rollout).rollback_id is None


def test_while_labels_are_awaited_there_is_no_other_rollout_until_it_is_completed(world: World, begin: Any) -> None:
    rollout = in_production(world, begin)
    world.serve(3, "Staging")
    with pytest.raises(Conflict, match="complete it, or wait for its end"):
        begin(version=3)
    for refused in (world.requests.pause, world.requests.resume):
        with pytest.raises(Conflict, match="is baking, and this needs one that is"):
            refused(MODEL, rollout.rollout_id)
    with pytest.raises(Conflict, match="is baking, and this needs one that is awaiting_approval or starting"):
        world.requests.abort(MODEL, rollout.rollout_id, None, "bob")
    completed = world.requests.complete(MODEL, rollout.rollout_id)
    assert completed.status is RolloutStatus.SUCCEEDED
    assert begin(version=3).status is RolloutStatus.RUNNING


def _survives(world: World, fatal: int, action: Any) -> None:
    world.effects.begin(fatal)
    try:
        action()
    except Crash:
        pass
    finally:
        world.effects.fatal = None


@pytest.mark.parametrize("fatal", range(1, 8))
def test_a_crash_after_any_step_to_the_days_of_labels_and_back_converges(world: World, begin: Any, fatal: int) -> None:
    rollout = begin(**WATCHED)
    world.count(rollout, **FINE)
    world.minutes(2)
    world.conductor.run()
    world.serve(2, "Production")
    transition = world.transitions.get(MODEL, str(world.get(rollout).transition_id))
    world.transitions.finish(transition, TransitionStatus.SUCCEEDED)
    _survives(world, fatal, world.conductor.run)
    world.conductor.run()
    assert (world.get(rollout).status, world.live()) == (RolloutStatus.BAKING, None)
    world.label(rollout, **WORSE)
    _survives(world, fatal, world.conductor.run)
    world.conductor.run()
    returning = world.get(rollout)
    assert returning.status is RolloutStatus.RETURNING
    bring_back(world, returning)
    _survives(world, fatal, world.conductor.run)
    world.conductor.run()
    world.conductor.run()
    assert world.get(rollout).status is RolloutStatus.ROLLED_BACK
    assert (world.table.open_of(MODEL), world.table.all_open()) == (None, [])
    assert [status for status, _ in world.entries()] == ["starting", "rolled_back"]
    assert [each.version for each in world.transitions.productions(MODEL)] == [2, 1]
