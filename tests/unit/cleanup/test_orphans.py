"""Folders that nothing points to are marked, looked at again after a week, and removed then."""

from datetime import timedelta

import pytest

from mlops.aws.cleanup_records import MARKS
from mlops.domain.cleanup import Cleanup
from mlops.domain.conversion import Conversion
from mlops.domain.job import Job, JobStatus
from mlops.domain.timestamps import before
from mlops.registry.rest import DependencyUnavailable
from tests.unit.cleanup.conftest import BUCKET, MODEL, World

RUN, GONE = "1" * 32, "2" * 32
ORPHANS = [
    "checkpoints/job_000002/",
    "checkpoints/job_000009/",
    f"conversions/{MODEL}/1/conv_0/",
    f"mlflow/1/{GONE}/",
    f"mlflow/1/models/m-{GONE}/",
    f"mlflow/7/{GONE}/",
]


@pytest.fixture
def bucket(world: World) -> World:
    """A bucket with what is needed, and what is not."""
    number = world.registry.add_experiment("lab")
    world.registry.add_run(number, RUN)
    world.registry.log_model(RUN, f"m-{RUN}")
    world.registry.add_version(MODEL, model_id="m-" + "3" * 32)  # MLflow has the version, and not the logged model
    world.conversions.claim(Conversion(MODEL, 1, "conv_1", "", "ann"))
    world.jobs.create(Job("job_000001", experiment_name="lab", status=JobStatus.RUNNING))
    world.jobs.create(Job("job_000002", experiment_name="lab", status=JobStatus.COMPLETED))
    world.put(
        f"mlflow/1/{RUN}/artifacts/card.md",
        f"mlflow/1/models/m-{RUN}/artifacts/model.onnx",
        f"mlflow/1/models/m-{'3' * 32}/artifacts/model.onnx",
        "mlflow/by-hand/1/model.pkl",
        f"conversions/{MODEL}/1/conv_1/x.onnx",
        "checkpoints/job_000001/last",
        "datasets/x.csv",
        *(f"{folder}a/file" for folder in ORPHANS),
    )
    return world


def looked(world: World) -> Cleanup:
    cleanup = Cleanup()
    world.orphans().look(cleanup)
    return cleanup


def pass_a_week(world: World) -> None:
    for folder in world.history.governance.cleanups.marks():
        world.rows.put_item(Item={"part": MARKS, "item": folder, "since": before(timedelta(days=7, seconds=1))})


def test_what_nothing_points_to_is_removed_after_a_week(bucket: World) -> None:
    needed = [key for key in bucket.objects() if not key.startswith(tuple(ORPHANS))]
    first = looked(bucket)
    assert (first.marked, first.removed) == (ORPHANS, [])
    again = looked(bucket)
    assert (again.marked, again.removed, again.freed_bytes) == ([], [], 0)
    pass_a_week(bucket)
    last = looked(bucket)
    assert (last.removed, last.freed_bytes) == (ORPHANS, 20 * len(ORPHANS))
    assert bucket.objects() == needed
    assert bucket.history.governance.cleanups.marks() == {}


def test_what_something_points_to_again_is_kept(bucket: World) -> None:
    looked(bucket)
    pass_a_week(bucket)
    bucket.registry.add_run("1", GONE)
    number = bucket.registry.add_version(MODEL)
    versions = bucket.registry.registered[MODEL].versions
    version = bucket.registry.version(MODEL, number)
    address = f"s3://{BUCKET}/mlflow/7/{GONE}/a"
    versions[number] = version.__class__(**{**vars(version), "source": address})
    removed = looked(bucket).removed
    assert f"mlflow/1/{GONE}/" not in removed
    assert f"mlflow/7/{GONE}/" not in removed, "a version was registered with an address within it"
    assert f"mlflow/1/models/m-{GONE}/" in removed
    assert f"mlflow/1/{GONE}/" not in bucket.history.governance.cleanups.marks()


def test_what_was_deleted_in_mlflow_is_left_alone_since_it_can_be_restored(bucket: World) -> None:
    bucket.registry.set_experiment_deleted("1", True)
    assert [folder for folder in looked(bucket).marked if folder.startswith("mlflow/1/")] == []


def test_nothing_is_removed_if_a_reference_cannot_be_read(bucket: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked(bucket)
    pass_a_week(bucket)
    keys = bucket.objects()

    def away(*_: object) -> None:
        raise DependencyUnavailable("away")

    monkeypatch.setattr(bucket.registry, "versions", away)
    with pytest.raises(DependencyUnavailable):
        looked(bucket)
    assert bucket.objects() == keys
