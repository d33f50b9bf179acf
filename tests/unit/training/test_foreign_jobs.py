"""What others run on AWS Batch, whatever its name, changes no record of ours and shows in no list."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from infra.local.settings import ROOT
from job_events.app import handler
from job_events.costs import Costs, CostSettings
from job_events.job_states import JobStates
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job, Sweep
from reconcile.lost_jobs import LostJobs
from reconcile.waiting_jobs import WaitingJobs, WaitingSettings
from tests.support.gateway import CONTEXT

SAMPLE = json.loads((ROOT / "events" / "job_events.json").read_text())
OTHER_QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/nightly"
STATUSES = ("SUBMITTED", "RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED")
FOREIGN: dict[str, dict[str, Any]] = {
    "the sample event": {},
    "a name that is not ours": {"jobName": "nightly-report"},
    "a name like ours without a record": {"jobName": "job_000999"},
    "a sweep's name without a record": {"jobName": "sweep_000999"},
    "an array": {"jobName": "nightly", "arrayProperties": {"size": 3, "statusSummary": {}}},
    "an array's child": {"jobName": "nightly", "jobId": "other:1", "arrayProperties": {"index": 1}},
    "a sweep's child without a record": {"jobName": "sweep_000999", "jobId": "o:1", "arrayProperties": {"index": 1}},
    "a job of another queue": {"jobName": "job_000999", "jobQueue": OTHER_QUEUE},
    "the counter's name": {"jobName": "counter"},
    "the name of a run of ours": {"jobName": "job_000001", "jobId": "other"},
    "the name of a sweep of ours": {"jobName": "sweep_000002", "jobId": "other"},
    "a child under the name of a sweep of ours": {
        "jobName": "sweep_000002",
        "jobId": "other:0",
        "arrayProperties": {"index": 0},
    },
}
LEFTOVERS = [
    {"job_id": "job_000000", "kind": "job", "status": "pending", "status_order": 10},
    {"job_id": "job_000900", "kind": "job", "status": "running", "status_order": 15, "started_at": "2026-01-01"},
    {"job_id": "job_000901", "kind": "job", "status": "failed", "status_order": 1_000_000, "completed_at": "2026"},
    {"job_id": "nightly", "kind": "job", "status": "running", "status_order": 15},
    {"job_id": "sweep_000900", "kind": "sweep", "status": "pending", "status_order": 10},
]
"""What the version before made of such events."""


@pytest.fixture
def ours(jobs: JobsTable) -> JobsTable:
    """A run, and a sweep of two, under way."""
    jobs.reserve(3)
    common = {"experiment_name": "e", "model_name": "m"}
    jobs.create(Job("job_000001", **common))
    jobs.create(Sweep("sweep_000002", **common, job_ids=("job_000002", "job_000003")))
    for index in (0, 1):
        jobs.create(Job(f"job_00000{index + 2}", **common, sweep_id="sweep_000002", array_index=index))
    jobs.submitted("job_000001", "batch-1")
    jobs.submitted("sweep_000002", "batch-2")
    return jobs


@pytest.fixture
def deliver(ours: JobsTable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Invoke the function with the sample event, changed in its detail."""
    states = JobStates(ours, None, None, None)
    monkeypatch.setattr(JobStates, "from_environment", lambda: states)
    costs = Costs(CostSettings(), ours, None)
    monkeypatch.setattr(Costs, "from_environment", lambda: costs)
    return lambda **detail: handler({**SAMPLE, "detail": {**SAMPLE["detail"], **detail}}, CONTEXT)


def items() -> dict[str, Any]:
    return {item["job_id"]: item for item in boto3.resource("dynamodb").Table("jobs").scan()["Items"]}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", FOREIGN)
def test_an_event_of_anothers_job_changes_nothing(kind, status, deliver):
    before = items()
    deliver(**{**FOREIGN[kind], "status": status})
    assert items() == before


@pytest.mark.parametrize(
    ("name", "batch_id", "moved"),
    [
        ("job_000001", "batch-1", "job_000001"),
        ("sweep_000002", "batch-2:1", "job_000003"),
    ],
)
def test_an_event_of_our_own_moves_its_record(name, batch_id, moved, deliver, jobs):
    index = {"arrayProperties": {"index": int(batch_id[-1])}} if ":" in batch_id else {}
    deliver(jobName=name, jobId=batch_id, status="RUNNING", **index)
    assert {job_id for job_id, item in items().items() if item.get("status") == "running"} == {moved}


@pytest.mark.parametrize("order", list(itertools.permutations(["event", "submitted"])), ids=", ".join)
def test_the_first_event_may_come_before_the_record_has_the_id_of_batch(order, deliver, jobs):
    jobs.create(Job("job_000004"))
    steps = {
        "event": lambda: deliver(jobName="job_000004", jobId="batch-4", status="RUNNING"),
        "submitted": lambda: jobs.submitted("job_000004", "batch-4"),
    }
    for step in order:
        steps[step]()
    assert (jobs.get("job_000004").status, jobs.get("job_000004").batch_job_id) == ("running", "batch-4")


