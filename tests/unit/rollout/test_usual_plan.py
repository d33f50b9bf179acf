"""What a request for a rollout leaves out is as the settings of its model say."""

from typing import Any

import pytest

from mlops.api.schemas.rollouts import RolloutRequest
from mlops.domain.errors import ValidationFailed
from mlops.domain.model_settings import ModelSettings, StoredSettings
from mlops.domain.rollout.plan import Plan
from tests.unit.rollout.conftest import ADA, MODEL, World

USUAL = Plan.model_validate(
    {
        "steps": [{"weight": 10.0, "minutes": 20}],
        "shadow_minutes": 0,
        "guardrails": {"max_latency_ratio": None, "max_error_rate": 0.05},
    }
)


def planned(usual: Plan | None, **fields: Any) -> Plan:
    return RolloutRequest.model_validate({"version": 2, **fields}).plan(usual)


def test_the_setting_is_the_plan_where_the_request_says_nothing() -> None:
    assert planned(USUAL).model_dump() == USUAL.model_dump()
    own = planned(USUAL, shadow_minutes=7, guardrails={"max_error_rate": 0.5, "max_disagreement": None})
    assert (own.shadow_minutes, own.steps) == (7, USUAL.steps)
    found = own.guardrails
    assert (found.max_latency_ratio, found.max_error_rate, found.max_disagreement) == (None, 0.5, None)


def test_without_a_setting_the_plan_has_its_own_defaults_and_needs_steps() -> None:
    plan = planned(None, steps=[{"weight": 50.0, "minutes": 5}])
    assert (plan.shadow_minutes, plan.guardrails.max_latency_ratio) == (30, 2.0)
    with pytest.raises(ValidationFailed) as refused:
        planned(None)
    assert refused.value.extra["errors"][0]["field"] == "steps"
    assert "rollout.steps" in refused.value.extra["errors"][0]["message"]


def test_parts_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationFailed) as refused:
        planned(USUAL, bake_days=3)
    assert "min_accuracy_delta" in refused.value.extra["errors"][0]["message"]


def test_a_rollout_begins_with_the_plan_of_its_model(world: World) -> None:
    stored = StoredSettings(1, ModelSettings(rollout=USUAL), "ann", "ann", "2026-01-01T00:00:00.000Z", "usual")
    world.history.change_settings(MODEL, stored)
    rollout = world.requests.start(MODEL, RolloutRequest(version=2), ADA, "request-1")
    assert rollout.plan.model_dump() == USUAL.model_dump()
    assert (world.live().weight, rollout.plan.guardrails.max_latency_ratio) == (10.0, None)
