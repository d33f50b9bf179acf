"""What a former gate admitted stays where it is; its manifest says whether the present gate would admit it."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from mlops.domain import examination as rules
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.examination import GATE_REVISION
from mlops.domain.manifest import Manifest, manifest_key, model_key
from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused
from mlops_contract.onnx_file import ModelFile
from promotion import promoter
from promotion.dependencies import Dependencies
from promotion.examination import NOTHING_BESIDE, Beside, Examine, Examined, Limits, Placement, examine, examine_apart
from promotion.gate import GateSettings
from promotion.serving_store import ServingStore
from tests.support import onnx_models
from tests.support.crashes import Crash
from tests.support.steps import as_a_newer_version_writes
from tests.unit.registry.fakes import MODEL, ONNX, World

BUCKET = "artifacts"
REGRESSOR = onnx_models.column(onnx_models.node("Identity", "z", "p")).SerializeToString()
LIMITS = Limits(memory_mb=1769)
LONG_AGO = "2026-01-01T00:00:00.000Z"


class Examiner:
    """The gate of today, which counts what it was asked; `fails` is raised instead."""

    def __init__(self) -> None:
        self.asked: list[Stage] = []
        self.fails: BaseException | None = None
        self.gate: Examine = examine

    def __call__(
        self, file: ModelFile, placement: Placement, limits: Limits, beside: Beside = NOTHING_BESIDE
    ) -> Examined:
        self.asked.append(placement.stage)
        if self.fails is not None:
            raise self.fails
        return self.gate(file, placement, limits, beside)


class Registry:
    """A registry in memory whose manifests and files are objects in S3, as the version before has left them."""

    def __init__(self) -> None:
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.store, self.examiner = ServingStore(BUCKET), Examiner()
        self.world = World(versions=4)
        dependencies: Any = Dependencies(
            self.world.tracking,  # type: ignore[arg-type]
            self.world.transitions,  # type: ignore[arg-type]
            self.store,
            self.world.archive_tags,  # type: ignore[arg-type]
            GateSettings(max_latency_ms=1e6),
            self.world.conversions,  # type: ignore[arg-type]
            self.world.rollouts,  # type: ignore[arg-type]
            self.world.history,  # type: ignore[arg-type]
            self.world.labels,  # type: ignore[arg-type]
            self.examiner,
        )
        self.promoter = promoter.Promoter(dependencies, self.world.events)  # type: ignore[arg-type]

    def serve(self, data: bytes, version: int = 1, stage: Stage = Stage.PRODUCTION, **changes: Any) -> Manifest:
        """Put a file into a stage, by a gate that had no revision and took everything."""
        sha256 = hashlib.sha256(data).hexdigest()
        good = examine(
            ModelFile(ONNX), Placement(MODEL, version, stage, "", {}, f"tr_000000{version}"), LIMITS
        ).manifest
        key = model_key(MODEL, sha256)
        manifest = replace(
            good, sha256=sha256, key=key, size=len(data), gate_revision=0, written_at=LONG_AGO, **changes
        )
        document = json.loads(manifest.to_json())
        for unknown in ("gate_revision", "refusal"):
            if not changes.get(unknown):
                del document[unknown]
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        self.s3.put_object(Bucket=BUCKET, Key=manifest_key(MODEL, stage), Body=json.dumps(document).encode())
        tracking = self.world.tracking
        for other in tracking.in_mlflow_stage(MODEL, stage):
            tracking.mirror_stage(MODEL, other, Stage.ARCHIVED)
        tracking.set_alias(MODEL, stage.lower(), version)
        tracking.mirror_stage(MODEL, version, stage)
        return manifest

    def repair(self) -> None:
        self.promoter.handle(self.world.repair())

    def body(self, stage: Stage = Stage.PRODUCTION) -> bytes:
        data: bytes = self.s3.get_object(Bucket=BUCKET, Key=manifest_key(MODEL, stage))["Body"].read()
        return data

    def manifest(self, stage: Stage = Stage.PRODUCTION) -> Manifest:
        return Manifest.from_json(self.body(stage))

    def registered(self) -> tuple[Any, ...]:
        """What must not move."""
        tracking = self.world.tracking
        return dict(tracking.aliases), dict(tracking.stages), str(tracking.tags), dict(self.world.transitions.items)


@pytest.fixture
def registry(aws: None) -> Registry:
    return Registry()


def test_what_the_gate_would_not_admit_any_more_stays_and_the_manifest_says_why(registry: Registry) -> None:
    before = registry.serve(REGRESSOR)
    registered = registry.registered()
    registry.repair()
    after = registry.manifest()
    assert after.refusal is not None
    assert after.refusal.startswith("it answers with 1 number per row")
    assert after.gate_revision == GATE_REVISION
    assert after == replace(
        before, gate_revision=GATE_REVISION, refusal=after.refusal, written_at=after.written_at
    )  # the same file, transition and cache epoch
    assert registry.registered() == registered
    assert registry.world.events.announced == []


def test_what_it_admits_is_noted_as_examined(registry: Registry) -> None:
    before = registry.serve(ONNX)
    registry.repair()
    after = registry.manifest()
    assert after == replace(before, gate_revision=GATE_REVISION, written_at=after.written_at)
    assert after.refusal is None


@pytest.mark.parametrize("data", [ONNX, REGRESSOR], ids=["admitted", "refused"])
def test_a_redelivery_examines_nothing_and_writes_nothing(registry: Registry, data: bytes) -> None:
    registry.serve(data)
    message = registry.world.repair()
    registry.promoter.handle(message)
    noted = registry.body()
    registry.promoter.handle(message)
    registry.repair()
    assert registry.body() == noted
    assert registry.examiner.asked == [Stage.PRODUCTION]


def test_a_crash_after_the_write_examines_it_no_second_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.serve(REGRESSOR)
    put, message = registry.store._s3.put_object, registry.world.repair()

    def put_and_die(**arguments: Any) -> None:
        put(**arguments)
        raise Crash

    with monkeypatch.context() as dying:
        dying.setattr(registry.store._s3, "put_object", put_and_die)
        with pytest.raises(Crash):
            registry.promoter.handle(message)
    registry.promoter.handle(message)
    assert registry.manifest().refusal is not None
    assert registry.examiner.asked == [Stage.PRODUCTION]


def test_after_an_outage_the_next_round_does_it(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.serve(REGRESSOR)
    before = registry.body()

    def down(**arguments: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://s3")

    with monkeypatch.context() as outage:
        outage.setattr(registry.store._s3, "put_object", down)
        with pytest.raises(DependencyUnavailable):
            registry.repair()
    assert registry.body() == before
    registry.repair()
    assert registry.manifest().refusal is not None


def test_a_manifest_that_was_written_meanwhile_is_left(registry: Registry) -> None:
    seen = registry.serve(REGRESSOR)
    newer = registry.serve(ONNX, version=2)
    registry.store.note_examination(seen, "it answers with 1 number per row")
    assert registry.manifest() == newer


def test_one_that_is_written_at_the_same_moment_is_left_and_looked_at_anew(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.serve(REGRESSOR)
    swap, newer = registry.store._swap, []

    def lose(*arguments: Any) -> None:
        newer.append(registry.serve(ONNX, version=2))
        swap(*arguments)

    with monkeypatch.context() as race:
        race.setattr(registry.store, "_swap", lose)
        with pytest.raises(DependencyUnavailable):
            registry.repair()
    assert [registry.manifest()] == newer
    registry.repair()
    assert (registry.manifest().model_version, registry.manifest().refusal) == (2, None)


def test_both_stages_are_examined_each_by_itself(registry: Registry) -> None:
    registry.serve(ONNX)
    registry.serve(REGRESSOR, 2, Stage.STAGING)
    registry.repair()
    assert registry.manifest().refusal is None
    assert registry.manifest(Stage.STAGING).refusal is not None
    assert sorted(registry.examiner.asked) == [Stage.PRODUCTION, Stage.STAGING]


def test_what_is_noted_is_not_lost_by_a_failure_at_the_other_stage(registry: Registry) -> None:
    registry.serve(REGRESSOR, 2, Stage.STAGING)
    registry.repair()
    noted = registry.body(Stage.STAGING)
    registry.serve(ONNX)
    registry.examiner.fails = RuntimeError("the examiner failed")
    with pytest.raises(RuntimeError):
        registry.repair()
    assert registry.body(Stage.STAGING) == noted
    registry.examiner.fails = None
    registry.repair()
    assert registry.manifest().gate_revision == GATE_REVISION


@pytest.mark.parametrize("left", [None, b"damaged"])
def test_a_file_that_is_gone_or_damaged_is_reported(registry: Registry, left: bytes | None) -> None:
    key = registry.serve(ONNX).key
    if left is None:
        registry.s3.delete_object(Bucket=BUCKET, Key=key)
    else:
        registry.s3.put_object(Bucket=BUCKET, Key=key, Body=left)
    registry.repair()
    assert registry.manifest().refusal == "its file in serving/ is gone or damaged"


def test_a_reason_of_any_text_leaves_the_manifest_readable(registry: Registry) -> None:
    registry.serve(ONNX)
    registry.examiner.fails = ModelRefused("\ud800" + "x" * 5000)
    registry.repair()
    refusal = registry.manifest().refusal
    assert refusal is not None
    assert refusal.startswith("\\ud800x")
    assert len(refusal) == 1000


def test_what_a_newer_version_wrote_besides_is_kept(registry: Registry) -> None:
    registry.serve(REGRESSOR)
    key, newer = manifest_key(MODEL, "Production"), as_a_newer_version_writes(registry.body())
    registry.s3.put_object(Bucket=BUCKET, Key=key, Body=newer)
    registry.repair()
    after = json.loads(registry.body())
    noted = {name: after[name] for name in ("gate_revision", "refusal", "written_at")}
    assert after == json.loads(newer) | noted


def test_a_refused_file_is_examined_again_after_a_day(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits may have changed, or the file may be back."""
    key = registry.serve(ONNX).key
    registry.s3.delete_object(Bucket=BUCKET, Key=key)
    registry.repair()
    assert registry.manifest().refusal is not None
    registry.s3.put_object(Bucket=BUCKET, Key=key, Body=ONNX)
    registry.repair()
    assert registry.manifest().refusal is not None
    monkeypatch.setattr(rules, "AGAIN_AFTER_SECONDS", -1)
    registry.repair()
    assert registry.manifest().refusal is None
    noted = registry.body()
    registry.repair()
    assert registry.body() == noted


