"""A manifest that cannot be read is mended once, or refused once; what a newer version wrote besides is kept."""

import json
from typing import Any

import boto3
import numpy as np
import onnx
import pytest

from mlops.domain.manifest import manifest_key
from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused
from mlops_contract.onnx_file import ModelFile
from promotion.examination import Limits, Placement, examine
from promotion.serving_store import ServingStore, UnreadableManifest
from tests.support.serving import served
from tests.support.steps import as_a_newer_version_writes
from tests.unit.registry.fakes import MODEL, ONNX, World

BUCKET = "artifacts"
LIMITS = Limits(memory_mb=1769)
KEY = manifest_key(MODEL, "Production")


def mends(world: World) -> list[tuple[str, str]]:
    return [
        (item["status"], item.get("error", ""))
        for _, item in sorted(world.transitions.items.items())
        if item.get("kind") == "mend"
    ]


def lose_file(world: World, version: int) -> None:
    """The file that was admitted is gone, and MLflow has another one."""
    world.serving.files.clear()
    world.serving.broken.add(version)


class TestMending:
    @pytest.fixture
    def world(self) -> World:
        made = World()
        made.deliver(made.ask(1, "Production"))
        return made

    def test_it_is_written_anew_for_the_version_that_holds_the_alias_once(self, world: World) -> None:
        world.serving.spoil(Stage.PRODUCTION)
        for _ in range(3):
            world.deliver(world.repair())
        world.check()
        assert mends(world) == [("succeeded", "")]
        (entry,) = [item for item in world.transitions.items.values() if item.get("kind") == "mend"]
        assert "whose manifest cannot be read: the manifest is not JSON" in entry["reason"]

    def test_a_version_that_does_not_pass_is_refused_once_and_nothing_is_changed(self, world: World) -> None:
        world.serving.spoil(Stage.PRODUCTION)
        lose_file(world, 1)
        for _ in range(3):
            world.deliver(world.repair())
        ((status, error),) = mends(world)
        assert status == "rejected"
        assert error.startswith("Version 1 was admitted as the file with the SHA-256 ")
        assert "version 1 keeps its alias; promote a version to write the manifest again" in error
        assert world.tracking.aliases == {"production": 1}
        assert world.serving.unreadable == {Stage.PRODUCTION: "spoiled"}
        assert not world.transitions.still_open()

    def test_other_bytes_that_cannot_be_read_are_looked_at_again(self, world: World) -> None:
        lose_file(world, 1)
        for etag in ("spoiled", "spoiled", "spoiled otherwise"):
            world.serving.spoil(Stage.PRODUCTION, etag)
            world.deliver(world.repair())
        assert [status for status, _ in mends(world)] == ["rejected", "rejected"]

    def test_a_promotion_after_the_refusal_puts_it_right(self, world: World) -> None:
        world.serving.spoil(Stage.PRODUCTION)
        lose_file(world, 1)
        world.deliver(world.repair())
        world.deliver(world.ask(2, "Production"))
        world.check()
        assert world.tracking.aliases == {"production": 2}

    def test_where_nobody_holds_the_alias_it_is_removed(self, world: World) -> None:
        world.serving.spoil(Stage.STAGING)
        world.deliver(world.repair())
        world.check()
        assert world.serving.unreadable == {}
        assert mends(world) == []

    def test_the_other_stage_is_mended_all_the_same(self, world: World) -> None:
        world.deliver(world.ask(2, "Staging"))
        lose_file(world, 1)
        world.serving.spoil(Stage.PRODUCTION)
        world.serving.manifests.pop(Stage.STAGING)
        world.deliver(world.repair())
        assert sorted(status for status, _ in mends(world)) == ["rejected", "succeeded"]
        assert world.serving.manifests[Stage.STAGING].model_version == 2

    def test_files_that_may_serve_under_it_are_not_put_away(self, world: World) -> None:
        world.deliver(world.ask(2, "Staging"))
        file = world.serving.manifests[Stage.STAGING].key
        world.serving.spoil(Stage.PRODUCTION)  # it may name the same file
        world.deliver(world.ask(2, "Archived"))
        assert "mlflow/2/" in world.archive_tags.archived
        assert file not in world.archive_tags.archived


