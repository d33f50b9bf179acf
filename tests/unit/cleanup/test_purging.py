"""What was 30 days in the bin is gone for good, with its files and all their old versions, and nothing else is."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cleanup.purging import Needed
from mlops.domain.access import Caller
from mlops.domain.bin import EXPERIMENTS_CHAIN, BinEntry
from mlops.domain.errors import Conflict
from mlops.domain.timestamps import before
from mlops.removal.deletions import Wish
from tests.support.crashes import Crash
from tests.unit.cleanup.conftest import BUCKET, MODEL, World

ANN = Caller("ann", "admin")
OVER = before(timedelta(seconds=1))
FIRST, SECOND = "1" * 32, "2" * 32
SHA256, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def lab(world: World) -> World:
    """Two runs that have made versions 5 and 6, which have the same file; 5 has its own logged model and proof."""
    registry = world.registry
    number = registry.add_experiment("lab")
    for run_id in (FIRST, SECOND):
        registry.add_run(number, run_id)
        registry.log_model(run_id, f"m-{run_id}")
        registry.add_version(MODEL, run_id=run_id, model_id=f"m-{run_id}", sha256=SHA256)
    for run_id in (FIRST, SECOND):
        world.put(f"mlflow/1/{run_id}/artifacts/proof.npz", f"mlflow/1/{run_id}/artifacts/model_card.md")
        world.put(f"mlflow/1/models/m-{run_id}/artifacts/model.onnx")
    world.put(
        f"serving/{MODEL}/{SHA256}.onnx", f"serving/{MODEL}/{SHA256}.explain.npz", f"serving/{MODEL}/{OTHER}.onnx"
    )
    world.put(f"conversions/{MODEL}/5/conv_1/x.onnx", f"conversions/{MODEL}/50/conv_2/x.onnx")
    return world


def over(world: World, version: int | None = None) -> BinEntry:
    """Put a version, or the model, into the bin, 30 days ago."""
    wish = Wish.of(ANN, "x")
    entry = (
        world.deletions().delete_version(MODEL, version, wish)
        if version
        else world.deletions().delete_model(MODEL, wish)
    )
    world.age(entry.identity, until=OVER)
    (due,) = world.purging().due()
    return due


def test_what_belongs_to_a_version_alone_is_removed(lab: World) -> None:
    before_it = lab.objects()
    freed = lab.purging().purge(over(lab, 5))
    gone = [
        f"conversions/{MODEL}/5/conv_1/x.onnx",
        f"mlflow/1/{FIRST}/artifacts/proof.npz",
        f"mlflow/1/models/m-{FIRST}/artifacts/model.onnx",
    ]
    assert sorted(set(before_it) - set(lab.objects())) == gone, "version 6 has the same file in serving/"
    assert freed == 20 * len(gone), "the old versions, too"
    assert lab.registry.registered[MODEL].versions[5] is None
    assert lab.registry.add_version(MODEL) == 7, "its number is not given again"
    assert lab.bin.records.all() == []
    assert [entry["change"] for entry in lab.entries()] == ["deleted", "purged"]
    assert lab.entries()[-1]["freed_bytes"] == freed
    lab.check_history()
    assert lab.purging().purge(over(lab, 6)) == 20 * 4
    assert [key for key in lab.objects() if SHA256 in key] == []
    assert f"serving/{MODEL}/{OTHER}.onnx" in lab.objects()


def test_a_model_goes_with_all_its_versions_and_stays_as_a_tombstone(lab: World) -> None:
    due = over(lab)
    lab.purging().purge(due)
    assert set(lab.registry.registered[MODEL].versions.values()) == {None}
    assert lab.registry.registered[MODEL].hidden, "until somebody registers a version again"
    assert [key for key in lab.objects() if "serving" in key] == [f"serving/{MODEL}/{OTHER}.onnx"]


def test_a_version_that_is_registered_later_is_not_purged_with_its_model(lab: World) -> None:
    due = over(lab)
    number = lab.registry.add_version(MODEL, sha256=SHA256)
    lab.purging().purge(due)
    assert lab.registry.version(MODEL, number).version == number
    assert f"serving/{MODEL}/{SHA256}.onnx" in lab.objects()


@pytest.mark.parametrize("source", ["mlflow/", "mlflow/1", f"mlflow/1/{SECOND}/artifacts", "serving"])
def test_a_version_that_was_registered_with_any_address_removes_nothing_there(lab: World, source: str) -> None:
    number = lab.registry.add_version(MODEL, run_id="", model_id="")
    versions: Any = lab.registry.registered[MODEL].versions
    versions[number] = replace(versions[number], source=f"s3://{BUCKET}/{source}", run_id=FIRST)
    before_it = lab.objects()
    lab.purging().purge(over(lab, number))
    assert lab.objects() == before_it, "its run has another version"
    number = lab.registry.add_version(MODEL, run_id=FIRST, model_id=f"m-{SECOND}")
    lab.purging().purge(over(lab, number))
    assert lab.objects() == before_it, "the logged model is another run's"


def test_what_serves_by_now_is_kept(lab: World) -> None:
    due = over(lab, 5)
    lab.registry.registered[MODEL].aliases["production"] = 5  # by hand
    with pytest.raises(Needed, match="version 5 has the alias production"):
        lab.purging().purge(due)
    assert lab.bin.records.version(MODEL, 5) is not None
    lab.registry.registered[MODEL].aliases.clear()
    lab.mirror().look()
    assert lab.purging().purge(due) is not None


def test_a_run_goes_after_its_version_and_an_experiment_with_all_its_runs(lab: World) -> None:
    over(lab, 5)
    experiments = lab.experiments()
    found = experiments.experiment("lab")
    entry = experiments.delete_run(found, FIRST, Wish.of(ANN, "x"))
    lab.age(entry.identity, until=OVER)
    version, run = lab.purging().due()
    with pytest.raises(Needed, match="version 5 of 'churn' was made by it"):
        lab.purging().purge(run)
    lab.purging().purge(version)
    assert lab.purging().purge(run) == 20, "the card is left; the proof and the model went with the version"
    assert [key for key in lab.objects() if FIRST in key] == []
    over(lab, 6)
    entry = experiments.delete(found, Wish.of(ANN, "x"))
    lab.age(entry.identity, until=OVER)
    for due in lab.purging().due():
        lab.purging().purge(due)
    assert [key for key in lab.objects() if key.startswith("mlflow/")] == []
    assert [each["change"] for each in lab.entries(EXPERIMENTS_CHAIN)] == ["deleted", "purged"] * 2
    lab.check_history(EXPERIMENTS_CHAIN)


def test_what_somebody_has_restored_in_mlflow_is_taken_out_of_the_bin(lab: World) -> None:
    found = lab.experiments().experiment("lab")
    lab.deletions().delete_version(MODEL, 5, Wish.of(ANN, "x"))
    entry = lab.experiments().delete_run(found, FIRST, Wish.of(ANN, "x"))
    lab.age(entry.identity, until=OVER)
    (due,) = lab.purging().due()
    lab.registry.set_run_deleted(FIRST, False)
    keys = lab.objects()
    assert lab.purging().purge(due) is None
    assert lab.objects() == keys
    assert lab.bin.records.find(entry.identity) is None
    assert lab.entries(EXPERIMENTS_CHAIN)[-1]["change"] == "restored"


STEPS = 6
"""Changes that purging version 5 takes."""


def test_the_number_of_steps_is_known(lab: World) -> None:
    due = over(lab, 5)
    lab.effects.begin(None)
    lab.purging().purge(due)
    assert lab.effects.count == STEPS


@pytest.mark.parametrize("fatal", range(1, STEPS + 1))
def test_whoever_dies_while_purging_the_next_round_ends_it(lab: World, fatal: int) -> None:
    due = over(lab, 5)
    lab.effects.begin(fatal)
    with pytest.raises(Crash):
        lab.purging().purge(due)
    lab.effects.begin(None)
    for again in lab.purging().due():
        with pytest.raises(Conflict, match="cannot be restored any more"):
            lab.deletions().restore(again, ANN, None)
        lab.purging().purge(again)
    assert lab.registry.registered[MODEL].versions[5] is None
    assert [key for key in lab.objects() if f"m-{FIRST}" in key or f"{MODEL}/5/" in key] == []
    assert f"serving/{MODEL}/{SHA256}.onnx" in lab.objects()
    assert [each["change"] for each in lab.entries()] == ["deleted", "purged"]
    lab.check_history()


def test_two_rounds_at_once_do_no_harm(lab: World) -> None:
    due = over(lab, 5)
    first, second = lab.purging(), lab.purging()
    end = lab.bin.end
    assert lab.bin.records.begin_purge(due)
    assert second.purge(due) is not None
    assert first.purge(due) is None
    with pytest.raises(Exception, match="look at it again"):
        end(due, 0)
    assert [each["change"] for each in lab.entries()] == ["deleted", "purged"]