def test_another_gate_of_an_earlier_version_examines_it_too(registry: Registry) -> None:
    """After a rollback of the platform."""
    registry.serve(ONNX)
    key, later = manifest_key(MODEL, "Production"), json.loads(registry.body())
    later |= {"gate_revision": GATE_REVISION + 1, "refusal": "a later gate's reason"}
    registry.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(later).encode())
    registry.repair()
    assert (registry.manifest().gate_revision, registry.manifest().refusal) == (GATE_REVISION, None)


def test_the_present_gate_writes_its_revision(registry: Registry) -> None:
    registry.store.write_manifest(
        examine(ModelFile(ONNX), Placement(MODEL, 1, Stage.PRODUCTION, "", {}, "tr_1"), LIMITS).manifest
    )
    assert registry.manifest().gate_revision == GATE_REVISION


class TestTheWayOut:
    """Version 2 was admitted by a former gate and is refused by this one; version 1 was in Production before."""

    @pytest.fixture
    def world(self) -> World:
        made = World()
        made.deliver(made.ask(1, "Production"))
        made.deliver(made.ask(2, "Production"))
        manifest = made.serving.manifests[Stage.PRODUCTION]
        refused = replace(manifest, refusal="it answers with 1 number per row", gate_revision=GATE_REVISION)
        made.serving.manifests[Stage.PRODUCTION] = refused
        return made

    @pytest.mark.parametrize(("version", "force"), [(1, True), (3, True)], ids=["rollback", "promotion"])
    def test_another_version_takes_its_place_and_clears_the_report(
        self, world: World, version: int, force: bool
    ) -> None:
        asked = world.ask(version, "Production", force)
        world.deliver(asked)
        world.check()
        assert world.transitions.get(MODEL, asked["transition_id"]).status == "succeeded"
        manifest = world.serving.manifests[Stage.PRODUCTION]
        assert (manifest.model_version, manifest.refusal) == (version, None)

    def test_taking_it_out_of_production_removes_it(self, world: World) -> None:
        world.deliver(world.ask(2, "Archived"))
        world.check()
        assert Stage.PRODUCTION not in world.serving.manifests

    def test_an_alias_moved_by_hand_to_what_the_gate_refuses_is_put_back(self, world: World) -> None:
        world.serving.broken.add(3)
        world.tracking.aliases["production"] = 3
        world.deliver(world.repair())
        world.check()
        assert world.serving.manifests[Stage.PRODUCTION].model_version == 2


def test_the_child_process_says_the_same(registry: Registry) -> None:
    """As in production, where a file that takes all memory harms nobody."""
    registry.serve(REGRESSOR)
    registry.examiner.gate = examine_apart
    registry.repair()
    refusal = registry.manifest().refusal
    assert refusal is not None
    assert refusal.startswith("it answers with 1 number per row")
