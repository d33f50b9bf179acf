"""Promotion on the real PostgreSQL, MLflow, DynamoDB and S3: crashes, the gate, archiving, mending."""

import hashlib
import itertools

import pytest

from mlops.aws.rollout_files import RolloutFiles
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.stages import Stage
from tests.integration.registry_world import ONNX, World, make_world, serving
from tests.support.crashes import Crash
from tests.support.serving import served

_numbers = itertools.count(1)


@pytest.fixture
def world(stack, monkeypatch) -> World:
    """A new model."""
    return make_world(stack, monkeypatch, f"promotion-{next(_numbers)}")


@pytest.mark.slow
def test_a_crash_after_each_single_change_converges_on_redelivery(world):
    """From Staging to Production in place of another, and back with the roles changed, until every change was the last.
    Each time a rollout of the version is under way, and ends first.

    tests/unit/registry walks the other scenarios on fakes.
    """
    before, after = world.version(), world.version()
    world.move(before, "Production")
    walked: list[str] = []
    for step in itertools.count(1):
        world.move(after, "Staging")
        rollout = world.begin_rollout(before, after)
        message, entries = world.ask(after, "Production", force=True), len(world.history())
        promoter = world.promoter()
        world.effects.begin(step)
        try:
            promoter.handle(message)
            died = False
        except Crash:
            died = True
        walked, world.effects.fatal = list(world.effects.seen), None
        world.promoter().handle(message)
        state = world.state()
        assert (state["aliases"], state["manifests"]) == ({"production": after}, {"Production": after}), walked[-1]
        assert state["tags"] == state["mlflow"] == {after: "Production", before: "Archived"}, (
            f"step {step}: {walked[-1]}"
        )
        assert (state["archived"], state["open"]) == ([before], []), walked[-1]
        assert world.history()[-1] == (after, "Production", "succeeded")
        assert len(world.history()) == entries
        ended = world.rollouts.get(world.model, rollout.rollout_id)
        assert (ended.status, str(message["transition_id"]) in str(ended.note)) == ("aborted", True), walked[-1]
        assert RolloutFiles(world.bucket).read(world.model) is None
        assert world.rollouts.open_of(world.model) is None
        if not died:
            break
        before, after = after, before
    # Alias, tags, MLflow's stages, manifest and file, the files' tags, history and event were all walked.
    assert set(walked) == {
        "registered-models/alias",
        "model-versions/set-tag",
        "model-versions/transition-stage",
        "put_object",
        "delete_object",
        "put_object_tagging",
        "update_item",
        "transact_write_items",
        "put_events",
    }
    assert step > 15


@pytest.mark.slow
def test_archiving_tags_the_files_and_a_rollback_takes_the_tag_away(world):
    first, second = world.version(), world.version()
    key = f"mlflow/tests/{world.model}/{first}/model.onnx"
    mine = {"Key": "owner", "Value": "me"}
    world.s3.put_object_tagging(Bucket=world.bucket, Key=key, Tagging={"TagSet": [mine]})
    world.move(first, "Production")
    world.move(second, "Production")
    assert world.state()["archived"] == [first]
    tags = world.s3.get_object_tagging(Bucket=world.bucket, Key=key)["TagSet"]
    assert sorted(tag["Key"] for tag in tags) == ["mlops-stage", "owner"]
    world.move(first, "Production", force=True)
    assert world.state()["archived"] == [second]
    assert world.s3.get_object_tagging(Bucket=world.bucket, Key=key)["TagSet"] == [mine]
    assert world.agrees()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"onnx": None}, "no model.onnx"),
        ({"onnx": b"not a model"}, "serves"),
        ({"onnx": ONNX[:-100]}, "serves"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"source": "s3://somebody-elses-bucket/mlflow/model"}, "not in the platform's bucket"),
        ({"onnx": ONNX + b"\0" * 2_000_000}, "bytes; at most"),
    ],
    ids=["no onnx", "not a model", "cut off", "wrong hash", "foreign bucket", "too large"],
)
def test_what_fails_integrity_is_rejected_even_with_force_and_production_stays(world, given, said):
    good = world.version()
    world.move(good, "Production")
    before = world.state()
    bad = world.version(**given)
    transition = world.move(bad, "Production", force=True)
    assert transition.status == "rejected"
    assert said in transition.error
    after = world.state()
    assert (after["aliases"], after["manifests"]) == (before["aliases"], before["manifests"])
    assert after["tags"] == {good: "Production", bad: "Registered"}


