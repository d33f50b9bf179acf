"""What is left of a request that Batch does not take: 503, and no record of a job that will surely never run."""

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from botocore.stub import Stubber

from mlops.api.schemas.sweeps import SweepRequest
from mlops.aws.batch import Batch, BatchSettings, SubmissionRefused
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_table import JobsTable
from mlops.domain.dataset_deletion import DatasetDeletion
from mlops.domain.errors import Conflict, DependencyUnavailable
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.training_request import TrainRequest
from tests.support.governance import FakeHistory
from tests.support.model_types import PUBLISHED, Published
from training.settings import TrainingSettings
from training.submission import Submissions

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
    return {item["job_id"] for item in boto3.resource("dynamodb").Table("jobs").scan()["Items"]} - {"counter"}


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (("ClientException", "JobQueue arn:aws:batch is disabled"), 400),
        (("AccessDeniedException", "not authorized on arn:aws:batch"), 403),
        (("TooManyRequestsException", "arn:aws:batch"), 429),
    ],
)
@pytest.mark.parametrize("asked", REQUESTS)
def test_a_job_that_batch_refuses_is_503_and_leaves_no_record(asked, refusal, code, post, batch, jobs):
    with Stubber(batch._submitter) as stub:
        stub.add_client_error("submit_job", *refusal, http_status_code=code)
        status, problem = post(*REQUESTS[asked])
        stub.assert_no_pending_responses()
    assert (status, problem["code"]) == (503, "dependency_unavailable")
    assert "arn:" not in json.dumps(problem)
    assert records(jobs) == set()
    assert jobs.count_active() == 0


UNANSWERED = {
    "no answer in time": ReadTimeoutError(endpoint_url="https://batch.internal"),
    "a connection that broke": ConnectionClosedError(endpoint_url="https://batch.internal"),
    "an error of Batch's own": ClientError(
        {
            "Error": {"Code": "ServerException", "Message": "batch.internal"},
            "ResponseMetadata": {"HTTPStatusCode": 500},
        },
        "SubmitJob",
    ),
}


@pytest.mark.parametrize("failure", UNANSWERED)
@pytest.mark.parametrize("asked", REQUESTS)
def test_a_job_that_batch_may_have_taken_keeps_its_record_for_reconcile(asked, failure, post, batch, jobs, monkeypatch):
    def late(**_arguments: Any) -> None:
        raise UNANSWERED[failure]

    monkeypatch.setattr(batch._submitter, "submit_job", late)
    status, problem = post(*REQUESTS[asked])
    assert (status, problem["code"]) == (503, "dependency_unavailable")
    assert "batch.internal" not in json.dumps(problem)
    assert "nothing was started" not in problem["detail"]
    assert len(records(jobs)) == (1 if asked == "a run" else 1 + REQUESTS[asked][1]["num_runs"])
    (name,) = [record.job_id for record in jobs.under_way() if isinstance(record, Sweep) or record.sweep_id is None]
    assert name in problem["detail"]


