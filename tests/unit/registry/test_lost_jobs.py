"""A job whose end was not heard of is announced in the place of AWS Batch, once it is old enough."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.settings import ROOT

sys.path.insert(0, str(ROOT / "functions" / "reconcile"))
from lost_jobs import LostJobs


class Jobs:
    def __init__(self, items: list[dict[str, Any]]) -> None:
        self._items = items

    def under_way(self) -> list[dict[str, Any]]:
        return self._items


class Batch:
    def __init__(self, jobs: dict[str, str]) -> None:
        self._jobs = jobs

    def describe(self, ids: list[str]) -> list[dict[str, Any]]:
        return [
            {"jobId": found, "jobName": f"job of {found}", "status": self._jobs[found]}
            for found in ids
            if found in self._jobs
        ]


class Events:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def job_state(self, job: dict[str, Any]) -> None:
        self.told.append(job)


def record(number: int, status: str = "running", minutes: float = 60, **more: Any) -> dict[str, Any]:
    created = datetime.now(UTC) - timedelta(minutes=minutes)
    item = {"job_id": f"job_{number:06d}", "status": status, "created_at": created.isoformat()}
    return {**item, "batch_job_id": f"b{number}", **more}


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    monkeypatch.setenv("JOB_QUEUE", "the queue")


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
@pytest.mark.parametrize("recorded", ["pending", "running"])
def test_a_job_that_has_ended_is_announced(status, recorded):
    events = Events()
    items = [record(1, recorded), record(2, recorded)]
    batch = Batch({"b1": status, "b2": "RUNNING"})
    assert LostJobs(Jobs(items), batch, events).look() == ["job of b1"]
    assert [(job["jobId"], job["status"]) for job in events.told] == [("b1", status)]


def test_a_job_that_batch_has_forgotten_is_announced_as_failed():
    events = Events()
    assert LostJobs(Jobs([record(7)]), Batch({}), events).look() == ["job_000007"]
    assert events.told[0]["status"] == "FAILED"
    assert events.told[0]["jobQueue"] == "the queue"
    assert "does not know" in events.told[0]["statusReason"]


def test_a_job_of_a_moment_ago_and_one_that_was_never_submitted_are_left_alone():
    events = Events()
    items = [record(1, minutes=1), record(2, batch_job_id=None)]
    assert LostJobs(Jobs(items), Batch({}), events).look() == []
    assert events.told == []
