"""Reconcile finds batch predictions whose end nobody heard of."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.aws.batch_job import BatchJob
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.domain.batch_prediction import BatchPrediction
from reconcile.lost_batch_predictions import LostBatchPredictions
from tests.support.tables import make_table

HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
REQUEST = {"input": "s3://b/datasets/x.csv", "output": "s3://b/scored/x/", "max_rejected": 0.01}


@dataclass
class FakeBatch:
    """AWS Batch's jobs, in memory."""

    jobs: dict[str, BatchJob] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def find(self, name: str, queue: str) -> str | None:
        return next((key for key, job in self.jobs.items() if job["jobName"] == name), None)

    def describe(self, ids: list[str]) -> list[BatchJob]:
        return [self.jobs[each] for each in ids if each in self.jobs]

    def stop(self, batch_job_id: str, reason: str) -> None:
        self.stopped.append(batch_job_id)


@dataclass
class FakeEvents:
    told: list[Any] = field(default_factory=list)

    def job_state(self, job: BatchJob) -> None:
        self.told.append((job["jobName"], job["status"], job.get("statusReason")))


@pytest.fixture
def table(aws: None) -> BatchPredictionsTable:
    return BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", "lost")))


def record(batch_id: str, **fields: Any) -> BatchPrediction:
    made = BatchPrediction(batch_id, "churn", 1, "0", 1, 1, 1, REQUEST, "ann", created_at=HOUR_AGO)
    return replace(made, **fields)


def job(name: str, status: str) -> BatchJob:
    return {"jobId": f"id-{name}", "jobName": name, "jobQueue": "q", "status": status}


def test_only_what_has_ended_is_told_again(table: BatchPredictionsTable) -> None:
    batch, events = FakeBatch(), FakeEvents()
    for name, status in (("batch_runs", "RUNNING"), ("batch_done", "SUCCEEDED")):
        table.create(record(name, batch_job_id=f"id-{name}"))
        batch.jobs[f"id-{name}"] = job(name, status)
    table.create(record("batch_never"))
    table.create(record("batch_unknown", cancel_requested=True))
    batch.jobs["id-batch_unknown"] = job("batch_unknown", "RUNNABLE")
    table.create(record("batch_new", created_at=datetime.now(UTC).isoformat()))
    lost = LostBatchPredictions(table, batch, events, "q")  # type: ignore[arg-type]
    assert sorted(lost.look()) == ["batch_done", "batch_never"]
    assert sorted(events.told) == [
        ("batch_done", "SUCCEEDED", None),
        ("batch_never", "FAILED", "it never reached AWS Batch; start the batch prediction again"),
    ]
    assert table.get("batch_unknown").batch_job_id == "id-batch_unknown"
    assert batch.stopped == ["id-batch_unknown"], "it was cancelled before its id was known"
