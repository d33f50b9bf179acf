"""A message that asks for a new cache epoch raises it once, however often it is delivered."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from mlops.domain.stages import Stage
from mlops_contract.onnx_file import ModelFile
from promotion import promoter
from promotion.examination import Limits, Placement, examine
from promotion.gate import GateSettings
from promotion.serving_store import ServingStore
from promotion.transition_executor import Dependencies
from tests.support.crashes import Crash
from tests.support.governance import FakeHistory
from tests.unit.registry.fakes import MODEL, ONNX

BUCKET = "artifacts"


@pytest.fixture
def store(aws: None) -> ServingStore:
    """With a version in Production, and none in Staging."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    made = ServingStore(BUCKET)
    promote(made, 1)
    return made


@pytest.fixture
def deliver(store: ServingStore) -> Callable[[dict[str, Any]], None]:
    dependencies: Any = Dependencies(None, None, store, None, GateSettings(), None, None, FakeHistory(), None)  # type: ignore[arg-type]
    return promoter.Promoter(dependencies, None).handle  # type: ignore[arg-type]


def promote(store: ServingStore, version: int) -> None:
    placement = Placement(MODEL, version, Stage.PRODUCTION, "run", {}, f"tr_promotion_{version}")
    store.write_manifest(examine(ModelFile(ONNX), placement, Limits(memory_mb=1769)).manifest)


def message(identifier: str, stage: str = "Production") -> dict[str, Any]:
    return {"kind": "cache_epoch", "transition_id": identifier, "model_name": MODEL, "stage": stage}


def epoch(store: ServingStore) -> int:
    manifest = store.manifest(MODEL, Stage.PRODUCTION)
    assert manifest is not None
    return manifest.cache_epoch


def test_each_message_raises_the_epoch_once(store, deliver):
    for identifier in ("tr_1", "tr_1", "tr_2", "tr_2"):
        deliver(message(identifier))
    assert epoch(store) == 2


def test_a_crash_after_the_write_raises_it_no_second_time(store, deliver, monkeypatch):
    put = store._s3.put_object

    def put_and_die(**arguments: Any) -> None:
        put(**arguments)
        raise Crash

    with monkeypatch.context() as dying:
        dying.setattr(store._s3, "put_object", put_and_die)
        with pytest.raises(Crash):
            deliver(message("tr_1"))
    deliver(message("tr_1"))
    assert epoch(store) == 1


def test_a_promotion_keeps_the_epoch_and_who_raised_it(store, deliver):
    deliver(message("tr_1"))
    promote(store, 2)
    deliver(message("tr_1"))
    assert epoch(store) == 1
    deliver(message("tr_2"))
    assert epoch(store) == 2


def test_a_stage_that_nobody_serves_is_passed_over(store, deliver):
    deliver(message("tr_1", "Staging"))
    assert store.manifest(MODEL, Stage.STAGING) is None
    assert epoch(store) == 0
