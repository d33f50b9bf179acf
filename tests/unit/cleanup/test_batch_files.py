"""What a batch prediction has written is deleted, with all old versions, and whoever asks for it is told."""

from typing import Any

import pytest

from batch_predictions.following import BatchPredictions
from batch_predictions.settings import BatchPredictionSettings
from deletions.batch_files import BatchFileDeletions
from mlops.aws.batch_prediction_files import BatchPredictionFiles
from mlops.domain.access import Caller
from mlops.domain.batch_prediction import BatchPrediction, Totals
from mlops.domain.errors import Gone
from mlops.domain.job import JobStatus
from mlops.removal.deletions import Wish
from tests.support.crashes import Crash
from tests.unit.cleanup.conftest import BUCKET, MODEL, Ask, World

BATCH, FOLDER = "batch_0199f0c2a4b17d31c2ae", "scored/june/"


@pytest.fixture
def batch(world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> BatchFileDeletions:
    made = BatchFileDeletions(world.batches, world.history, world.folders)
    monkeypatch.setattr(BatchFileDeletions, "from_environment", lambda: made)
    written(world)
    world.put(
        f"{FOLDER}part-0.parquet", f"{FOLDER}rejected/0.parquet", f"{FOLDER}_SUCCESS", "scored/july/part-0.parquet"
    )
    world.put(f"batch-predictions/{BATCH}/plan.json", "batch-predictions/batch_1/plan.json")
    return made


def written(world: World, output: str = f"s3://{BUCKET}/{FOLDER}", ended: bool = True) -> None:
    request = {"input": "s3://x/y.csv", "output": output, "max_rejected": 0.01}
    world.batches.create(BatchPrediction(BATCH, MODEL, 3, "a" * 64, 1, 1, 1, request, "ann"))
    if ended:
        world.batches.finish(BATCH, JobStatus.COMPLETED, Totals(1, 1, 0, 1.0, {}))


def delete(ask: Ask) -> tuple[int, dict[str, Any]]:
    return ask("DELETE", f"/batch-predictions/{BATCH}/files", reason="asked for it")


def left(world: World) -> list[str]:
    return [key for key in world.objects() if key.startswith(("scored/", "batch-predictions/"))]


def test_its_files_go_with_all_versions_and_the_record_says_so(
    world: World, ask: Ask, batch: BatchFileDeletions
) -> None:
    status, answer = delete(ask)
    assert (status, answer["freed_bytes"]) == (200, 4 * 2 * 10)
    assert left(world) == ["batch-predictions/batch_1/plan.json", "scored/july/part-0.parquet"]
    (said,) = [
        entry.document["detail"]
        for entry in world.history.examined(MODEL)[0]
        if entry.document["kind"] == "deletion"
    ]  # fmt: skip
    assert (said["batch_id"], said["reason"], said["actor"]) == (BATCH, "asked for it", "ann")
    files: Any = BatchPredictionFiles(BUCKET)
    following = BatchPredictions(BatchPredictionSettings(BUCKET), world.batches, files, None, None)  # type: ignore[arg-type]
    with pytest.raises(Gone, match="deleted by ann at"):
        following.written_files(BATCH, Caller("bob", "admin"))
    assert following.state(BATCH, Caller("bob", "admin")).files_deleted_at is not None


@pytest.mark.parametrize(
    ("output", "ended", "says"),
    [
        (f"s3://{BUCKET}/{FOLDER}", False, "cancel it, or wait for its end"),
        ("s3://elsewhere/june/", True, "delete s3://elsewhere/june/ there"),
    ],
)
def test_what_is_under_way_or_elsewhere_stays(
    world: World, ask: Ask, batch: BatchFileDeletions, output: str, ended: bool, says: str
) -> None:
    written(world, output, ended)
    before = left(world)
    status, problem = delete(ask)
    assert (status, says in problem["detail"]) == (409, True)
    assert left(world) == before


def test_a_deletion_that_dies_anywhere_is_completed_by_a_repeat(
    world: World, ask: Ask, batch: BatchFileDeletions
) -> None:
    for fatal in range(1, 20):
        written(world)
        world.put(f"{FOLDER}part-0.parquet", f"batch-predictions/{BATCH}/plan.json")
        world.effects.begin(fatal)
        try:
            batch.delete(batch.find(BATCH), Wish("ann", "ann", "test"))
            break
        except Crash:
            world.effects.begin(None)
            assert delete(ask)[0] == 200
        assert not any(BATCH in key or key.startswith(FOLDER) for key in world.objects())
        assert batch.find(BATCH).files_deleted_by == "ann"
    assert fatal > 2