def test_an_event_before_the_record_leaves_nothing_and_the_next_is_followed(deliver, jobs):
    """The API writes before it submits, so whatever is first is not its job; that of the same number starts clean."""
    deliver(jobName="job_000004", jobId="other", status="FAILED")
    jobs.create(Job("job_000004"))
    jobs.submitted("job_000004", "batch-4")
    assert jobs.get("job_000004").status == "pending"
    deliver(jobName="job_000004", jobId="batch-4", status="RUNNING")
    assert jobs.get("job_000004").status == "running"


def test_while_a_job_moves_to_another_queue_the_new_ones_events_count_already(deliver, jobs):
    jobs.update("job_000001", moved_from="batch-1")
    deliver(jobName="job_000001", jobId="batch-1", status="FAILED")
    assert jobs.get("job_000001").status == "pending"
    deliver(jobName="job_000001", jobId="batch-9", status="RUNNING")
    assert jobs.get("job_000001").status == "running"


def test_what_the_version_before_made_of_others_jobs_is_in_no_list_no_count_and_no_answer(ours, ask):
    table = boto3.resource("dynamodb").Table("jobs")
    for item in LEFTOVERS:
        table.put_item(Item=item)
    status, listed = ask("GET", "/train/jobs")
    assert (status, listed["total_count"]) == (200, 3)
    assert [job["job_id"] for job in listed["jobs"]] == ["job_000003", "job_000002", "job_000001"]
    assert ask("GET", "/train/jobs", status="running") == (200, {"jobs": [], "total_count": 0, "next_cursor": None})
    status, sweeps = ask("GET", "/sweeps")
    assert (status, [sweep["sweep_id"] for sweep in sweeps["sweeps"]]) == (200, ["sweep_000002"])
    for method, path in [
        ("GET", "/train/status/job_000900"),
        ("GET", "/train/jobs/job_000900/logs"),
        ("DELETE", "/train/jobs/job_000900"),
        ("GET", "/sweeps/sweep_000900"),
        ("DELETE", "/sweeps/sweep_000900"),
    ]:
        assert ask(method, path)[0] == 404
    assert ours.get_many(["job_000900", "job_000001"]) == [ours.get("job_000001")]
    assert ours.count_active() == 3
    assert {record.job_id for record in ours.under_way()} == {"job_000001", "job_000002", "job_000003", "sweep_000002"}
    assert [job.job_id for job in ours.newest(Job)] == ["job_000003", "job_000002", "job_000001"]


def test_pages_are_full_whatever_lies_between_their_records(ours, ask):
    table = boto3.resource("dynamodb").Table("jobs")
    for number in range(10, 60):
        table.put_item(Item={"job_id": f"job_{number:06d}", "kind": "job", "status": "running"})
    ours.create(Job("job_000070", experiment_name="e"))
    pages, cursor = [], {}
    while True:
        status, page = ask("GET", "/train/jobs", limit="2", **cursor)
        assert (status, page["total_count"]) == (200, 4)
        pages.append([job["job_id"] for job in page["jobs"]])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert pages == [["job_000070", "job_000003"], ["job_000002", "job_000001"]]


def test_a_record_takes_the_place_of_a_leftover_of_its_number(ours):
    boto3.resource("dynamodb").Table("jobs").put_item(Item=LEFTOVERS[2])
    ours.create(Job("job_000901", experiment_name="e"))
    assert ours.get("job_000901").status == "pending"
    assert ours.get("job_000901").completed_at is None


def test_reconcile_leaves_leftovers_alone(ours, batch, monkeypatch):
    monkeypatch.setenv("JOB_QUEUE", "queue")
    for item in LEFTOVERS:
        boto3.resource("dynamodb").Table("jobs").put_item(Item=item)
    for name in ("job_000001", "sweep_000002"):
        ours.update(name, created_at="2026-01-01T00:00:00.000Z")
    before = items()
    said: list[str] = []
    asked: list[str] = []

    class Silent:
        def describe(self, ids: list[str]) -> list[dict[str, Any]]:
            asked.extend(ids)
            return []

        def job_state(self, job: dict[str, Any]) -> None:
            said.append(job["jobName"])

    assert sorted(LostJobs(ours, Silent(), Silent()).look()) == ["job_000001", "sweep_000002"]
    assert WaitingJobs(WaitingSettings("spot", "on-demand", 900), ours, Silent()).look() == []
    assert sorted(said) == ["job_000001", "sweep_000002"]
    assert set(asked) == {"batch-1", "batch-2"}
    assert items() == before
