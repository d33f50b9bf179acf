"""The total of a list of jobs: always that of the table, and not read anew for each page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops.aws import jobs_counts
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_counts import RecordCounts
from mlops.aws.jobs_table import JobsTable
from mlops.domain.access import ALL_MODELS
from mlops.domain.job import Job, JobStatus, Sweep
from tests.support.tables import make_table

COMPLETED, FAILED, PENDING = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.PENDING


class Reads:
    """A table of jobs and sweeps, whose counts say how many items they have read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = make_table("JobsTable", "jobs")
        self.counts = RecordCounts(DynamoTable(self.table))
        self.number, self.read = 0, 0
        monkeypatch.setattr(jobs_counts, "STEP", 10)
        query = self.counts._table._table.query

        def counted(**asked: Any) -> Any:
            answer = query(**asked)
            self.read += answer["ScannedCount"]
            return answer

        monkeypatch.setattr(self.counts._table._table, "query", counted)

    def add(self, count: int, status: JobStatus, hours: float = 1, name: str = "a", kind: str = "job") -> list[str]:
        created = (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="milliseconds")
        ids = []
        for _ in range(count):
            self.number += 1
            ids.append(f"{kind}_{self.number:06d}")
            item = {"job_id": ids[-1], "kind": kind, "status": str(status), "created_at": created}
            self.table.put_item(Item={**item, "model_name": name, "experiment_name": name})
        return ids

    def total(self, status: JobStatus | None = None, names: tuple[str, ...] = ALL_MODELS, kind: Any = Job) -> int:
        self.read = 0
        return self.counts.total(kind, status, names)

    def end(self, job_id: str, status: JobStatus) -> None:
        self.table.update_item(
            Key={"job_id": job_id},
            UpdateExpression="SET #s = :s",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": str(status)},
        )


@pytest.fixture
def jobs(aws: None, monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def test_history_is_read_once(jobs: Reads) -> None:
    """The console asks every 1.5 s."""
    jobs.add(150, COMPLETED)
    assert jobs.total() == 150
    assert jobs.total() == 150
    assert jobs.read <= 10
    jobs.add(3, COMPLETED, hours=0)
    assert jobs.total() == 153
    assert jobs.total(COMPLETED) == 153


def test_a_job_that_ends_late_is_counted_where_it_ends(jobs: Reads) -> None:
    (slow,) = jobs.add(1, PENDING, hours=5)
    jobs.add(40, COMPLETED)
    assert [jobs.total(status) for status in (None, COMPLETED, FAILED, PENDING)] == [41, 40, 0, 1]
    jobs.end(slow, FAILED)
    assert [jobs.total(status) for status in (None, COMPLETED, FAILED, PENDING)] == [41, 40, 1, 0]


def test_what_is_deleted_at_once_is_not_remembered(jobs: Reads) -> None:
    jobs.add(20, COMPLETED)
    (refused,) = jobs.add(1, PENDING, hours=0)
    assert jobs.total() == 21
    jobs.table.delete_item(Key={"job_id": refused})
    assert jobs.total() == 20


def test_sweeps_and_other_names_have_counts_of_their_own(jobs: Reads) -> None:
    jobs.add(20, COMPLETED)
    jobs.add(20, COMPLETED, name="b")
    jobs.add(30, COMPLETED, kind="sweep")
    for _ in range(2):
        assert jobs.total() == 40
        assert jobs.total(names=("b",)) == 20
        assert jobs.total(kind=Sweep) == jobs.total(COMPLETED, kind=Sweep) == 30


def test_it_is_counted_anew_after_an_hour(jobs: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.add(50, COMPLETED)
    assert jobs.total() == 50
    jobs.table.delete_item(Key={"job_id": "job_000001"})  # as if an index had been behind its table
    assert jobs.total() == 50
    monkeypatch.setattr(jobs_counts, "FORGET_SECONDS", -1.0)
    assert jobs.total() == 49


def test_each_request_of_a_process_remembers_what_the_one_before_has_counted(aws: None) -> None:
    table = DynamoTable(make_table("JobsTable", "jobs"))
    assert JobsTable(table)._counts is JobsTable(table)._counts