@pytest.mark.slow
def test_a_worse_version_is_rejected_unless_forced(world):
    good = world.version(accuracy=0.95, dataset_digest="d1")
    world.move(good, "Production")
    worse = world.version(accuracy=0.9, dataset_digest="d1")
    transition = world.move(worse, "Production")
    assert transition.status == "rejected"
    assert "0.9000" in transition.error
    assert [gate.check for gate in transition.gates if not gate.passed] == ["metric"]
    assert world.state()["manifests"] == {"Production": good}
    transition = world.move(worse, "Production", force=True)
    assert transition.status == "succeeded"
    assert world.agrees()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"accuracy": 0.99, "dataset_digest": "d2"}, "not comparable: measured on another data set"),
        ({"accuracy": None}, "not comparable: the run has no accuracy"),
        ({"accuracy": float("nan")}, "accuracy is nan"),
        ({"onnx": served(features=6, image=None, classes=2).onnx}, "6 features, and the version in Production has 4"),
    ],
    ids=["other data", "no accuracy", "nan", "other columns"],
)
def test_what_cannot_be_compared_is_rejected_unless_forced(world, given, said):
    good = world.version()
    world.move(good, "Production")
    other = world.version(**given)
    transition = world.move(other, "Production")
    assert transition.status == "rejected"
    assert said in transition.error
    assert world.state()["manifests"] == {"Production": good}
    assert world.move(other, "Production", force=True).status == "succeeded"
    assert world.agrees()


@pytest.mark.slow
def test_nan_in_production_keeps_nobody_out(world):
    bad, good = world.version(accuracy=float("nan")), world.version()
    assert world.move(bad, "Production").status == "rejected"
    world.move(bad, "Production", force=True)
    assert world.move(good, "Production").status == "succeeded"


def test_a_step_the_lifecycle_does_not_allow_is_rejected_with_the_allowed_ones(world):
    version = world.version()
    world.move(version, "Archived")
    assert (
        world.move(version, "Archived").error
        == "Version 1 was in Archived; from there it can go to Production, Staging"
    )
    assert world.move(99, "Production").status == "rejected"


@pytest.mark.slow
def test_an_alias_moved_by_hand_is_followed_and_stands_in_the_history(world):
    first, second = world.version(), world.version()
    world.move(first, "Production")
    world.tracking.set_alias(world.model, "production", second)
    world.promoter().handle(world.repair())
    assert world.state()["manifests"] == {"Production": second}
    assert world.state()["tags"] == {first: "Archived", second: "Production"}
    assert world.history()[-1] == (second, "Production", "succeeded")
    transition = world.transitions.history(world.model).transitions[0]
    assert (transition.actor, transition.reason) == (
        "reconcile",
        "the alias production was moved from version 1 to version 2 by hand",
    )
    assert world.agrees()


def test_an_alias_moved_by_hand_to_a_broken_version_is_put_back_and_stands_in_the_history(world):
    first, broken = world.version(), world.version(onnx=b"broken")
    world.move(first, "Production")
    world.tracking.set_alias(world.model, "production", broken)
    world.promoter().handle(world.repair())
    assert world.state()["aliases"] == {"production": first}
    assert world.state()["manifests"] == {"Production": first}
    transition = world.transitions.history(world.model).transitions[0]
    assert (transition.version, transition.status) == (broken, "rejected")
    assert "put back to version 1" in transition.error
    assert world.agrees()


def test_an_alias_removed_by_hand_leaves_nothing_serving(world):
    first = world.version()
    world.move(first, "Production")
    world.tracking.delete_alias(world.model, "production")
    world.promoter().handle(world.repair())
    assert world.state()["manifests"] == {}
    assert world.state()["tags"] == {first: "Archived"}
    assert world.agrees()


