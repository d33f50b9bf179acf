"""The jobs table, with its three writers in every order."""

import itertools
import random

import boto3
import pytest

from job_events.job_states import JobStates
from mlops.aws.jobs_table import RecordPage
from mlops.domain.errors import NotFound, ValidationFailed
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.objective import ACCURACY
from mlops.domain.pagination import encode_cursor
from mlops.domain.ranking import ranked

METRICS = {"accuracy": 0.97}


def test_numbers_are_reserved_one_after_the_other(jobs):
    assert [jobs.reserve(), jobs.reserve(5), jobs.reserve()] == [1, 2, 7]


def test_the_record_follows_a_run_to_its_end(jobs):
    jobs.create(Job("job_000001", experiment_name="e", request={"epochs": 2, "dropout": 0.1}))
    assert jobs.get("job_000001").status == "pending"
    jobs.submitted("job_000001", "batch-1")
    jobs.started("job_000001", 1, "run", {"dropout": 0.1}, 2)
    jobs.progressed("job_000001", 1, 1, {"loss": 0.5})
    running = jobs.get("job_000001")
    assert (running.status, running.epoch, running.metrics) == ("running", 1, {"loss": 0.5})
    jobs.completed("job_000001", 1, METRICS, 3)
    ended = jobs.get("job_000001")
    assert (ended.status, ended.model_version, ended.metrics) == ("completed", 3, METRICS)
    assert ended.request == {"epochs": 2, "dropout": 0.1}
    assert ended.created_at <= ended.started_at <= ended.completed_at


REPORTS = {
    "the event": lambda jobs: jobs.move("job_000001", JobStatus.RUNNING, 1),
    "the trainer": lambda jobs: jobs.started("job_000001", 1, "run", {}, 2),
    "Batch's answer to the API": lambda jobs: jobs.submitted("job_000001", "batch-1"),
    "the record once more": lambda jobs: jobs.create(Job("job_000001", experiment_name="e")),
}


@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)), ids=", ".join)
def test_whoever_comes_first_the_request_and_the_run_are_both_kept(jobs, order):
    jobs.create(Job("job_000001", experiment_name="e"))
    for name in order:
        REPORTS[name](jobs)
    item = jobs.get("job_000001")
    assert (item.status, item.run_id, item.experiment_name) == ("running", "run", "e")
    assert item.batch_job_id == "batch-1"


@pytest.mark.parametrize("name", ["the event", "the trainer", "Batch's answer to the API"])
def test_what_comes_before_the_record_makes_none_and_leaves_nothing_to_it(jobs, name):
    REPORTS[name](jobs)
    jobs.failed("job_000001", 1, "not ours")
    assert jobs.find("job_000001") is None
    assert jobs.page(Job) == RecordPage([], 0, None)
    jobs.create(Job("job_000001", experiment_name="e"))
    job = jobs.get("job_000001")
    assert (job.status, job.experiment_name) == ("pending", "e")
    assert [job.run_id, job.batch_job_id, job.error, job.started_at, job.completed_at] == [None] * 5


def test_an_end_is_final(jobs):
    jobs.create(Job("job_000001"))
    jobs.move("job_000001", JobStatus.CANCELLED, 1)
    assert not jobs.move("job_000001", JobStatus.COMPLETED, 2)
    assert not jobs.move("job_000001", JobStatus.RUNNING, 9)
    assert jobs.get("job_000001").status == "cancelled"


def test_an_earlier_attempt_cannot_overwrite_a_later_ones_report(jobs):
    jobs.create(Job("job_000001"))
    jobs.started("job_000001", 2, "run", {}, 10)
    jobs.progressed("job_000001", 2, 5, {"loss": 0.1})
    jobs.progressed("job_000001", 1, 9, {"loss": 0.9})
    assert jobs.get("job_000001").epoch == 5


def test_a_retry_waits_again_and_runs_again(jobs):
    jobs.create(Job("job_000001"))
    assert jobs.move("job_000001", JobStatus.RUNNING, 1)
    assert jobs.move("job_000001", JobStatus.PENDING, 2)
    assert not jobs.move("job_000001", JobStatus.RUNNING, 1)
    assert jobs.move("job_000001", JobStatus.RUNNING, 2)


def test_pages_are_newest_first_and_counted(jobs):
    for number in range(1, 8):
        jobs.create(Job(f"job_{number:06d}"))
    jobs.create(Sweep("sweep_000008"))
    jobs.move("job_000002", JobStatus.RUNNING, 1)
    page = jobs.page(Job, limit=5)
    assert ([job.job_id[-1] for job in page.records], page.total) == (["7", "6", "5", "4", "3"], 7)
    page = jobs.page(Job, limit=5, cursor=page.next_cursor)
    assert ([job.job_id[-1] for job in page.records], page.total, page.next_cursor) == (["2", "1"], 7, None)
    assert [job.job_id for job in jobs.page(Job, JobStatus.RUNNING).records] == ["job_000002"]
    assert [sweep.job_id for sweep in jobs.page(Sweep).records] == ["sweep_000008"]
    assert jobs.count_active() == 7


def test_records_are_read_in_the_order_asked_for(jobs):
    for number in (1, 2, 3):
        jobs.create(Job(f"job_{number:06d}"))
    records = jobs.get_many(["job_000003", "job_000009", "job_000001"])
    assert [job.job_id for job in records] == ["job_000003", "job_000001"]


