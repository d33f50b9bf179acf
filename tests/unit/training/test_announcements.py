"""The end of a job, a sweep or a batch prediction is announced, and can be read as an event of webhooks."""

import json
from typing import Any

import pytest

from job_events import app
from job_events.announcement import Announcements
from job_events.batch_prediction_end import BatchPredictionEnds
from job_events.costs import Costs, CostSettings
from job_events.job_states import JobStates
from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.batch_prediction import BatchPrediction, Totals
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.webhooks.event import PlatformEvent, read_event
from tests.support.gateway import CONTEXT
from tests.support.tables import make_table

BATCH_ID = "batch_" + 20 * "1"


class Bus:
    """Keeps what is published; refuses all if it is away."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.away = False

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if not self.away:
            self.entries += Entries
        return {"FailedEntryCount": int(self.away)}

    def told(self) -> list[PlatformEvent]:
        """Read what was published as the function webhooks does."""
        return [
            read_event(
                {
                    "id": str(place),
                    "time": "2026-06-01T12:00:00Z",
                    "detail-type": entry["DetailType"],
                    "detail": json.loads(entry["Detail"]),
                }
            )
            for place, entry in enumerate(self.entries)
        ]


@pytest.fixture
def batches(aws: None) -> BatchPredictionsTable:
    table = BatchPredictionsTable(DynamoTable(make_table("BatchPredictionsTable", "batch-predictions")))
    values = {"sha256": "a", "shards": 1, "input_files": 1, "input_bytes": 1, "actor": "ann"}
    request = {"input": "s3://b/in/", "output": "s3://b/out/", "max_rejected": 0.01}
    table.create(BatchPrediction(BATCH_ID, "churn", 3, request=request, **values))  # type: ignore[arg-type]
    return table


@pytest.fixture
def bus(jobs: JobsTable, batches: BatchPredictionsTable, monkeypatch: pytest.MonkeyPatch) -> Bus:
    bus, events = Bus(), Events("default")
    monkeypatch.setattr(events, "_events", bus)
    announcements = Announcements(jobs, batches, events)
    states = JobStates(jobs, None, None, None)  # type: ignore[arg-type]
    ends = BatchPredictionEnds(batches, None)  # type: ignore[arg-type]
    costs = Costs(CostSettings(), jobs, None)  # type: ignore[arg-type]
    monkeypatch.setattr(Costs, "from_environment", lambda: costs)
    monkeypatch.setattr(Announcements, "from_environment", lambda: announcements)
    monkeypatch.setattr(JobStates, "from_environment", lambda: states)
    monkeypatch.setattr(BatchPredictionEnds, "from_environment", lambda: ends)
    jobs.create(Job("job_000001", model_name="churn", experiment_name="e", actor="ann"))
    jobs.create(Sweep("sweep_000002", model_name="churn", experiment_name="e", job_ids=("job_000002",)))
    jobs.create(Job("job_000002", model_name="churn", experiment_name="e", sweep_id="sweep_000002"))
    return bus


def deliver(name: str, status: str, index: int | None = None) -> None:
    detail: dict[str, Any] = {"jobName": name, "jobId": "b-1", "jobQueue": "q", "status": status, "attempts": [{}]}
    if index is not None:
        detail |= {"jobId": f"b-1:{index}", "arrayProperties": {"index": index}}
    app.handler({"detail": detail}, CONTEXT)


def test_a_job_that_ends_is_announced(bus: Bus) -> None:
    for status in ("SUBMITTED", "RUNNABLE", "RUNNING"):
        deliver("job_000001", status)
    assert bus.entries == []
    deliver("job_000001", "FAILED")
    (event,) = bus.told()
    assert (event.type, event.identity, event.name) == ("job.failed", "job_000001", "churn")
    assert event.data["actor"] == "ann"
    assert set(event.data) >= {"job_id", "status", "model_version", "error", "completed_at", "experiment_name"}


def test_one_that_has_recorded_its_own_end_is_announced_as_well(bus: Bus, jobs: JobsTable) -> None:
    jobs.move("job_000001", JobStatus.COMPLETED, 1, model_version=4)
    deliver("job_000001", "SUCCEEDED")
    (event,) = bus.told()
    assert (event.type, event.data["model_version"]) == ("job.completed", 4)


def test_one_that_was_cancelled_is_no_failure(bus: Bus, jobs: JobsTable) -> None:
    jobs.update("job_000001", cancel_requested=True)
    deliver("job_000001", "FAILED")
    assert [event.type for event in bus.told()] == ["job.cancelled"]


def test_a_repeated_end_makes_the_same_message(bus: Bus) -> None:
    deliver("job_000001", "FAILED")
    deliver("job_000001", "FAILED")
    assert len({event.message_id("wh_1") for event in bus.told()}) == 1


def test_an_end_that_could_not_be_announced_comes_again(bus: Bus) -> None:
    """The record has the end already; Lambda calls the function again with the event."""
    bus.away = True
    with pytest.raises(DependencyUnavailable):
        deliver("job_000001", "FAILED")
    bus.away = False
    deliver("job_000001", "FAILED")
    assert [event.type for event in bus.told()] == ["job.failed"]


def test_a_sweep_is_announced_once_and_its_runs_are_not(bus: Bus) -> None:
    deliver("sweep_000002", "FAILED", index=0)
    assert bus.entries == []
    deliver("sweep_000002", "FAILED")
    assert [(event.type, event.identity) for event in bus.told()] == [("sweep.failed", "sweep_000002")]


def test_a_batch_prediction_that_ends_is_announced(bus: Bus, batches: BatchPredictionsTable) -> None:
    batches.finish(BATCH_ID, JobStatus.COMPLETED, Totals.of([]))
    deliver(BATCH_ID, "SUCCEEDED")
    (event,) = bus.told()
    assert (event.type, event.identity, event.name) == ("batch_prediction.completed", BATCH_ID, "churn")
    assert event.data["output"] == "s3://b/out/"


def test_others_jobs_are_not_announced(bus: Bus) -> None:
    for name in ("job_000099", "nightly", "batch_" + 20 * "9", "conv_1"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("job_events.app.ConversionEnds", JobStates)
            deliver(name, "FAILED")
    assert bus.entries == []
