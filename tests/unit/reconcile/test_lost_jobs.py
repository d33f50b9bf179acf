"""A job whose end was not heard of is announced in the place of AWS Batch, once it is old enough."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, JobStatus
from reconcile.lost_jobs import LostJobs


class Jobs:
    def __init__(self, items: list[Job]) -> None:
        self._items = items

    def under_way(self) -> list[Job]:
        return self._items

    def submitted(self, job_id: str, batch_job_id: str) -> None:
        index = next(index for index, job in enumerate(self._items) if job.job_id == job_id)
        self._items[index] = replace(self._items[index], batch_job_id=batch_job_id)


class Batch:
    """`jobs`: statuses by id; `names`: ids by name."""

    def __init__(self, jobs: dict[str, str], names: dict[str, str] | None = None) -> None:
        self._jobs, self._names = jobs, names or {}
        self.stopped: list[str] = []

    def find(self, name: str) -> str | None:
        return self._names.get(name)

    def stop(self, job_id: str, reason: str) -> None:
        self.stopped.append(job_id)

    def describe(self, ids: list[str]) -> list[dict[str, Any]]:
        return [
            {"jobId": found, "jobName": f"job of {found}", "status": self._jobs[found]}
            for found in ids
            if found in self._jobs
        ]


class Events:
    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []

    def job_state(self, job: dict[str, Any]) -> None:
        self.published.append(job)


def record(number: int, status: str = "running", minutes: float = 60, **more: Any) -> Job:
    created = datetime.now(UTC) - timedelta(minutes=minutes)
    values = {"batch_job_id": f"b{number}", "created_at": created.isoformat(), **more}
    return Job(f"job_{number:06d}", status=JobStatus(status), **values)


@pytest.fixture(autouse=True)
def queue(monkeypatch):
    monkeypatch.setenv("JOB_QUEUE", "the queue")


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
@pytest.mark.parametrize("recorded", ["pending", "running"])
def test_a_job_that_has_ended_is_announced(status, recorded):
    events = Events()
    items = [record(1, recorded), record(2, recorded)]
    batch = Batch({"b1": status, "b2": "RUNNING"})
    assert LostJobs(Jobs(items), batch, events).look() == ["job_000001"]
    assert [(job["jobId"], job["status"]) for job in events.published] == [("b1", status)]


def test_a_job_that_batch_has_forgotten_is_announced_as_failed():
    events = Events()
    assert LostJobs(Jobs([record(7)]), Batch({}), events).look() == ["job_000007"]
    assert events.published[0]["status"] == "FAILED"
    assert events.published[0]["jobQueue"] == "the queue"
    assert "does not have" in events.published[0]["statusReason"]


def test_a_submission_that_died_before_batch_had_it_is_announced_as_failed():
    events = Events()
    assert LostJobs(Jobs([record(3, "pending", batch_job_id=None)]), Batch({}), events).look() == ["job_000003"]
    assert (events.published[0]["jobName"], events.published[0]["status"]) == ("job_000003", "FAILED")
    assert "never reached AWS Batch" in events.published[0]["statusReason"]


@pytest.mark.parametrize(("status", "announced"), [("RUNNING", []), ("SUCCEEDED", ["job_000003"])])
def test_a_submission_that_died_after_batch_had_it_is_found_by_its_name(status, announced):
    events, items = Events(), [record(3, "pending", batch_job_id=None)]
    assert LostJobs(Jobs(items), Batch({"b9": status}, {"job_000003": "b9"}), events).look() == announced
    assert items[0].batch_job_id == "b9"


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_job_cancelled_before_its_id_was_known_is_stopped_once_it_is_found(cancelled):
    items = [record(3, "pending", batch_job_id=None, cancel_requested=cancelled)]
    batch = Batch({"b9": "RUNNING"}, {"job_000003": "b9"})
    for _ in range(2):
        LostJobs(Jobs(items), batch, Events()).look()
    assert batch.stopped == (["b9"] if cancelled else [])


def test_a_job_of_a_moment_ago_and_a_sweeps_run_are_left_alone():
    events = Events()
    items = [record(1, minutes=1), record(2, batch_job_id=None, sweep_id="sweep_000002")]
    assert LostJobs(Jobs(items), Batch({}), events).look() == []
    assert events.published == []


def test_a_job_that_cannot_be_looked_at_or_announced_keeps_no_other_from_its_turn():
    """Of job 2 the event is refused, of job 3 nobody can find the id."""
    items = [record(1), record(2), record(3, batch_job_id=None), record(4)]

    class SomeDown(Batch):
        def find(self, name: str) -> str | None:
            raise TimeoutError(name)

    class Picky(Events):
        def job_state(self, job: dict[str, Any]) -> None:
            if job["jobId"] == "b2":
                raise DependencyUnavailable("EventBridge did not accept the event")
            super().job_state(job)

    events = Picky()
    with pytest.raises(ExceptionGroup) as group:
        LostJobs(Jobs(items), SomeDown({f"b{number}": "FAILED" for number in (1, 2, 4)}), events).look()
    assert [job["jobId"] for job in events.published] == ["b1", "b4"]
    errors = {note: type(error) for error in group.value.exceptions for note in error.__notes__}
    assert errors == {"job_000002": DependencyUnavailable, "job_000003": TimeoutError}