def test_errors_name_what_is_missing(jobs):
    with pytest.raises(NotFound, match="job_000404"):
        jobs.get("job_000404")
    jobs.reserve()
    with pytest.raises(NotFound):
        jobs.get("counter")
    for cursor in ("!!", encode_cursor("\x03M4"), encode_cursor("sweep_000001")):
        with pytest.raises(ValidationFailed, match="cursor"):
            jobs.page(Job, JobStatus.COMPLETED, cursor=cursor)


@pytest.mark.slow
def test_200_events_in_any_order_and_twice_leave_every_record_right(jobs):
    """Forty jobs live through retries; their events come shuffled, each once or twice."""
    states = JobStates(jobs, None, None, None)
    generator = random.Random(7)
    events, expected = [], {}
    for number in range(1, 41):
        job_id = f"job_{number:06d}"
        jobs.create(Job(job_id))
        attempts = generator.randint(1, 3)
        end = generator.choice(["SUCCEEDED", "FAILED"])
        cancelled = end == "FAILED" and generator.random() < 0.3
        if cancelled:
            jobs.cancel_requested(job_id)
        expected[job_id] = "cancelled" if cancelled else "completed" if end == "SUCCEEDED" else "failed"
        for ended in range(attempts):
            events += [event(job_id, status, ended) for status in ("RUNNABLE", "STARTING", "RUNNING")]
        events.append(event(job_id, end, attempts))
    events += generator.sample(events, len(events) // 2)
    assert len(events) >= 200
    generator.shuffle(events)
    furthest = {}
    for change in events:
        states.follow(change)
        order = jobs.get(change["jobName"]).status_order
        assert order >= furthest.get(change["jobName"], 0), "never backwards"
        furthest[change["jobName"]] = order
    assert {job_id: jobs.get(job_id).status for job_id in expected} == expected
    assert set(expected.values()) == {status for status in JobStatus if status.has_ended} - {JobStatus.PRUNED}
    failed = next(job_id for job_id, status in expected.items() if status == "failed")
    assert jobs.get(failed).batch_reason == "Essential container in task exited, OutOfMemoryError, exit code 137"


def event(job_id, status, ended_attempts):
    detail = {"jobId": f"batch-{job_id}", "jobName": job_id, "status": status, "attempts": [{}] * ended_attempts}
    if status == "FAILED":
        detail["statusReason"] = "Essential container in task exited"
        detail["container"] = {"exitCode": 137, "reason": "OutOfMemoryError"}
    return detail


def test_what_is_no_whole_record_is_in_no_list_and_what_is_unknown_of_one_is_ignored(jobs):
    jobs.create(Job("job_000001"))
    table = boto3.resource("dynamodb").Table("jobs")
    whole = {"job_id": "job_000002", "kind": "job", "status": "running", "created_at": "2026-01-01T00:00:00.000Z"}
    table.put_item(Item={**whole, "colour": "blue", "metrics": {"accuracy": "nan"}})
    table.put_item(Item={**whole, "job_id": "job_000003", "status": "paused"})
    table.put_item(Item={**whole, "job_id": "job_000004", "created_at": ""})
    table.put_item(Item={**whole, "job_id": "job_000005", "kind": "experiment"})
    assert [job.job_id for job in jobs.page(Job).records] == ["job_000002", "job_000001"]
    assert [record.job_id for record in jobs.under_way()] == ["job_000001", "job_000002"]
    assert [jobs.find(f"job_00000{number}") for number in (3, 4, 5)] == [None] * 3
    assert ranked([jobs.job("job_000002"), jobs.job("job_000001")], ACCURACY)[0].job_id == "job_000001"


def test_a_sweep_is_not_a_job_nor_a_job_a_sweep(jobs):
    jobs.create(Job("job_000001"))
    jobs.create(Sweep("sweep_000002"))
    with pytest.raises(NotFound, match="job"):
        jobs.job("sweep_000002")
    with pytest.raises(NotFound, match="sweep"):
        jobs.sweep("job_000001")


def test_a_claim_beyond_the_limit_is_refused_until_runs_end_or_are_deleted(jobs):
    for number in range(1, 6):
        jobs.create(Job(f"job_{number:06d}"))
    assert jobs.claim(["job_000001", "job_000002"], 3)
    assert jobs.claim(["job_000003"], 3)
    assert not jobs.claim(["job_000004"], 3)
    assert jobs.claim(["job_000003"], 3), "the same claim once more"
    jobs.move("job_000001", JobStatus.FAILED, 1)
    assert jobs.claim(["job_000004"], 3)
    jobs.delete("job_000002")
    assert jobs.claim(["job_000005"], 3)
    assert not jobs.claim(["job_000001"], 3)
    assert jobs.reserve(2) == 1, "the numbers stand beside the names"


def test_a_claim_of_more_than_the_limit_is_refused_at_once(jobs):
    assert not jobs.claim(["job_000001", "job_000002"], 1)
    assert jobs.find("job_000001") is None


def test_what_a_job_nobody_asked_for_says_is_not_under_way(jobs):
    jobs.create(Job("job_000001"))
    jobs.move("job_stranger", JobStatus.RUNNING, 1)
    assert [record.job_id for record in jobs.under_way()] == ["job_000001"]
