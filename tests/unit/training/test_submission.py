"""What is left of a request that Batch does not take: 503, and no record of a job that will never run."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from mlops.jobs import JobsTable

REQUESTS = {
    "a run": ("/train", {}),
    "a sweep": ("/sweeps", {"num_runs": 3}),
    "a sweep of one": ("/sweeps", {"num_runs": 1}),
}


@pytest.fixture
def post(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Ask for a run or a sweep; returns (status, body)."""
    return lambda path, body: ask("POST", path, body)


def records(jobs: JobsTable) -> set[str]:
    return {item["job_id"] for item in jobs._table.scan()["Items"]} - {"counter"}


@pytest.mark.parametrize("asked", REQUESTS)
def test_a_job_that_batch_refuses_is_503_and_leaves_no_record(asked, post, batch, jobs):
    with Stubber(batch._batch) as stub:
        stub.add_client_error("submit_job", "ServerException", "internal: queue arn:aws:batch", http_status_code=500)
        status, problem = post(*REQUESTS[asked])
        stub.assert_no_pending_responses()
    assert (status, problem["code"]) == (503, "dependency_unavailable")
    assert "arn:" not in json.dumps(problem)
    assert records(jobs) == set()
    assert jobs.count_active() == 0


@pytest.mark.parametrize("asked", REQUESTS)
def test_a_job_that_batch_may_have_taken_keeps_its_record_for_reconcile(asked, post, batch, jobs, monkeypatch):
    def late(**_arguments: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://batch.internal")

    monkeypatch.setattr(batch._batch, "submit_job", late)
    status, problem = post(*REQUESTS[asked])
    assert (status, problem["code"]) == (503, "dependency_unavailable")
    assert "batch.internal" not in json.dumps(problem)
    assert len(records(jobs)) == (1 if asked == "a run" else 1 + REQUESTS[asked][1]["num_runs"])


@pytest.mark.parametrize("asked", REQUESTS)
def test_a_job_that_batch_takes_is_recorded_under_its_id(asked, post, batch, jobs):
    with Stubber(batch._batch) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
        status, accepted = post(*REQUESTS[asked])
    assert status == 202
    identifier = accepted.get("sweep_id") or accepted["job_id"]
    assert jobs.get(identifier)["batch_job_id"] == "batch-1"
    assert records(jobs) == {identifier, *accepted.get("job_ids", [])}


def test_more_runs_than_the_cap_are_409_and_nothing_is_submitted(post, batch, jobs):
    for number in (1, 2):
        jobs.create({"job_id": f"job_{number:06d}"})
    before = records(jobs)
    with Stubber(batch._batch):  # which answers nothing: any call to Batch fails the test
        status, problem = post("/sweeps", {"num_runs": 3})
    assert (status, problem["code"]) == (409, "conflict")
    assert "2 jobs are under way and at most 4 may be" in problem["detail"]
    assert "MaxActiveJobs" in problem["detail"]
    assert records(jobs) == before
    with Stubber(batch._batch) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
        assert post("/sweeps", {"num_runs": 2})[0] == 202
