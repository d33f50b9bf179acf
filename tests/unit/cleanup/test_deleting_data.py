"""A data set is deleted: its files, and the rows of it in all runs, while everything else stays."""

from dataclasses import replace
from typing import Any

import pytest

from cleanup import app as cleanup
from deletions import app, datasets
from deletions.datasets import DatasetDeletions
from mlops.api.auth import AccessKeys
from mlops.domain.batch_prediction import BatchPrediction
from mlops.domain.bin import EXPERIMENTS_CHAIN
from mlops.domain.dataset_deletion import TAG
from mlops.domain.job import Job
from mlops.removal.deletions import Wish
from tests.support import gateway
from tests.support.crashes import Crash
from tests.unit.cleanup.conftest import BUCKET, MODEL, Ask, World

DIGEST, OTHER = "a" * 36, "b" * 36
FILE = f"s3://{BUCKET}/datasets/0f3a/rows.csv"
FIRST, AGAIN, FOREIGN = "1" * 32, "2" * 32, "3" * 32
WISH = Wish("ann", "ann", "asked for it")


@pytest.fixture
def used(world: World, ask: Ask) -> World:
    """Two runs have read the same file, the second one with other options, and a third one another file."""
    registry, number = world.registry, world.registry.add_experiment("lab")
    for run_id, name, digest in ((FIRST, FILE, DIGEST), (AGAIN, FILE, OTHER), (FOREIGN, f"{FILE}.gz", "c" * 36)):
        registry.add_run(number, run_id)
        registry.log_data(run_id, name, digest)
    registry.tags_of_runs[FIRST] = {"mlops.job_id": "job_000007"}
    registry.add_version(MODEL, FIRST)
    fill(world)
    return world


def fill(world: World) -> None:
    files = ("proof.npz", "profile.json", "explain.npz", "evaluation.json")
    world.put(*(f"mlflow/1/{run_id}/artifacts/{name}" for run_id in (FIRST, AGAIN, FOREIGN) for name in files))
    world.put("datasets/0f3a/rows.csv", "datasets/0f3a/rows.csv.gz", "mlflow/1/models/m/artifacts/model.onnx")
    world.put("checkpoints/job_000007/x", "code-checkpoints/job_000007/x", "checkpoints/job_000008/x")


def delete(ask: Ask, digest: str = DIGEST) -> tuple[int, dict[str, Any]]:
    return ask("DELETE", f"/datasets/{digest}", reason="asked for it")


KEPT = sorted(
    [
        *(f"mlflow/1/{run_id}/artifacts/explain.npz" for run_id in (FIRST, AGAIN, FOREIGN)),
        *(f"mlflow/1/{run_id}/artifacts/evaluation.json" for run_id in (FIRST, AGAIN, FOREIGN)),
        *(f"mlflow/1/{FOREIGN}/artifacts/{name}" for name in ("proof.npz", "profile.json")),
        "datasets/0f3a/rows.csv.gz",
        "mlflow/1/models/m/artifacts/model.onnx",
        "checkpoints/job_000008/x",
    ]
)


def test_files_and_rows_go_with_all_versions_and_nothing_else(used: World, ask: Ask) -> None:
    status, answer = delete(ask, DIGEST + "a" * 28)  # the whole digest, as a version's tag has it
    assert (status, answer["addresses"], answer["runs"], answer["completed_at"] is not None) == (200, [FILE], 2, True)
    assert answer["versions"] == [{"model_name": MODEL, "version": 5}]
    assert used.objects() == KEPT
    for run_id in (FIRST, AGAIN):
        assert used.registry.tags_of_runs[run_id][TAG] == f"by ann at {answer['deleted_at']}"
    assert FOREIGN not in used.registry.tags_of_runs
    chain, _, problem = used.history.governance.examined(EXPERIMENTS_CHAIN)
    assert problem is None
    said = chain[-1].document["detail"]
    assert (said["digest"], said["addresses"], said["versions"]) == (DIGEST, [FILE], [f"{MODEL}@5"])
    assert (said["reason"], said["actor"]) == ("asked for it", "ann")
    deleted = used.history.governance.deleted_data(FILE)
    assert deleted is not None
    assert deleted.said == f"by ann at {answer['deleted_at']}"
    fill(used)
    assert delete(ask)[1]["deleted_at"] == answer["deleted_at"], "it can be repeated"
    assert used.objects() == KEPT
    assert len(used.history.governance.examined(EXPERIMENTS_CHAIN)[0]) == len(chain)


