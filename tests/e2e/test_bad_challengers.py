"""Bad challengers of five kinds over the whole local stack: each is rolled back, and nobody gets an error for it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.api import Api
from mlops.aws.rollout_files import RolloutFiles
from tests.integration.registry_world import World, make_world
from tests.support.bad_challengers import kinds
from tests.support.watched_rollouts import CHALLENGER, CHAMPION, WEIGHT, Watched, watch_all

pytestmark = pytest.mark.slow
SECONDS = 400
"""A look a minute, some seconds until the lines are counted, and a machine that others use too."""
NAMES = [kind.name for kind in kinds()]
Told = tuple[World, Watched]


@pytest.fixture(scope="module")
def told(api: Api, stack: Any) -> Iterator[dict[str, Told]]:
    """By the name of its kind: the model, and the rollout that has ended. All of them run at once."""
    with pytest.MonkeyPatch.context() as patch:
        worlds = {name: make_world(stack, patch, f"bad-{name.replace(' ', '-')}") for name in NAMES}
        watched = watch_all(api, worlds, SECONDS)
        yield {name: (worlds[name], watched[name]) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_rolled_back_by_the_guardrail_that_it_breaks(told: dict[str, Told], api: Api, name: str) -> None:
    world, watched = told[name]
    rollout = watched.rollout
    assert (rollout["status"], rollout["broken"], rollout["weight"]) == ("rolled_back", watched.kind.guardrail, 0)
    figure = watched.figure
    assert figure["observations"] > 0
    # A share of the compared requests may be half of them at most, and the accuracy may only be lower by the limit.
    limit = 0.5 if watched.kind.guardrail == "max_latency_ratio" else figure["limit"]
    beyond = figure["observed"] < limit if watched.kind.guardrail.startswith("min_") else figure["observed"] > limit
    assert beyond, figure
    assert figure["evidence"] == 1
    assert api.get(f"/models/{world.model}")["production_version"] == CHAMPION
    assert RolloutFiles(world.bucket).read(world.model) is None


@pytest.mark.parametrize("name", NAMES)
def test_it_has_answered_no_more_than_its_customers(told: dict[str, Told], name: str) -> None:
    _, watched = told[name]
    assert watched.by_challenger, "callers have got its answers"
    assert all(watched.is_chosen(each) for each in watched.by_challenger)
    assert {each.version for each in watched.by_challenger} == {CHALLENGER}
    assert {each.version for each in watched.during if each.variant is None} == {CHAMPION}
    assert watched.share < 1.5 * WEIGHT / 100, watched.share
    (counts,) = watched.rollout["phases"]
    assert 0 < counts["canary"] <= len(watched.by_challenger), "lines may still be on their way"


@pytest.mark.parametrize("name", NAMES)
def test_no_caller_got_an_error(told: dict[str, Told], name: str) -> None:
    _, watched = told[name]
    assert {each.status for each in (*watched.during, *watched.after)} == {200}


@pytest.mark.parametrize("name", NAMES)
def test_the_champion_answers_everybody_afterwards(told: dict[str, Told], name: str) -> None:
    _, watched = told[name]
    assert any(watched.is_chosen(each) for each in watched.after), "customers of the challenger are among them"
    assert {(each.version, each.variant) for each in watched.after} == {(CHAMPION, None)}


@pytest.mark.parametrize("name", NAMES)
def test_the_history_has_the_figures_and_the_counts(told: dict[str, Told], api: Api, name: str) -> None:
    world, watched = told[name]
    rollout = watched.rollout
    documents = [json.loads(entry.text) for entry in world.governance.entries(world.model)]
    began, ended = [each["detail"] for each in documents if each["kind"] == "rollout"]
    assert (began["status"], began["plan"]["steps"][0]["weight"]) == ("starting", WEIGHT)
    assert (ended["rollout_id"], ended["status"]) == (rollout["rollout_id"], "rolled_back")
    assert (ended["version"], ended["champion"]) == (CHALLENGER, CHAMPION)
    assert (ended["broken"], ended["note"]) == (rollout["broken"], rollout["note"])
    assert str(ended["note"]).startswith(f"{watched.kind.guardrail}: ")
    assert ended["figures"] == rollout["figures"]
    (counts,) = ended["phases"]
    assert 0 < watched.figure["observations"] <= max(counts["asked"], counts["labelled"])
    assert api.get(f"/models/{world.model}/history?verify=true")["verification"]["valid"]


def test_the_champion_answers_what_a_crashing_challenger_cannot(told: dict[str, Told]) -> None:
    _, watched = told["crashing"]
    crashed = [each for each in watched.during if each.beyond and watched.is_chosen(each)]
    assert crashed
    assert {(each.status, each.version, each.variant) for each in crashed} == {(200, CHAMPION, None)}
    (counts,) = watched.rollout["phases"]
    assert 0 < counts["failed"] <= sum(each.beyond for each in watched.during)
    assert "requests failed" in watched.rollout["note"]


def test_a_drifting_challenger_answers_as_the_champion_at_first(told: dict[str, Told]) -> None:
    _, watched = told["drifting"]
    assert watched.seconds > 20, "for so long the rows are like those of its training"
    (counts,) = watched.rollout["phases"]
    assert counts["moved"]["g0"] > counts["moved"].get("l0", 0)


def test_labels_find_a_challenger_that_is_right_in_three_percent_fewer_of_the_rows(told: dict[str, Told]) -> None:
    _, watched = told["subtly worse"]
    (counts,) = watched.rollout["phases"]
    assert counts["lost"] > counts["won"] > 0
    assert counts["disagreed"] / 1000 < 0.2 * counts["pairs"], "what is compared without labels is within its limit"
