"""Custom::Migration's function: whatever happens, CloudFormation is answered, and only with a job that succeeded."""

from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import migration.app
from tools.runtime.custom_resource import Receiver

POSTGRESQL, UPGRADE = "/aws/rds/instance/db/postgresql", "/aws/rds/instance/db/upgrade"
PROPERTIES = {
    "JobQueue": "queue",
    "JobDefinition": "definition:3",
    "DatabaseHost": "db.example",
    "LogGroups": [POSTGRESQL, UPGRADE],
    "LogRetentionDays": "30",
    "KmsKeyArn": "",
}


class Batch:
    """Batch with one job, which takes the states it is given, one a look."""

    def __init__(self, *looks: dict[str, Any] | None) -> None:
        self.looks = list(looks)
        self.submitted: list[dict[str, str]] = []
        self.terminated: list[str] = []
        self.refusals: list[Exception] = []

    def submit_job(self, **request: str) -> dict[str, str]:
        if self.refusals:
            raise self.refusals.pop()
        self.submitted.append(request)
        return {"jobId": "job-1"}

    def describe_jobs(self, jobs: list[str]) -> dict[str, list[dict[str, Any]]]:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return {"jobs": [look] if look else []}

    def terminate_job(self, jobId: str, reason: str) -> None:
        self.terminated.append(jobId)


class AlreadyExists(ClientError):
    """What CloudWatch says of a log group that is there."""


class Logs:
    """CloudWatch's log groups: what each is kept for, in days, and its key."""

    exceptions = SimpleNamespace(ResourceAlreadyExistsException=AlreadyExists)

    def __init__(self) -> None:
        self.groups: dict[str, int | None] = {}
        self.keys: dict[str, str] = {}

    def create_log_group(self, logGroupName: str) -> None:
        if logGroupName in self.groups:
            raise AlreadyExists({"Error": {"Code": "ResourceAlreadyExistsException"}}, "CreateLogGroup")
        self.groups[logGroupName] = None

    def put_retention_policy(self, logGroupName: str, retentionInDays: int) -> None:
        assert logGroupName in self.groups, "CloudWatch knows no such group"
        self.groups[logGroupName] = retentionInDays

    def associate_kms_key(self, logGroupName: str, kmsKeyId: str) -> None:
        assert logGroupName in self.groups, "CloudWatch knows no such group"
        self.keys[logGroupName] = kmsKeyId


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(migration.app, "POLL_SECONDS", 0.0)
    return migration.app


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def logs() -> Logs:
    return Logs()


@pytest.fixture
def run(app: ModuleType, receiver: Receiver, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Invoke the function and return what CloudFormation was told."""

    def run(
        batch: Batch,
        request: str = "Update",
        stack: str = "UPDATE_IN_PROGRESS",
        seconds: float = 600,
        **properties: str,
    ) -> dict[str, Any]:
        stacks = SimpleNamespace(describe_stacks=lambda StackName: {"Stacks": [{"StackStatus": stack}]})
        clients = {"batch": batch, "cloudformation": stacks, "logs": logs}
        monkeypatch.setattr(app, "boto3", SimpleNamespace(client=clients.__getitem__))
        left = iter(range(int(seconds), -1, -100))
        event = {
            "RequestType": request,
            "ResponseURL": f"{receiver.url}answer?signature=x",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Migration",
            "ResourceProperties": {"ServiceToken": "function", **PROPERTIES, **properties},
        }
        app.handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: next(left) * 1000))
        (told,) = receiver.answers
        return told

    return run


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_job_that_succeeds(run: Run, receiver: Receiver, request_type: str) -> None:
    batch = Batch(None, {"status": "RUNNABLE"}, {"status": "RUNNING"}, {"status": "SUCCEEDED"})
    told = run(batch, request_type)
    assert batch.submitted == [{"jobName": "migration", "jobQueue": "queue", "jobDefinition": "definition:3"}]
    assert told["Status"] == "SUCCESS"
    assert told["Data"] == {"DatabaseHost": "db.example"}
    assert (told["StackId"], told["RequestId"], told["LogicalResourceId"]) == ("stack", "request", "Migration")
    assert receiver.content_types == [""], "the address is signed without one"


def test_the_logs_of_the_database_are_kept_for_some_days(run: Run, logs: Logs) -> None:
    """Whether RDS has made a group already or not."""
    logs.groups[POSTGRESQL] = None
    assert run(Batch({"status": "SUCCEEDED"}))["Status"] == "SUCCESS"
    assert logs.groups == {POSTGRESQL: 30, UPGRADE: 30}
    assert logs.keys == {}


def test_the_logs_of_the_database_have_the_key_of_the_stack(run: Run, logs: Logs) -> None:
    run(Batch({"status": "SUCCEEDED"}), KmsKeyArn="arn:key")
    assert logs.keys == {POSTGRESQL: "arn:key", UPGRADE: "arn:key"}


def test_the_physical_id_never_changes(run: Run, receiver: Receiver) -> None:
    first = run(Batch({"status": "SUCCEEDED"}), "Create")
    receiver.answers.clear()
    assert run(Batch({"status": "FAILED"}))["PhysicalResourceId"] == first["PhysicalResourceId"]


def test_a_job_that_fails_says_why_and_where(run: Run) -> None:
    container = {"reason": "CannotPullContainerError: no such image", "logStreamName": "job/default/1"}
    told = run(Batch({"status": "FAILED", "statusReason": "Task failed to start", "container": container}))
    assert told["Status"] == "FAILED"
    for text in ("job-1", "Task failed to start", "CannotPullContainerError", "job/default/1"):
        assert text in told["Reason"]


def test_a_job_that_takes_too_long_is_stopped(run: Run) -> None:
    batch = Batch({"status": "RUNNABLE"})
    told = run(batch, seconds=300)
    assert told["Status"] == "FAILED"
    assert batch.terminated == ["job-1"]


@pytest.mark.parametrize("stack", ["UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_nothing_runs_on_the_way_back(run: Run, logs: Logs, stack: str) -> None:
    batch = Batch({"status": "FAILED"})
    told = run(batch, stack=stack)
    assert told["Status"] == "SUCCESS"
    assert told["Data"] == {"DatabaseHost": "db.example"}
    assert batch.submitted == []
    assert logs.groups == {}


def test_deleting_touches_nothing(run: Run) -> None:
    batch = Batch({"status": "FAILED"})
    assert run(batch, "Delete", stack="DELETE_IN_PROGRESS")["Status"] == "SUCCESS"
    assert batch.submitted == []


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "x" * 5000}}, "SubmitJob")


def test_a_permission_may_take_a_while_to_be_known(run: Run) -> None:
    batch = Batch({"status": "SUCCEEDED"})
    batch.refusals = [refusal("AccessDeniedException"), refusal("AccessDeniedException")]
    assert run(batch)["Status"] == "SUCCESS"


def test_any_other_refusal_is_told_at_once_and_within_4_kb(run: Run) -> None:
    batch = Batch({"status": "SUCCEEDED"})
    batch.refusals = [refusal("ClientException")]
    told = run(batch)
    assert told["Status"] == "FAILED"
    assert "ClientException" in told["Reason"]
    assert told["size"] < 4096