def test_a_submission_is_sent_once_as_a_second_one_would_be_a_second_job(batch, monkeypatch):
    """The whole client, against a server that fails each time."""
    asked = []

    class Broken(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(DependencyUnavailable, match="job_000001") as raised:
            Batch(BatchSettings(job_queue="queue", job_definition="definition")).submit_run(
                "job_000001", TrainRequest()
            )
    finally:
        server.shutdown()
        server.server_close()
    assert not isinstance(raised.value, SubmissionRefused)
    assert asked == ["/v1/submitjob"]


@pytest.mark.parametrize("asked", REQUESTS)
def test_a_job_that_batch_takes_is_recorded_under_its_id(asked, post, batch, jobs):
    with Stubber(batch._submitter) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
        status, accepted = post(*REQUESTS[asked])
    assert status == 202
    identifier = accepted.get("sweep_id") or accepted["job_id"]
    assert jobs.get(identifier).batch_job_id == "batch-1"
    assert records(jobs) == {identifier, *accepted.get("job_ids", [])}


def test_more_runs_than_the_cap_are_409_and_nothing_is_submitted(post, batch, jobs):
    for number in (1, 2):
        jobs.create(Job(f"job_{number:06d}"))
    before = records(jobs)
    with Stubber(batch._submitter):  # which answers nothing: any call to Batch fails the test
        status, problem = post("/sweeps", {"num_runs": 3})
    assert (status, problem["code"]) == (409, "conflict")
    assert "2 jobs are pending or running, and at most 4 are allowed" in problem["detail"]
    assert "MaxActiveJobs" in problem["detail"]
    assert records(jobs) == before
    with Stubber(batch._submitter) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
        assert post("/sweeps", {"num_runs": 2})[0] == 202


class Accepting:
    """A Batch that takes each job, and knows which runs it has."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    def submit_run(self, name: str, request: TrainRequest, extra: Any = None) -> str:
        self.runs.append((extra or {}).get("JOB_ID", name))
        return f"batch-{name}"

    def submit_sweep(self, name: str, sweep: Any, request: TrainRequest, extra: Any = None) -> str:
        self.runs.extend(sweep.job_id(index) for index in range(sweep.num_runs))
        return f"batch-{name}"


@pytest.mark.slow
def test_concurrent_submissions_never_exceed_the_cap(jobs, monkeypatch):
    """Every request passes the early check, which sees no other; the claims alone hold the cap."""
    cap, batch = 5, Accepting()
    monkeypatch.setattr(jobs, "count_active", lambda: 0)
    one_at_a_time, update = threading.Lock(), DynamoTable.update

    def atomic_update(self, *arguments, **named):
        # DynamoDB checks a condition and writes in one; moto lets another thread in between.
        with one_at_a_time:
            return update(self, *arguments, **named)

    monkeypatch.setattr(DynamoTable, "update", atomic_update)
    settings = TrainingSettings("bucket", max_active_jobs=cap)
    submissions = Submissions(settings, jobs, batch, Published(PUBLISHED), FakeHistory())

    def submit(number: int) -> bool:
        time.sleep(random.Random(number).random() / 20)
        try:
            if number % 3:
                submissions.train(TrainRequest(), "ann")
            else:
                submissions.sweep(SweepRequest(num_runs=2), "ann")
        except Conflict:
            return False
        return True

    for ended in range(3):
        with ThreadPoolExecutor(12) as threads:
            accepted = list(threads.map(submit, range(24)))
        under_way = {job.job_id for job in jobs.active_jobs()}
        assert 0 < sum(accepted) < len(accepted)
        assert cap - 1 <= len(under_way) <= cap, "a sweep of two may not fit where a run would"
        assert under_way <= set(batch.runs)
        assert all(job.batch_job_id or job.sweep_id for job in jobs.active_jobs())
        for job_id in sorted(under_way)[: ended + 2]:
            jobs.move(job_id, JobStatus.COMPLETED, 1)
    assert len(batch.runs) <= cap + 2 + 3


@pytest.mark.parametrize("asked", REQUESTS)
def test_a_request_that_others_came_before_is_409_and_leaves_no_record(asked, post, batch, jobs, monkeypatch):
    monkeypatch.setattr(jobs, "count_active", lambda: 0)
    with Stubber(batch._submitter) as stub:
        for number in range(4):
            stub.add_response("submit_job", {"jobName": "n", "jobId": f"batch-{number}"})
            assert post("/train", {})[0] == 202
        before = records(jobs)
        status, problem = post(*REQUESTS[asked])  # the stub answers nothing more: any call to Batch fails the test
    assert (status, problem["code"]) == (409, "conflict")
    assert "MaxActiveJobs" in problem["detail"]
    assert records(jobs) == before


def test_a_request_without_an_objective_has_that_of_its_models_settings(ask, jobs, batch, history, monkeypatch):
    history.set(objective={"name": "f1"})
    monkeypatch.setattr(batch._submitter, "submit_job", lambda **request: {"jobId": "batch-1"})
    own, named = ask("POST", "/train", {})[1], ask("POST", "/train", {"objective": "log_loss"})[1]
    assert jobs.job(own["job_id"]).request["objective"] == "f1"
    assert jobs.job(named["job_id"]).request["objective"] == "log_loss"
    history.set(objective={"name": "cost"})
    status, problem = ask("POST", "/train", {})
    assert (status, problem["errors"][0]["field"]) == (422, "objective"), problem


def test_a_request_without_a_decision_threshold_has_that_of_its_models_settings(ask, jobs, batch, history, monkeypatch):
    history.set(decision_threshold=0.3)
    monkeypatch.setattr(batch._submitter, "submit_job", lambda **request: {"jobId": "batch-1"})
    own, named = ask("POST", "/train", {})[1], ask("POST", "/train", {"decision_threshold": 0.7})[1]
    assert jobs.job(own["job_id"]).request["decision_threshold"] == 0.3
    assert jobs.job(named["job_id"]).request["decision_threshold"] == 0.7


@pytest.mark.parametrize("wrong", [0, 1, -0.5, "half", True])
def test_a_decision_threshold_is_between_0_and_1(ask, wrong):
    status, problem = ask("POST", "/train", {"decision_threshold": wrong})
    assert (status, problem["errors"][0]["field"]) == (422, "decision_threshold"), problem


@pytest.mark.parametrize("asked", REQUESTS)
def test_data_that_was_deleted_is_not_trained_on(asked, post, jobs, history):
    address = "s3://bucket/datasets/0f3a/rows.npz"
    deletion = DatasetDeletion("a" * 36, (address,), "asked for it", "ann")
    history.deleted[address] = deletion
    path, body = REQUESTS[asked]
    status, problem = post(path, {**body, "dataset": address})
    assert (status, problem["errors"][0]["field"]) == (422, "dataset")
    assert problem["errors"][0]["message"] == f"was deleted by ann at {deletion.deleted_at}; name another one"
    assert records(jobs) == set()


@pytest.mark.parametrize(
    ("route", "body"), [("/train", {}), ("/sweeps", {"num_runs": 1}), ("/sweeps", {"num_runs": 2})]
)
def test_a_job_is_told_who_has_asked_for_it(ask, batch, monkeypatch, route, body):
    """MLflow's pages show it as the run's user."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(batch._submitter, "submit_job", lambda **request: sent.append(request) or {"jobId": "batch-1"})
    assert ask("POST", route, body)[0] == 202
    (request,) = sent
    environment = {each["name"]: each["value"] for each in request["containerOverrides"]["environment"]}
    assert environment["ACTOR"] == "ann"
