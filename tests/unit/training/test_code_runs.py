"""People's own code through the API: the upload, the start, progress and end, and which keys may."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from job_events.job_states import JobStates
from mlops.api.auth import AccessKeys
from mlops.aws.batch import Batch, BatchSettings
from mlops.aws.code_archives import CodeArchives
from mlops.aws.jobs_table import JobsTable
from mlops.domain.code_run import RunState, archive_key
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, JobStatus
from mlops.registry.rest import TrackingRefused, Version
from mlops.registry.runs import Runs
from tests.support import gateway
from training.app import handler
from training.code_runs import CodeRuns
from training.settings import TrainingSettings

CONTENT = b"an archive"
CODE = hashlib.sha256(CONTENT).hexdigest()
RUN = {"code": CODE, "script": "train.py"}
SETTINGS = TrainingSettings(artifact_bucket="bucket", max_active_jobs=2, code_job_definition="code:1")


@dataclass
class FakeRuns:
    """MLflow's runs, in memory."""

    failure: Exception | None = None
    created: list[tuple[str, str]] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    states: dict[str, RunState] = field(default_factory=dict)
    version: Version | None = None

    def create_run(self, experiment_name: str, run_name: str, tags: dict[str, str]) -> str:
        self._answer()
        assert tags["mlops.code"] == CODE
        self.created.append((experiment_name, run_name))
        return f"{len(self.created):032}"

    def state(self, run_id: str) -> RunState:
        self._answer()
        return self.states.get(run_id, RunState())

    def end_run(self, run_id: str, status: str) -> None:
        self._answer()
        self.ended[run_id] = status

    def version_of(self, run_id: str) -> Version | None:
        self._answer()
        return self.version

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    fake = FakeRuns()
    monkeypatch.setattr(Runs, "from_environment", lambda: fake)
    return fake


