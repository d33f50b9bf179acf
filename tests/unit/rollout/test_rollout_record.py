"""Plans are checked, and records are read again as they were."""

import pytest
from pydantic import ValidationError

from mlops.domain.rollout.counts import Counts
from mlops.domain.rollout.guardrails import findings
from mlops.domain.rollout.plan import Plan
from mlops.domain.rollout.rollout import Figure, RecordError, Rollout, RolloutStatus, new_rollout_id

PLAN = Plan.model_validate({"steps": [{"weight": 5, "minutes": 30}, {"weight": 25.5, "minutes": 60}]})


def rollout(**changes):
    return Rollout("ro_1", "churn", 7, "a" * 64, 6, PLAN, "ada", **changes)


def test_a_plan_has_defaults():
    assert PLAN.weights == (0.0, 5, 25.5)
    assert PLAN.step_of(0) is None
    assert PLAN.step_of(1) is PLAN.steps[0]
    assert PLAN.guardrails.tested == 3
    assert Plan.model_validate({"steps": [{"weight": 5, "minutes": 1}], "shadow_minutes": 0}).weights == (5,)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"steps": []}, "at least 1 item"),
        ({"steps": [{"weight": 0, "minutes": 1}]}, "greater than 0"),
        ({"steps": [{"weight": 101, "minutes": 1}]}, "less than or equal to 100"),
        ({"steps": [{"weight": 5, "minutes": 1}, {"weight": 5, "minutes": 1}]}, "larger weight than the one before"),
        ({"steps": [{"weight": 5, "minutes": 10, "max_minutes": 9}]}, "max_minutes must be at least minutes"),
        ({"steps": [{"weight": 5, "minutes": 1}], "shadow_share": 0.0}, "greater than 0"),
        ({"steps": [{"weight": 5, "minutes": 1}], "guardrails": {"max_error_rate": 1.0}}, "less than 1"),
        (
            {"steps": [{"weight": 5, "minutes": 1}], "guardrails": {"min_accuracy_delta": 0.1}},
            "less than or equal to 0",
        ),
        ({"steps": [{"weight": 5, "minutes": 1}], "guardrails": {"max_errors": 0.1}}, "Extra inputs"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(plan, message):
    with pytest.raises(ValidationError, match=message):
        Plan.model_validate(plan)


def test_a_record_is_read_as_it_was():
    figures = tuple(map(Figure.of, findings(PLAN.guardrails, [Counts(asked=100, failed=3, pairs=97, slower=60)], 3)))
    before = rollout(
        status=RolloutStatus.PAUSED, phase=2, figures=figures, note="waits", request_id="r1", actor_owner="ada"
    )
    assert Rollout.from_record({**before.to_record(), "a later field": 1}) == before
    assert before.figures[0].observed == 0.03
    assert 0 < before.figures[1].evidence < 1


def test_the_weight_is_that_of_the_phase_until_the_end():
    assert [rollout(phase=phase).weight for phase in range(3)] == [0, 5, 25.5]
    assert rollout(phase=2, status=RolloutStatus.ROLLED_BACK).weight == 0


@pytest.mark.parametrize(
    "change", [{"plan": "{}"}, {"status": "dancing"}, {"phase": 3}, {"version": "seven"}, {"sha256": None}]
)
def test_a_damaged_record_is_named(change):
    with pytest.raises(RecordError, match="ro_1"):
        Rollout.from_record({**rollout().to_record(), **change})


def test_ids_sort_by_time():
    assert new_rollout_id() < "ro_ffffffffffff"
    assert len(new_rollout_id()) == 23