class TestStore:
    """On S3, where the manifests are bytes."""

    @pytest.fixture
    def s3(self, aws: None) -> Any:
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        return client

    @pytest.fixture
    def store(self, s3: Any) -> ServingStore:
        made = ServingStore(BUCKET)
        write(made, 1)
        return made

    def test_what_a_newer_version_wrote_is_read_and_kept_under_another_epoch(
        self, store: ServingStore, s3: Any
    ) -> None:
        newer = as_a_newer_version_writes(body(s3))
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=newer)
        found = store.manifest(MODEL, Stage.PRODUCTION)
        assert found is not None
        assert found.model_version == 1
        store.raise_cache_epoch(MODEL, Stage.PRODUCTION, "tr_9")
        assert json.loads(body(s3)) == json.loads(newer) | {"cache_epoch": 1, "cache_epoch_id": "tr_9"}

    def test_what_a_newer_version_wrote_is_removed_and_replaced_as_any_other(
        self, store: ServingStore, s3: Any
    ) -> None:
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=as_a_newer_version_writes(body(s3)))
        store.raise_cache_epoch(MODEL, Stage.PRODUCTION, "tr_9")
        write(store, 2)
        found = store.manifest(MODEL, Stage.PRODUCTION)
        assert found is not None
        assert (found.model_version, found.cache_epoch) == (2, 1)
        store.remove_manifest(MODEL, Stage.PRODUCTION, 2)
        assert store.manifest(MODEL, Stage.PRODUCTION) is None

    @pytest.mark.parametrize("left", [b"not a manifest", b"[" * 100_000, b'{"schema":1,"min_reader":99}'])
    def test_one_that_cannot_be_read_is_told_from_none(self, store: ServingStore, s3: Any, left: bytes) -> None:
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=left)
        with pytest.raises(UnreadableManifest) as unreadable:
            store.manifest(MODEL, Stage.PRODUCTION)
        assert unreadable.value.etag == s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
        store.raise_cache_epoch(MODEL, Stage.PRODUCTION, "tr_9")
        store.remove_manifest(MODEL, Stage.PRODUCTION, 1)
        assert body(s3) == left
        write(store, 2)
        assert json.loads(body(s3))["model_version"] == 2

    def test_only_one_that_cannot_be_read_is_removed_as_such(self, store: ServingStore, s3: Any) -> None:
        store.remove_unreadable(MODEL, Stage.PRODUCTION)
        assert store.manifest(MODEL, Stage.PRODUCTION) is not None
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"{")
        store.remove_unreadable(MODEL, Stage.PRODUCTION)
        assert store.manifest(MODEL, Stage.PRODUCTION) is None


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"labels": [True, False]}, r"labels\[0\]"),
        ({"labels": [0.5, 1.5]}, r"labels\[0\]"),
        ({"labels": ["a"]}, "1 labels do not fit 2 classes"),
        ({"image": [3, 3]}, "does not have 4 pixels"),
        ({"image": [2.0, 2.0]}, "input.image"),
        ({"framing": ["digits"]}, "input.framing"),
        ({"self_test": "yes"}, "self_test"),
        ({"self_test": {"inputs": [1, 2]}}, "self_test.inputs"),
        ({"reference": {"count": 3}}, "reference.predictions"),
    ],
    ids=str,
)
def test_the_gate_refuses_a_file_whose_manifest_nobody_could_read(metadata: dict[str, Any], reason: str) -> None:
    model = onnx.load_from_string(ONNX)
    onnx.helper.set_model_props(model, {"mlops": json.dumps(metadata)})
    with pytest.raises(ModelRefused, match=reason):
        examine(ModelFile(model.SerializeToString()), placement(1), LIMITS)


@pytest.mark.parametrize(("version", "labels", "reason"), [(0, 2, "model_version"), (1, 60_000, "at most 4194304")])
def test_nor_is_one_admitted_that_predict_would_not_read(version: int, labels: int, reason: str) -> None:
    model = onnx.load_from_string(ONNX if labels == 2 else served(features=1, image=None, classes=labels).onnx)
    onnx.helper.set_model_props(model, {"mlops": json.dumps({"labels": [f"{n:070}" for n in range(labels)]})})
    with pytest.raises(ModelRefused, match=reason):
        examine(ModelFile(model.SerializeToString()), placement(version), LIMITS)


def test_the_gate_takes_what_the_trainer_writes() -> None:
    test = served(features=4, image=None, classes=2).manifest.self_test
    metadata = {
        "labels": ["no", "yes"],
        "image": [2, 2],
        "framing": "digits",
        "self_test": test,
        "reference": {
            "count": 2,
            "predictions": {"counts": np.bincount([0, 1]).tolist()},
            "confidence": {"edges": [0.0, 1.0], "counts": [2]},
            "mean_intensity": None,
            "ink_share": None,
            "block_means": None,
        },
    }
    model = onnx.load_from_string(ONNX)
    onnx.helper.set_model_props(model, {"mlops": json.dumps(metadata)})
    manifest = examine(ModelFile(model.SerializeToString()), placement(1), LIMITS).manifest
    assert (manifest.labels, manifest.input.image, manifest.self_test) == (("no", "yes"), (2, 2), test)
    assert manifest.input.framing == "digits"


def test_metrics_of_a_run_that_diverged_leave_the_manifest_readable() -> None:
    manifest = examine(ModelFile(ONNX), placement(2, {"accuracy": 0.5, "loss": float("nan")}), LIMITS).manifest
    assert json.loads(manifest.to_json(), parse_constant=pytest.fail)["metrics"] == {"accuracy": 0.5}


def placement(version: int, metrics: dict[str, float] | None = None) -> Placement:
    return Placement(MODEL, version, Stage.PRODUCTION, "run", metrics or {}, f"tr_{version}")


def write(store: ServingStore, version: int) -> None:
    store.write_manifest(examine(ModelFile(ONNX), placement(version), LIMITS).manifest)


def body(s3: Any) -> bytes:
    data: bytes = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    return data
