"""Versions and models go into the bin and come back, over the API, with their history."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deletions import app
from mlops.api.auth import AccessKeys
from mlops.domain.access import Caller
from mlops.domain.bin import CLAIM, BinEntry, BinKind
from mlops.domain.conversion import Conversion
from mlops.domain.rollout.plan import Plan
from mlops.domain.rollout.rollout import Rollout, new_rollout_id
from mlops.domain.stages import Stage
from mlops.domain.timestamps import before, text_of
from mlops.domain.transition import Transition, TransitionStatus, new_transition_id
from mlops.removal.deletions import Wish
from tests.support import gateway
from tests.support.crashes import Crash
from tests.support.serving import served
from tests.unit.cleanup.conftest import BUCKET, MODEL, Ask, World
from tests.unit.core.test_access_table import batch_prediction

ANN = Caller("ann", "admin")
VERSION = f"/models/{MODEL}/versions/2"
PLAN = Plan.model_validate({"steps": [{"weight": 5, "minutes": 30}]})


def test_a_version_is_deleted_listed_and_restored(ask: Ask, world: World) -> None:
    status, deleted = ask("DELETE", VERSION, reason="it leaks")
    assert status == 200
    assert (deleted["kind"], deleted["version"], deleted["actor"], deleted["state"]) == ("version", 2, "ann", "kept")
    kept = datetime.fromisoformat(deleted["until"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < kept <= timedelta(days=30)
    assert world.registry.hidden(MODEL) == [2]
    assert ask("GET", "/bin") == (200, {"entries": [deleted], "total_count": 1, "next_cursor": None})

    assert ask("DELETE", VERSION, reason="again")[1] == deleted, "it is there already, for the first reason"
    assert ask("POST", f"{VERSION}/restore", {"reason": "it does not"})[0] == 200
    assert world.registry.hidden(MODEL) == []
    assert ask("GET", "/bin")[1]["entries"] == []
    said = [(entry["change"], entry["version"], entry["actor"], entry["reason"]) for entry in world.entries()]
    assert said == [("deleted", 2, "ann", "it leaks"), ("restored", 2, "ann", "it does not")]
    world.check_history()


def test_a_model_is_deleted_with_the_versions_that_are_not_in_the_bin_yet(ask: Ask, world: World) -> None:
    assert ask("DELETE", VERSION, reason="first")[0] == 200
    status, deleted = ask("DELETE", f"/models/{MODEL}", reason="all of it")
    assert (status, deleted["kind"], deleted["versions"]) == (200, "model", [1, 3, 4])
    assert world.registry.registered[MODEL].hidden
    assert world.registry.hidden(MODEL) == [1, 2, 3, 4]
    status, problem = ask("POST", f"/models/{MODEL}/versions/3/restore", {})
    assert status == 409
    assert f"restore it with POST /models/{MODEL}/restore" in problem["detail"]
    assert ask("POST", f"/models/{MODEL}/restore")[0] == 200
    assert not world.registry.registered[MODEL].hidden
    assert world.registry.hidden(MODEL) == [2], "it was deleted by itself"


def test_what_is_not_there_is_said_with_the_remedy(ask: Ask, world: World) -> None:
    assert ask("DELETE", f"/models/{MODEL}/versions/9", reason="x")[0] == 404
    assert ask("DELETE", "/models/nobody", reason="x")[0] == 404
    status, problem = ask("POST", f"{VERSION}/restore")
    assert (status, problem["detail"]) == (404, "Version 2 of 'churn' is not in the bin; GET /bin lists what is")
    status, problem = ask("DELETE", VERSION)
    assert (status, problem["errors"][0]["field"]) == (422, "reason")
    assert world.entries() == []


def in_use(ask: Ask, version: int, force: bool = False) -> str:
    """Why a version cannot be deleted; empty if it can."""
    query = {"reason": "x", **({"force": "true"} if force else {})}
    status, answer = ask("DELETE", f"/models/{MODEL}/versions/{version}", **query)
    if status == 200:
        return ""
    assert (status, answer["code"]) == (409, "in_use"), answer
    assert answer["kept"][0]["version"] == version
    return str(answer["detail"])


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_what_serves_is_kept_even_with_force(ask: Ask, world: World, stage: Stage) -> None:
    world.moved(2, stage)
    assert f"has the alias {stage.lower()}" in in_use(ask, 2, force=True)
    assert world.registry.hidden(MODEL) == []
    assert world.bin.records.all() == [], "the claim is gone"
    assert world.entries() == []
    status, problem = ask("DELETE", f"/models/{MODEL}", reason="x", force="true")
    assert (status, [each["version"] for each in problem["kept"]]) == (409, [2])


def test_what_predict_still_answers_with_is_kept_whatever_mlflow_says(ask: Ask, world: World) -> None:
    for key, data in served(3, model_name=MODEL, features=4, image=None, classes=2).objects().items():
        world.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
    assert "serves Production" in in_use(ask, 3, force=True)


def test_what_is_under_way_is_kept(ask: Ask, world: World) -> None:
    made = Transition(new_transition_id(), MODEL, 2, Stage.STAGING, "ann", replaced_version=3)
    world.transitions.create(made)
    for version in (2, 3):
        assert made.transition_id in in_use(ask, version, force=True)
    world.transitions.finish(made, TransitionStatus.REJECTED)
    rollout = Rollout(new_rollout_id(), MODEL, 2, "f" * 64, 3, PLAN, "ann")
    assert world.rollouts.create(rollout)
    for version in (2, 3):
        assert rollout.rollout_id in in_use(ask, version, force=True)
    world.batches.create(batch_prediction("batch_1", MODEL))
    assert "batch_1" in in_use(ask, 1, force=True)
    world.conversions.claim(Conversion(MODEL, 4, "conv_1", "", "ann"))
    assert "being converted" in in_use(ask, 4, force=True)


def test_what_a_rollback_can_bring_back_is_kept_for_30_days_unless_forced(ask: Ask, world: World) -> None:
    old, young = (text_of(datetime.now(UTC) - timedelta(days=days)) for days in (31, 29))
    for version, at in ((1, old), (2, old), (3, young), (4, young)):
        world.moved(version, at=at)
    # 1 left Production 31 days ago, 2 and 3 less than 30.
    assert in_use(ask, 1) == ""
    assert "can be brought back by a rollback until" in in_use(ask, 2)
    assert "with force" in in_use(ask, 3)
    assert in_use(ask, 3, force=True) == ""
    assert [entry["force"] for entry in world.entries()] == [False, True]


def test_it_is_too_late_after_30_days(ask: Ask, world: World) -> None:
    ask("DELETE", VERSION, reason="x")
    world.age(f"version/2/{MODEL}", until=before(timedelta(seconds=1)))
    status, problem = ask("POST", f"{VERSION}/restore", {})
    assert (status, "cannot be restored any more" in problem["detail"]) == (409, True)
    assert world.registry.hidden(MODEL) == [2]


def test_a_version_registered_later_under_the_same_number_is_not_in_the_bin(ask: Ask, world: World) -> None:
    """Somebody deletes the model in MLflow, and trains it again."""
    ask("DELETE", VERSION, reason="x")
    world.age(f"version/2/{MODEL}", deleted_at=before(timedelta(hours=1)))
    assert world.bin.records.version(MODEL, 2, before(timedelta(minutes=1))) is None
    assert world.bin.records.version(MODEL, 2, before(timedelta(hours=2))) is not None


def test_the_bin_is_read_page_by_page_and_has_what_the_key_is_for(ask: Ask, world: World) -> None:
    for version in (1, 2, 3):
        ask("DELETE", f"/models/{MODEL}/versions/{version}", reason="x")
    _, first = ask("GET", "/bin", limit="2")
    _, second = ask("GET", "/bin", limit="2", cursor=first["next_cursor"])
    assert [entry["version"] for page in (first, second) for entry in page["entries"]] == [1, 2, 3]
    assert second["next_cursor"] is None
    AccessKeys.from_environment().add("other", "eve", "admin", models=("other*",))
    event = gateway.api_event("GET", "/bin", key="other")
    assert json.loads(app.handler(event, gateway.CONTEXT)["body"])["total_count"] == 0


def test_a_claim_keeps_others_away_until_it_lapses(ask: Ask, world: World) -> None:
    claim = BinEntry(BinKind.VERSION, MODEL, "x", "bob", version=2)
    world.bin.records.claim(claim)
    status, problem = ask("DELETE", VERSION, reason="x")
    assert (status, "being deleted just now" in problem["detail"]) == (409, True)
    world.age(f"version/2/{MODEL}", deleted_at=before(CLAIM + timedelta(seconds=1)))
    assert world.bin.records.version(MODEL, 2) is None
    assert ask("DELETE", VERSION, reason="x")[0] == 200
    with pytest.raises(Exception, match="look at it again"):
        world.bin.put_in(claim)


def states(world: World) -> Any:
    entry = world.bin.records.version(MODEL, 2)
    return (entry is not None, world.registry.hidden(MODEL), [each["change"] for each in world.entries()])


@pytest.mark.parametrize("whole", [False, True], ids=["version", "model"])
def test_whoever_dies_while_deleting_or_restoring_the_next_request_or_look_completes_it(aws: None, whole: bool) -> None:
    def walk(world: World, restoring: bool) -> None:
        deletions = world.deletions()
        if restoring and whole:
            deletions.restore_model(MODEL, ANN, None)
        elif restoring:
            deletions.restore_version(MODEL, 2, ANN, None)
        elif whole:
            deletions.delete_model(MODEL, Wish.of(ANN, "x"))
        else:
            deletions.delete_version(MODEL, 2, Wish.of(ANN, "x"))

    world, steps = World(), []
    hidden = [1, 2, 3, 4] if whole else [2]
    for restoring in (False, True):
        world.effects.begin(None)
        walk(world, restoring)
        steps.append(world.effects.count)
    assert min(steps) >= 3
    assert states(world) == (False, [], ["deleted", "restored"])
    for restoring, count in zip((False, True), steps, strict=True):
        for fatal in range(1, count + 1):
            if restoring:
                walk(world, restoring=False)
            world.effects.begin(fatal)
            with pytest.raises(Crash):
                walk(world, restoring)
            world.effects.begin(None)
            identity = f"model/{MODEL}" if whole else f"version/2/{MODEL}"
            world.mirror().look()
            if world.bin.records.find(identity) is None:
                assert restoring, "the record is there from the first step on"
                assert world.registry.hidden(MODEL) == []
                continue
            if world.bin.records.find(identity).state == "claimed":  # type: ignore[union-attr]
                assert world.registry.hidden(MODEL) == []
                world.age(identity, deleted_at=before(CLAIM + timedelta(seconds=1)))
                walk(world, restoring=False)
            assert world.registry.hidden(MODEL) == hidden, (restoring, fatal)
            walk(world, restoring=True)
            assert world.registry.hidden(MODEL) == []
    world.check_history()
    assert {each["change"] for each in world.entries()} == {"deleted", "restored"}


def test_a_look_that_crosses_a_restore_leaves_nothing_hidden(world: World) -> None:
    entry = world.deletions().delete_version(MODEL, 2, Wish.of(ANN, "x"))
    world.deletions().restore_version(MODEL, 2, ANN, None)
    world.mirror().hide(entry)  # of a look that had read the record before
    assert world.registry.hidden(MODEL) == []
    world.registry.hide_version(MODEL, 3)  # it died in between
    assert world.mirror().show_strays(world.bin.records.all()) == [f"{MODEL} 3"]
    assert world.registry.hidden(MODEL) == []