def test_a_deletion_that_dies_anywhere_is_completed_by_the_hourly_look_or_a_repeat(used: World, ask: Ask) -> None:
    died = 0
    for fatal in range(1, 60):
        fill(used)
        used.rows.delete_item(Key={"part": "#datasets", "item": f"digest/{DIGEST}"})
        used.registry.tags_of_runs = {FIRST: {"mlops.job_id": "job_000007"}}
        used.effects.begin(fatal)
        try:
            deletions = used.datasets()
            deletions.delete(deletions.use(DIGEST), WISH)
            break
        except Crash:
            died += 1
            used.effects.begin(None)
            if fatal % 2:
                assert delete(ask)[0] == 200
            else:
                assert cleanup.handler({}, gateway.CONTEXT)["datasets"] == [DIGEST]
        assert used.objects() == KEPT, fatal
        assert TAG in used.registry.tags_of_runs[FIRST]
        assert used.history.governance.datasets.find(DIGEST).completed_at is not None  # type: ignore[union-attr]
    assert died > 8
    used.effects.begin(None)


def test_what_there_is_no_time_for_is_done_by_the_hourly_look(
    used: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "SECONDS", -1.0)
    assert delete(ask)[1]["completed_at"] is None
    assert f"mlflow/1/{FIRST}/artifacts/proof.npz" in used.objects()
    assert cleanup.handler({}, gateway.CONTEXT)["datasets"] == [DIGEST]
    assert used.objects() == KEPT
    fill(used)  # a job that had begun before writes its rows
    assert cleanup.handler({}, gateway.CONTEXT)["datasets"] == [DIGEST]
    assert used.objects() == KEPT


def test_old_deletions_are_not_looked_at_again(used: World, ask: Ask) -> None:
    delete(ask)
    records = used.history.governance.datasets
    old = {"deleted_at": "2026-01-01T00:00:00.000Z"}
    records._table.update({"part": "#datasets", "item": f"digest/{DIGEST}"}, old)
    assert records.watched() == []


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_job_that_reads_it_keeps_it(used: World, ask: Ask, status: str) -> None:
    job = Job("job_000009", experiment_name="lab", model_name=MODEL, actor="bob", request={"dataset": FILE})
    used.jobs.create(job)
    before = used.objects()
    answered, problem = delete(ask)
    assert (answered, problem["code"], problem["kept"][0]["job_id"]) == (409, "in_use", "job_000009")
    assert "cancel it, or wait for its end" in problem["detail"]
    assert used.objects() == before
    assert used.history.governance.deleted_data(FILE) is None
    used.jobs.delete("job_000009")
    assert delete(ask)[0] == 200


@pytest.mark.parametrize("source", [FILE, f"s3://{BUCKET}/datasets/0f3a/"])
def test_a_batch_prediction_that_reads_it_keeps_it(used: World, ask: Ask, source: str) -> None:
    request = {"input": source, "output": f"s3://{BUCKET}/scored/x/", "max_rejected": 0.01}
    batch = BatchPrediction("batch_0199f0c2a4b17d31c2ae", MODEL, 1, "a" * 64, 1, 1, 1, request, "bob")
    used.batches.create(batch)
    answered, problem = delete(ask)
    assert (answered, problem["kept"][0]["batch_id"]) == (409, batch.batch_id)
    used.batches.delete(batch.batch_id)
    used.batches.create(replace(batch, request={**request, "input": f"{FILE}.gz"}))
    assert delete(ask)[0] == 200


@pytest.mark.parametrize(
    ("digest", "status", "says"), [("d" * 36, 404, "GET /datasets lists them"), ("e" * 36, 409, "no file to delete")]
)
def test_what_is_wrong_is_said(used: World, ask: Ask, digest: str, status: int, says: str) -> None:
    used.registry.log_data(FOREIGN, "digits", "e" * 36)
    answered, problem = delete(ask, digest)
    assert (answered, says in problem["detail"]) == (status, True)


def test_a_key_has_to_be_for_all_that_used_it(used: World, ask: Ask) -> None:
    for models, status in ((("lab",), 403), ((MODEL,), 403), (("lab", MODEL), 200)):
        key = "-".join(models)
        AccessKeys.from_environment().add(key, key, "admin", models)
        event = gateway.api_event("DELETE", f"/datasets/{DIGEST}", key=key, query={"reason": "x"})
        assert app.handler(event, gateway.CONTEXT)["statusCode"] == status, models


def test_only_folders_of_the_platform_are_emptied(used: World) -> None:
    """Addresses come from what runs have logged, so they may be anything."""
    used.put("datasets/parts/2026/a.parquet", "serving/churn/Production.json")
    registry = used.registry
    for address in ("serving/churn/Production.json", "datasets/", "", "datasets/parts/"):
        registry.log_data(AGAIN, f"s3://{BUCKET}/{address}", DIGEST)
    registry.log_data(AGAIN, "s3://elsewhere/datasets/parts/", DIGEST)
    made: DatasetDeletions = used.datasets()
    made.delete(made.use(DIGEST), WISH)
    assert used.objects() == sorted([*KEPT, "serving/churn/Production.json"])
