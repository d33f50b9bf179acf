"""The jobs table, with its three writers in every order."""

import itertools
import random

import pytest

from job_events.job_states import JobStates
from mlops.aws.jobs_table import TERMINAL
from mlops.domain.errors import NotFound, ValidationFailed

METRICS = {"accuracy": 0.97}


def test_numbers_are_reserved_one_after_the_other(jobs):
    assert [jobs.reserve(), jobs.reserve(5), jobs.reserve()] == [1, 2, 7]


def test_the_record_follows_a_run_to_its_end(jobs):
    jobs.create({"job_id": "job_000001", "experiment_name": "e", "request": {"epochs": 2, "dropout": 0.1}})
    assert jobs.get("job_000001")["status"] == "pending"
    jobs.submitted("job_000001", "batch-1")
    jobs.started("job_000001", 1, "run", {"dropout": 0.1}, 2)
    jobs.progressed("job_000001", 1, 1, {"loss": 0.5})
    running = jobs.get("job_000001")
    assert (running["status"], running["epoch"], running["metrics"]) == ("running", 1, {"loss": 0.5})
    jobs.completed("job_000001", 1, METRICS, 3)
    ended = jobs.get("job_000001")
    assert (ended["status"], ended["model_version"], ended["metrics"]) == ("completed", 3, METRICS)
    assert ended["request"] == {"epochs": 2, "dropout": 0.1}
    assert ended["created_at"] <= ended["started_at"] <= ended["completed_at"]


REPORTS = {
    "the event": lambda jobs: jobs.move("job_000001", "running", 1),
    "the trainer": lambda jobs: jobs.started("job_000001", 1, "run", {}, 2),
    "Batch's answer to the API": lambda jobs: jobs.submitted("job_000001", "batch-1"),
    "the record once more": lambda jobs: jobs.create({"job_id": "job_000001", "experiment_name": "e"}),
}


@pytest.mark.parametrize("order", list(itertools.permutations(REPORTS)), ids=", ".join)
def test_whoever_comes_first_the_request_and_the_run_are_both_kept(jobs, order):
    jobs.create({"job_id": "job_000001", "experiment_name": "e"})
    for name in order:
        REPORTS[name](jobs)
    item = jobs.get("job_000001")
    assert (item["status"], item["run_id"], item["experiment_name"]) == ("running", "run", "e")
    assert item["batch_job_id"] == "batch-1"


@pytest.mark.parametrize("name", ["the event", "the trainer", "Batch's answer to the API"])
def test_what_comes_before_the_record_makes_none_and_leaves_nothing_to_it(jobs, name):
    REPORTS[name](jobs)
    jobs.failed("job_000001", 1, "not ours")
    assert jobs.find("job_000001") is None
    assert jobs.page() == ([], 0, None)
    jobs.create({"job_id": "job_000001", "experiment_name": "e"})
    assert {"status", "experiment_name"} <= jobs.get("job_000001").keys()
    assert jobs.get("job_000001").keys().isdisjoint({"run_id", "batch_job_id", "error", "started_at", "completed_at"})
    assert jobs.get("job_000001")["status"] == "pending"


def test_an_end_is_final(jobs):
    jobs.create({"job_id": "job_000001"})
    jobs.move("job_000001", "cancelled", 1)
    assert not jobs.move("job_000001", "completed", 2)
    assert not jobs.move("job_000001", "running", 9)
    assert jobs.get("job_000001")["status"] == "cancelled"


def test_an_earlier_attempt_cannot_overwrite_a_later_ones_report(jobs):
    jobs.create({"job_id": "job_000001"})
    jobs.started("job_000001", 2, "run", {}, 10)
    jobs.progressed("job_000001", 2, 5, {"loss": 0.1})
    jobs.progressed("job_000001", 1, 9, {"loss": 0.9})
    assert jobs.get("job_000001")["epoch"] == 5


def test_a_retry_waits_again_and_runs_again(jobs):
    jobs.create({"job_id": "job_000001"})
    assert jobs.move("job_000001", "running", 1)
    assert jobs.move("job_000001", "pending", 2)
    assert not jobs.move("job_000001", "running", 1)
    assert jobs.move("job_000001", "running", 2)


def test_pages_are_newest_first_and_counted(jobs):
    for number in range(1, 8):
        jobs.create({"job_id": f"job_{number:06d}"})
    jobs.create({"job_id": "sweep_000008", "job_ids": []})
    jobs.move("job_000002", "running", 1)
    items, total, cursor = jobs.page(limit=5)
    assert ([item["job_id"][-1] for item in items], total) == (["7", "6", "5", "4", "3"], 7)
    items, total, cursor = jobs.page(limit=5, cursor=cursor)
    assert ([item["job_id"][-1] for item in items], total, cursor) == (["2", "1"], 7, None)
    assert [item["job_id"] for item in jobs.page(status="running")[0]] == ["job_000002"]
    assert [item["job_id"] for item in jobs.page("sweep")[0]] == ["sweep_000008"]
    assert jobs.count_active() == 7


def test_records_are_read_in_the_order_asked_for(jobs):
    for number in (1, 2, 3):
        jobs.create({"job_id": f"job_{number:06d}"})
    found = jobs.get_many(["job_000003", "job_000009", "job_000001"])
    assert [item["job_id"] for item in found] == ["job_000003", "job_000001"]


def test_errors_name_what_is_missing(jobs):
    with pytest.raises(NotFound, match="job_000404"):
        jobs.get("job_000404")
    jobs.reserve()
    with pytest.raises(NotFound):
        jobs.get("counter")
    with pytest.raises(ValidationFailed, match="cursor"):
        jobs.page(cursor="!!")


def test_200_events_in_any_order_and_twice_leave_every_record_right(jobs):
    """Forty jobs live through retries; their events come shuffled, each once or twice."""
    states = JobStates(jobs, None, None, None)
    generator = random.Random(7)
    events, expected = [], {}
    for number in range(1, 41):
        job_id = f"job_{number:06d}"
        jobs.create({"job_id": job_id})
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
    for each in events:
        states.follow(each)
        item = jobs.get(each["jobName"])
        order = item["status_order"]
        assert order >= furthest.get(each["jobName"], 0), "never backwards"
        furthest[each["jobName"]] = order
    assert {job_id: jobs.get(job_id)["status"] for job_id in expected} == expected
    assert set(expected.values()) == set(TERMINAL)
    failed = next(job_id for job_id, status in expected.items() if status == "failed")
    assert jobs.get(failed)["batch_reason"] == "Essential container in task exited, OutOfMemoryError, exit code 137"


def event(job_id, status, ended_attempts):
    detail = {"jobName": job_id, "status": status, "attempts": [{}] * ended_attempts}
    if status == "FAILED":
        detail["statusReason"] = "Essential container in task exited"
        detail["container"] = {"exitCode": 137, "reason": "OutOfMemoryError"}
    return detail


def test_what_a_job_nobody_asked_for_says_is_not_under_way(jobs):
    jobs.create({"job_id": "job_000001"})
    jobs.move("job_stranger", "running", 1)
    assert [item["job_id"] for item in jobs.under_way()] == ["job_000001"]