@pytest.mark.slow
@pytest.mark.parametrize("left", ["nothing", "not a manifest"])
def test_a_lost_manifest_is_written_anew(world, left):
    version = world.version()
    world.move(version, "Production")
    key = f"serving/{world.model}/Production.json"
    if left == "nothing":
        world.s3.delete_object(Bucket=world.bucket, Key=key)
    else:
        world.s3.put_object(Bucket=world.bucket, Key=key, Body=left.encode())
    world.promoter().handle(world.repair())
    assert world.state()["manifests"] == {"Production": version}
    assert world.agrees()


def test_tags_and_stages_set_by_hand_are_set_right(world):
    first, second = world.version(), world.version()
    world.move(first, "Production")
    world.tracking.mirror_stage(world.model, first, Stage.ARCHIVED)
    world.tracking.mirror_stage(world.model, second, Stage.PRODUCTION)
    assert not world.agrees()
    world.promoter().handle(world.repair())
    assert world.agrees()
    assert world.state()["aliases"] == {"production": first}
    assert len(world.history()) == 1


@pytest.mark.slow
def test_mlflows_own_stage_taken_by_hand_does_not_stop_a_promotion(world):
    """The database's constraint takes one Production a model, and a person has given it to another version."""
    first, second, third = world.version(), world.version(), world.version()
    world.move(first, "Production")
    world.tracking.mirror_stage(world.model, first, Stage.ARCHIVED)
    world.tracking.mirror_stage(world.model, third, Stage.PRODUCTION)
    assert world.move(second, "Production").status == "succeeded"
    assert world.state()["mlflow"] == {first: "Archived", second: "Production", third: "Archived"}


def test_the_database_refuses_a_second_production_whoever_asks(world):
    first, second = world.version(), world.version()
    world.move(first, "Production")
    body = {"name": world.model, "version": str(second), "stage": "Production", "archive_existing_versions": False}
    with pytest.raises(DependencyUnavailable):
        world.tracking._post("model-versions/transition-stage", body)
    assert world.agrees()


def test_a_version_logged_from_elsewhere_gets_its_hash_pinned(world):
    version = world.version()
    world.tracking._call(
        "DELETE", "model-versions/delete-tag", body={"name": world.model, "version": str(version), "key": "sha256"}
    )
    world.move(version, "Staging")
    found = world.tracking.version(world.model, version)
    store = serving.ServingStore(world.bucket)
    assert found.tags["sha256"] == store.manifest(world.model, Stage.STAGING).sha256


@pytest.mark.slow
def test_a_rollback_serves_what_was_admitted_and_not_what_was_written_over_it(world):
    first, second = world.version(), world.version()
    world.move(first, "Production")
    admitted = world.manifest().sha256
    world.move(second, "Production")
    other = served(features=4, image=None, classes=2, seed=9).onnx
    world.s3.put_object(Bucket=world.bucket, Key=f"mlflow/tests/{world.model}/{first}/model.onnx", Body=other)
    world.tracking.set_tag(world.model, first, "sha256", hashlib.sha256(other).hexdigest())
    transition = world.move(first, "Production", force=True)
    assert transition.status == "succeeded", transition.error
    assert (transition.sha256, world.manifest().sha256) == (admitted, admitted)
    assert any("artifacts have changed" in gate.detail for gate in transition.gates)
    assert world.tracking.version(world.model, first).tags["sha256"] == admitted
    assert world.agrees()


def test_a_model_registered_again_under_its_name_is_not_bound_to_the_deleted_ones_files(world):
    first = world.version()
    world.move(first, "Production")
    before = world.manifest().sha256
    world.move(first, "Archived")
    world.tracking._call("DELETE", "registered-models/delete", body={"name": world.model})
    world.tracking._post("registered-models/create", {"name": world.model})
    again = world.version(onnx=served(features=4, image=None, classes=2, seed=9).onnx)
    assert again == first
    assert world.move(again, "Production").status == "succeeded"
    assert world.manifest().sha256 != before
