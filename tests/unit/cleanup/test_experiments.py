"""Experiments and runs go into the bin and come back, over the API."""

from typing import Any

import pytest

from mlops.domain.access import Caller
from mlops.domain.bin import CLAIM, EXPERIMENTS_CHAIN
from mlops.domain.timestamps import before
from mlops.removal.deletions import Wish
from tests.support.crashes import Crash
from tests.unit.cleanup.conftest import MODEL, Ask, World

ANN = Caller("ann", "admin")
ROUTE = "/experiments/lab"


@pytest.fixture
def lab(world: World) -> World:
    """An experiment with three runs."""
    number = world.registry.add_experiment("lab")
    for run_id in ("a", "b", "c"):
        world.registry.add_run(number, run_id)
    return world


def deleted(world: World) -> list[str]:
    return [run_id for run_id, info in world.registry.run_infos.items() if info["lifecycle_stage"] == "deleted"]


def test_a_run_is_deleted_and_restored(ask: Ask, lab: World) -> None:
    status, entry = ask("DELETE", f"{ROUTE}/runs/a", reason="a typo")
    assert (status, entry["kind"], entry["name"], entry["run_id"], entry["experiment_id"]) == (
        200,
        "run",
        "lab",
        "a",
        "1",
    )
    assert deleted(lab) == ["a"]
    assert ask("DELETE", f"{ROUTE}/runs/a", reason="again")[1] == entry
    assert ask("POST", f"{ROUTE}/runs/a/restore", {"reason": "no typo"})[0] == 200
    assert deleted(lab) == []
    assert [(each["change"], each["reason"]) for each in lab.entries(EXPERIMENTS_CHAIN)] == [
        ("deleted", "a typo"),
        ("restored", "no typo"),
    ]
    lab.check_history(EXPERIMENTS_CHAIN)
    assert ask("POST", f"{ROUTE}/runs/a/restore", {})[0] == 404


def test_an_experiment_takes_its_runs_along_and_back(ask: Ask, lab: World) -> None:
    ask("DELETE", f"{ROUTE}/runs/b", reason="by itself")
    status, entry = ask("DELETE", ROUTE, reason="over")
    assert (status, entry["kind"], entry["name"]) == (200, "experiment", "lab")
    assert deleted(lab) == ["a", "b", "c"]
    status, problem = ask("DELETE", f"{ROUTE}/runs/a", reason="x")
    assert (status, "restore it with POST /experiments/1/restore" in problem["detail"]) == (409, True)
    assert ask("POST", "/experiments/1/restore", {})[0] == 200
    assert deleted(lab) == ["b"], "MLflow restores all runs; this one was deleted by itself"


def test_the_versions_that_keep_a_run_are_named(ask: Ask, lab: World) -> None:
    first = lab.registry.add_version(MODEL, run_id="a")
    second = lab.registry.add_version("other", run_id="a")
    for route in (f"{ROUTE}/runs/a", ROUTE):
        status, problem = ask("DELETE", route, reason="x", force="true")
        assert (status, problem["code"]) == (409, "in_use")
        assert {(each["model_name"], each["version"]) for each in problem["kept"]} == {
            (MODEL, first),
            ("other", second),
        }
        assert f"DELETE /models/{MODEL}/versions/{first}" in problem["detail"]
    assert ask("DELETE", f"/models/{MODEL}/versions/{first}", reason="x")[0] == 200
    assert ask("DELETE", ROUTE, reason="x")[0] == 409
    assert ask("DELETE", "/models/other", reason="x")[0] == 200
    assert ask("DELETE", ROUTE, reason="x")[0] == 200


def test_what_has_not_ended_is_kept_unless_forced(ask: Ask, lab: World) -> None:
    lab.registry.run_infos["c"]["status"] = "RUNNING"
    for route in (f"{ROUTE}/runs/c", ROUTE):
        status, problem = ask("DELETE", route, reason="x")
        assert (status, problem["kept"]) == (409, [{"run_id": "c", "reasons": ["has not ended"]}])
        assert "Cancel its job" in problem["detail"]
    assert lab.bin.records.all() == []
    assert ask("DELETE", f"{ROUTE}/runs/c", reason="its machine died", force="true")[0] == 200


def test_what_is_not_there_is_said(ask: Ask, lab: World) -> None:
    lab.registry.add_experiment("other")
    assert ask("DELETE", "/experiments/nowhere", reason="x")[0] == 404
    assert ask("DELETE", f"{ROUTE}/runs/z", reason="x")[0] == 404
    assert ask("DELETE", "/experiments/other/runs/a", reason="x")[0] == 404
    ask("DELETE", f"{ROUTE}/runs/a", reason="x")
    assert ask("POST", "/experiments/other/runs/a/restore", {})[0] == 404
    lab.registry.set_run_deleted("b", True)
    status, problem = ask("DELETE", f"{ROUTE}/runs/b", reason="x")
    assert (status, "was deleted in MLflow; restore it there" in problem["detail"]) == (404, True)


def walk(world: World, restoring: bool) -> None:
    experiments: Any = world.experiments()
    found = experiments.experiment("lab")
    if restoring:
        experiments.restore(found, ANN, None)
    else:
        experiments.delete(found, Wish.of(ANN, "x"))


@pytest.mark.parametrize("restoring", [False, True])
def test_whoever_dies_in_between_the_next_look_or_request_completes_it(lab: World, restoring: bool) -> None:
    found = lab.experiments().experiment("lab")
    lab.experiments().delete_run(found, "b", Wish.of(ANN, "by itself"))
    if restoring:
        walk(lab, restoring=False)
    fatal = 1
    while True:
        lab.effects.begin(fatal)
        try:
            walk(lab, restoring)
        except Crash:
            fatal += 1
        else:
            break
        lab.effects.begin(None)
        lab.mirror().look()
        entry = lab.bin.records.find("experiment/1")
        assert deleted(lab) == (["a", "b", "c"] if entry and entry.state == "kept" else ["b"])
        if entry is not None and entry.state == "claimed":
            lab.age(entry.identity, deleted_at=before(CLAIM * 2))
        elif (entry is None) is restoring:  # done, though nobody heard of it
            walk(lab, not restoring)
    assert fatal > 3
    lab.check_history(EXPERIMENTS_CHAIN)