@pytest.fixture
def stub(jobs: JobsTable, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Batch's SubmitJob, and a function that allows own code."""
    boto3.client("s3").create_bucket(Bucket="bucket")
    monkeypatch.setattr(JobsTable, "from_environment", lambda: jobs)
    batch = Batch(BatchSettings(job_queue="queue", job_definition="train:1", code_job_definition="code:1"))
    code_runs = CodeRuns(SETTINGS, jobs, batch, CodeArchives("bucket"), runs)  # type: ignore[arg-type]
    monkeypatch.setattr(CodeRuns, "from_environment", lambda: code_runs)
    with Stubber(batch._submitter) as stubber:
        yield stubber


@pytest.fixture
def ask(stub: Stubber, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask with the key of a role, which has the role's name; an admin's by default."""
    table = gateway.make_access_keys()
    monkeypatch.setenv("ACCESS_KEYS_TABLE", table)
    keys = AccessKeys.from_environment()
    for role in ("predict", "read", "train", "admin"):
        keys.add(role, role, role)  # type: ignore[arg-type]

    def ask(method: str, path: str, body: Any = None, role: str = "admin") -> tuple[int, dict[str, Any]]:
        event = gateway.api_event(method, path, None if body is None else json.dumps(body), key=role)
        answer = handler(event, gateway.CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return ask


@pytest.fixture
def uploaded(stub: Stubber) -> None:
    boto3.client("s3").put_object(Bucket="bucket", Key=archive_key(CODE), Body=CONTENT)


def accept(stub: Stubber) -> None:
    expected = {"jobName": ANY, "jobQueue": "queue", "jobDefinition": "code:1", "containerOverrides": ANY}
    stub.add_response("submit_job", {"jobName": "j", "jobId": "batch-1"}, expected)


def test_an_upload_is_signed_for_this_content_only_and_asked_for_once(ask: Ask) -> None:
    body = {"sha256": CODE, "size": len(CONTENT)}
    status, upload = ask("POST", "/code", body, role="train")
    assert status == 200
    assert f"/code/{CODE}.tar.gz?" in upload["url"]
    checksum = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert upload["headers"] == {"content-length": "10", "x-amz-checksum-sha256": checksum}
    for name in upload["headers"]:
        assert name in upload["url"], "the address holds for these headers only"
    boto3.client("s3").put_object(Bucket="bucket", Key=archive_key(CODE), Body=CONTENT)
    assert ask("POST", "/code", body)[1] == {"code": CODE, "url": None, "headers": {}}


@pytest.mark.parametrize("body", [{"sha256": CODE, "size": 50_000_001}, {"sha256": "../x", "size": 1}])
def test_an_upload_is_limited(ask: Ask, body: dict[str, Any]) -> None:
    assert ask("POST", "/code", body)[0] == 422


@pytest.mark.usefixtures("uploaded")
def test_a_run_is_a_job_with_a_run_in_mlflow(ask: Ask, stub: Stubber, jobs: JobsTable, runs: FakeRuns) -> None:
    accept(stub)
    status, accepted = ask("POST", "/runs", {**RUN, "params": {"epochs": 5, "lr": 0.1}}, role="train")
    assert (status, accepted["status"], accepted["experiment_name"]) == (202, "pending", "own-code")
    job = jobs.job(accepted["job_id"])
    assert (job.actor, job.epochs, job.params, job.batch_job_id) == ("train", 5, {"epochs": 5, "lr": 0.1}, "batch-1")
    assert runs.created == [("own-code", job.job_id)]
    assert job.run_id == f"{1:032}"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"script": "../train.py"}, "script"),
        ({"script": "train.sh"}, "script"),
        ({"script": "/etc/x.py"}, "script"),
        ({"code": "0" * 64}, "code"),
        ({"dataset": "digits"}, "dataset"),
        ({"dataset": "s3://elsewhere/x.csv"}, "dataset"),
        ({"params": {"a b": 1}}, "params"),
        ({"resources": {"vcpu": 16}}, "resources.vcpu"),
        ({"direction": "maximise"}, "direction"),
        ({"objective": "f2"}, "objective"),
    ],
)
@pytest.mark.usefixtures("uploaded")
def test_a_wrong_request_names_its_field_and_starts_nothing(
    ask: Ask, runs: FakeRuns, fields: dict[str, Any], named: str
) -> None:
    status, problem = ask("POST", "/runs", {**RUN, **fields})
    assert status == 422
    assert named in problem["detail"]
    assert runs.created == []


@pytest.mark.usefixtures("uploaded")
def test_what_cannot_be_started_leaves_no_record(ask: Ask, stub: Stubber, jobs: JobsTable, runs: FakeRuns) -> None:
    runs.failure = DependencyUnavailable("MLflow does not answer")
    assert ask("POST", "/runs", RUN)[0] == 503
    runs.failure = TrackingRefused("refused", "INVALID_PARAMETER_VALUE", "deleted")
    status, problem = ask("POST", "/runs", RUN)
    assert status == 409
    assert "experiment" in problem["detail"]
    runs.failure = None
    stub.add_client_error("submit_job", "ClientException", "no", http_status_code=400)
    assert ask("POST", "/runs", RUN)[0] == 503
    assert runs.ended == {f"{1:032}": "FAILED"}
    assert list(jobs.newest(Job)) == []
    assert jobs.count_active() == 0


def test_a_stack_without_own_code_says_how_it_is_allowed(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = CodeRuns(replace(SETTINGS, code_job_definition=""), *(None,) * 4)  # type: ignore[arg-type]
    monkeypatch.setattr(CodeRuns, "from_environment", lambda: closed)
    for path, body in (("/code", {"sha256": CODE, "size": 1}), ("/runs", RUN)):
        status, problem = ask("POST", path, body)
        assert status == 403
        assert "OwnCode" in problem["detail"]


@pytest.mark.parametrize("path", ["/code", "/runs", "/train", "/sweeps"])
@pytest.mark.parametrize("role", ["predict", "read"])
def test_who_may_not_train_starts_nothing(ask: Ask, path: str, role: str) -> None:
    status, problem = ask("POST", path, {}, role=role)
    assert status == 403
    assert "train, approve or admin" in problem["detail"]


def test_a_key_that_trains_promotes_nothing_by_a_sweep(ask: Ask, jobs: JobsTable) -> None:
    status, problem = ask("POST", "/sweeps", {"num_runs": 2, "stage": "Production"}, role="train")
    assert status == 403
    assert "stage" in problem["detail"]
    assert jobs.under_way() == []


def test_a_key_that_trains_reads_and_cancels_only_its_own(ask: Ask, jobs: JobsTable) -> None:
    jobs.create(Job("job_000001", actor="train", request={"code": CODE}))
    jobs.create(Job("job_000002", actor="someone else", request={"code": CODE}))
    assert ask("GET", "/train/jobs", role="train")[1]["total_count"] == 2
    from training.submission import Submissions

    with pytest.MonkeyPatch.context() as patch:
        batch = Batch(BatchSettings(job_queue="queue", job_definition="train:1"))
        patch.setattr(Submissions, "from_environment", lambda: Submissions(SETTINGS, jobs, batch, None, None))  # type: ignore[arg-type]
        assert ask("DELETE", "/train/jobs/job_000001", role="train")[0] == 202
        status, problem = ask("DELETE", "/train/jobs/job_000002", role="train")
        assert status == 403
        assert "someone else" in problem["detail"]
        assert not jobs.job("job_000002").cancel_requested
        assert ask("DELETE", "/train/jobs/job_000002", role="admin")[0] == 202
    assert jobs.job("job_000001").cancel_requested


def test_what_a_script_logs_is_its_progress(ask: Ask, jobs: JobsTable, runs: FakeRuns) -> None:
    jobs.create(Job("job_000001", request={"code": CODE}, params={"lr": 1}, run_id="r"))
    jobs.move("job_000001", JobStatus.RUNNING, 1)
    runs.states["r"] = RunState.of(
        {
            "data": {
                "metrics": [
                    {"key": "loss", "value": 0.5, "step": 3},
                    {"key": "worst", "value": float("nan"), "step": 2},
                    {"key": "system/cpu", "value": 90, "step": 70},
                ],
                "params": [{"key": "epochs", "value": "7"}],
            }
        }
    )
    status, job = ask("GET", "/train/status/job_000001")
    assert status == 200
    assert job["progress"] == {"epoch": 3, "epochs": 7}
    assert job["metrics"]["loss"] == 0.5
    assert "system/cpu" not in job["metrics"]
    assert job["params"] == {"lr": 1, "epochs": "7"}
    assert job["objective"] is None
    assert ask("GET", "/train/jobs")[1]["jobs"][0]["progress"] == {"epoch": 3, "epochs": 7}
    runs.failure = DependencyUnavailable("MLflow does not answer")
    status, job = ask("GET", "/train/status/job_000001")
    assert (status, job["status"], job["progress"]["epoch"]) == (200, "running", 0)


STATUSES = {"SUCCEEDED": ("completed", "FINISHED"), "FAILED": ("failed", "FAILED")}


@pytest.mark.parametrize("batch_status", STATUSES)
def test_the_end_of_a_job_is_that_of_its_run(jobs: JobsTable, runs: FakeRuns, batch_status: str) -> None:
    states = JobStates(jobs, runs, None, None)  # type: ignore[arg-type]
    jobs.create(Job("job_000001", request={"code": CODE}, run_id="r", batch_job_id="b"))
    runs.states["r"] = RunState({"loss": 0.1}, 9, 9, {}, error="train.py ended with exit code 3")
    runs.version = Version("own", 4, "r", "s3://x", {})
    event: Any = {"jobId": "b", "jobName": "job_000001", "jobQueue": "q", "status": batch_status, "attempts": [{}]}
    runs.failure = DependencyUnavailable("MLflow does not answer")
    with pytest.raises(DependencyUnavailable):
        states.follow(event)
    ended, in_mlflow = STATUSES[batch_status]
    assert jobs.job("job_000001").status == ended, "it has ended, whether or not MLflow answers"
    runs.failure = None
    assert states.follow(event)
    job = jobs.job("job_000001")
    assert (job.metrics, job.epoch, job.model_name, job.model_version) == ({"loss": 0.1}, 9, "own", 4)
    assert job.error == ("train.py ended with exit code 3" if ended == "failed" else None)
    assert runs.ended == {"r": in_mlflow}


def test_a_cancelled_job_ends_its_run_as_killed(jobs: JobsTable, runs: FakeRuns) -> None:
    states = JobStates(jobs, runs, None, None)  # type: ignore[arg-type]
    jobs.create(Job("job_000001", request={"code": CODE}, run_id="r", batch_job_id="b", cancel_requested=True))
    event: Any = {"jobId": "b", "jobName": "job_000001", "jobQueue": "q", "status": "FAILED", "attempts": [{}]}
    assert states.follow(event)
    assert (jobs.job("job_000001").status, runs.ended) == ("cancelled", {"r": "KILLED"})


def test_a_job_that_moves_to_another_queue_keeps_its_definition(stub: Stubber) -> None:
    batch = Batch(BatchSettings(job_queue="queue", job_definition="arn:a/train:7", code_job_definition="arn:a/code:7"))
    described: Any = {"jobName": "job_000001", "jobId": "b", "jobQueue": "queue", "status": "RUNNABLE"}
    with Stubber(batch._submitter) as submitter:
        for own, expected in (("arn:a/code:5", "arn:a/code:7"), ("arn:a/train:5", "arn:a/train:7")):
            request = {"jobName": ANY, "jobQueue": "other", "jobDefinition": expected, "containerOverrides": ANY}
            submitter.add_response("submit_job", {"jobName": "j", "jobId": "b2"}, request)
            assert batch.submit_again({**described, "jobDefinition": own}, "other") == "b2"
