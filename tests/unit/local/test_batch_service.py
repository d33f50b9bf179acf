"""The Batch API as boto3 sees it, on a scheduler that never runs anything."""

import json
import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from infra.local.aws.batch.requests import BatchError
from infra.local.aws.batch.rules import Status, child_id
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.service import BatchService
from infra.local.aws.batch.store import KEPT_SECONDS, Store, leftover_processes
from infra.local.processes import Process

REFUSED = 400

PREFIX = "arn:aws:batch:us-east-1:000000000000"
OLD_ENVIRONMENT = {
    "computeResources": {"type": "FARGATE_SPOT", "maxvCpus": 4},
    "computeEnvironmentName": "spot",
    "computeEnvironmentArn": f"{PREFIX}:compute-environment/spot",
    "state": "ENABLED",
}
OLD_QUEUE = {
    "priority": 1,
    "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": f"{PREFIX}:compute-environment/spot"}],
    "jobQueueName": "spot",
    "jobQueueArn": f"{PREFIX}:job-queue/spot",
    "state": "ENABLED",
    "status": "VALID",
}
OLD_DEFINITION = {
    "type": "container",
    "timeout": {"attemptDurationSeconds": 7200},
    "containerProperties": {"image": "training", "command": ["python", "-m", "trainer"]},
    "jobDefinitionName": "training",
    "jobDefinitionArn": f"{PREFIX}:job-definition/training:1",
    "revision": 1,
    "status": "ACTIVE",
}
OLD_JOB = {
    "jobId": "9b1c0a52-0000-4000-8000-000000000001",
    "jobArn": f"{PREFIX}:job/9b1c0a52-0000-4000-8000-000000000001",
    "jobName": "sweep_000001",
    "jobQueue": f"{PREFIX}:job-queue/spot",
    "jobDefinition": f"{PREFIX}:job-definition/training:1",
    "status": "PENDING",
    "createdAt": 1760000000000,
    "attempts": [],
    "retryStrategy": {"attempts": 1},
    "dependsOn": [],
    "parameters": {},
    "container": {"image": "training", "command": ["python", "-m", "trainer"], "environment": []},
    "tags": {},
    "propagateTags": False,
    "platformCapabilities": [],
    "isCancelled": False,
    "isTerminated": False,
    "_sequence": 1,
    "_definition_name": "training",
    "_queue_name": "spot",
    "_environment_name": "spot",
    "_interruption": "Your Spot Task was interrupted.",
    "arrayProperties": {"size": 1, "statusSummary": dict.fromkeys(Status, 0) | {"RUNNING": 1}},
}
OLD_CHILD = {
    "jobId": f"{OLD_JOB['jobId']}:0",
    "jobArn": f"{OLD_JOB['jobArn']}:0",
    "status": "RUNNING",
    "createdAt": 1760000000000,
    "startedAt": 1760000001000,
    "attempts": [],
    "container": {"logStreamName": "training/default/1"},
    "arrayProperties": {"index": 0},
    "isCancelled": False,
    "isTerminated": False,
    "_parent": OLD_JOB["jobId"],
    "_sequence": 1,
    "_process": {"pid": 999999999, "another": "form"},
}


class Sink:
    def __init__(self):
        self.events = []

    def state_changed(self, detail):
        self.events.append(json.loads(json.dumps(detail)))

    def write_log(self, group, stream, lines):
        pass


class Batch:
    """A service whose jobs stay where the test puts them."""

    def __init__(self, path):
        self.path = path
        self.open()

    def open(self):
        self.sink = Sink()
        self.store = Store(self.path / "batch.sqlite")
        self.scheduler = Scheduler(self.store, None, self.sink, slots=2, scratch=self.path / "jobs")
        self.service = BatchService(self.store, self.scheduler, region="us-east-1", account="000000000000")

    def reopen(self):
        self.store.close()
        self.open()

    def call(self, operation, **request):
        status, answer = self.service.handle("POST", f"/v1/{operation}", json.dumps(request).encode())
        assert status == 200, answer
        return answer

    def refused(self, operation, **request):
        status, answer = self.service.handle("POST", f"/v1/{operation}", json.dumps(request).encode())
        assert status == REFUSED
        return answer["message"]

    def submit(self, **more):
        return self.call("submitjob", jobName="job_000001", jobQueue="spot", jobDefinition="training", **more)["jobId"]

    def job(self, job_id):
        return self.call("describejobs", jobs=[job_id])["jobs"][0]


@pytest.fixture
def batch(tmp_path):
    made = Batch(tmp_path)
    made.call(
        "createcomputeenvironment",
        computeEnvironmentName="spot",
        type="MANAGED",
        computeResources={"type": "FARGATE_SPOT", "maxvCpus": 4},
    )
    made.call(
        "createjobqueue",
        jobQueueName="spot",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "spot"}],
    )
    made.call(
        "registerjobdefinition",
        jobDefinitionName="training",
        type="container",
        tags={"team": "vision"},
        propagateTags=True,
        containerProperties={
            "image": "training",
            "command": ["python", "-m", "trainer"],
            "environment": [{"name": "ARTIFACT_BUCKET", "value": "b"}],
        },
    )
    return made


def test_a_submitted_job_is_described_as_aws_does(batch):
    environment = [{"name": "JOB_ID", "value": "job_000001"}]
    job_id = batch.submit(containerOverrides={"environment": environment})
    job = batch.job(job_id)
    assert job["status"] == "SUBMITTED"
    assert job["jobQueue"] == "arn:aws:batch:us-east-1:000000000000:job-queue/spot"
    assert job["jobDefinition"].endswith("job-definition/training:1")
    assert job["container"]["command"] == ["python", "-m", "trainer"]
    assert {pair["name"] for pair in job["container"]["environment"]} == {"ARTIFACT_BUCKET", "JOB_ID"}
    assert job["tags"] == {"team": "vision"}
    assert not [name for name in job if name.startswith("_")]


def test_an_array_job_has_a_child_for_every_index(batch):
    job_id = batch.submit(arrayProperties={"size": 3})
    parent = batch.job(job_id)
    assert parent["arrayProperties"]["size"] == 3
    assert parent["arrayProperties"]["statusSummary"] == dict.fromkeys(Status, 0) | {"SUBMITTED": 3}
    for index in range(3):
        child = batch.job(child_id(job_id, index))
        assert child["arrayProperties"] == {"index": index}
        assert child["jobName"] == parent["jobName"]
        assert child["container"]["command"] == parent["container"]["command"]


def test_jobs_are_found_by_name_in_whatever_state_and_without_an_arrays_children(batch):
    first = batch.submit()
    batch.call("terminatejob", jobId=first, reason="enough")
    second = batch.submit(arrayProperties={"size": 3})
    for values, expected in ((["job_000001"], [second, first]), (["JOB_000001"], [second, first]), (["other"], [])):
        named = batch.call("listjobs", jobQueue="spot", filters=[{"name": "JOB_NAME", "values": values}])
        assert [job["jobId"] for job in named["jobSummaryList"]] == expected


def test_jobs_are_listed_by_status(batch):
    ended, waiting = batch.submit(), batch.submit(arrayProperties={"size": 3})
    batch.call("terminatejob", jobId=ended, reason="enough")

    def listed(**request):
        return [job["jobId"] for job in batch.call("listjobs", jobQueue="spot", **request)["jobSummaryList"]]

    assert listed(jobStatus="FAILED") == [ended]
    assert [waiting] == listed(jobStatus=batch.job(waiting)["status"])
    assert listed() == listed(jobStatus="RUNNING")


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"jobQueue": "spot", "filters": [{"name": "JOB_DEFINITION", "values": ["training"]}]}, "JOB_NAME"),
        ({"arrayJobId": "1"}, "arrayJobId"),
    ],
)
def test_another_way_to_list_jobs_is_refused_by_name(batch, request_, word):
    assert word in batch.refused("listjobs", **request_)


def test_revisions_count_up_and_a_name_means_the_newest_active_one(batch):
    second = batch.call(
        "registerjobdefinition", jobDefinitionName="training", type="container", containerProperties={"command": ["x"]}
    )
    assert second["revision"] == 2
    assert batch.job(batch.submit())["jobDefinition"].endswith("training:2")
    batch.call("deregisterjobdefinition", jobDefinition=second["jobDefinitionArn"])
    assert batch.job(batch.submit())["jobDefinition"].endswith("training:1")
    assert "training:2" in batch.refused("submitjob", jobName="a", jobQueue="spot", jobDefinition="training:2")
    shown = batch.call("describejobdefinitions")["jobDefinitions"]
    assert [(each["revision"], each["status"]) for each in shown] == [(2, "INACTIVE"), (1, "ACTIVE")]
    (named,) = batch.call("describejobdefinitions", jobDefinitions=[shown[1]["jobDefinitionArn"]])["jobDefinitions"]
    assert named["containerProperties"]["command"] == ["python", "-m", "trainer"]


def test_a_terminated_job_that_waits_fails_with_the_reason_given(batch):
    job_id = batch.submit()
    batch.call("terminatejob", jobId=job_id, reason="not needed")
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "not needed", True)
    assert batch.sink.events[-1]["status"] == "FAILED"


def test_a_terminated_array_ends_with_all_its_children(batch):
    job_id = batch.submit(arrayProperties={"size": 2})
    batch.call("terminatejob", jobId=job_id, reason="enough")
    assert [batch.job(child_id(job_id, index))["status"] for index in (0, 1)] == ["FAILED", "FAILED"]
    assert batch.job(job_id)["status"] == "FAILED"
    statuses = [(event["jobId"], event["status"]) for event in batch.sink.events]
    assert statuses == [(f"{job_id}:0", "FAILED"), (f"{job_id}:1", "FAILED"), (job_id, "FAILED")]


def test_everything_is_there_after_a_kill(batch):
    job_id = batch.submit(arrayProperties={"size": 12}, timeout={"attemptDurationSeconds": 90})
    ids = [job_id, *(child_id(job_id, index) for index in range(12))]
    resources = batch.call("describejobqueues"), batch.call("describejobdefinitions")
    jobs = batch.call("describejobs", jobs=ids)
    assert len(jobs["jobs"]) == 13
    batch.reopen()
    assert batch.call("describejobs", jobs=ids) == jobs
    assert (batch.call("describejobqueues"), batch.call("describejobdefinitions")) == resources
    batch.call("terminatejob", jobId=job_id, reason="enough")
    assert {job["status"] for job in batch.call("describejobs", jobs=ids)["jobs"]} == {"FAILED"}


def test_an_array_is_forgotten_with_its_children_a_week_after_its_end(batch, monkeypatch):
    job_id = batch.submit(arrayProperties={"size": 2})
    waiting = batch.submit()
    batch.call("terminatejob", jobId=job_id, reason="enough")
    in_a_week = time.time() + KEPT_SECONDS
    monkeypatch.setattr("infra.local.aws.batch.store.time.time", lambda: in_a_week - 60)
    batch.reopen()
    assert set(batch.store.jobs) == {job_id, child_id(job_id, 0), child_id(job_id, 1), waiting}
    monkeypatch.setattr("infra.local.aws.batch.store.time.time", lambda: in_a_week + 60)
    batch.reopen()
    assert set(batch.store.jobs) == {waiting}


def test_a_job_that_ran_when_the_service_was_killed_is_found_with_its_process(batch):
    job = batch.store.jobs[batch.submit()]
    job.process = Process.of(os.getpid())
    batch.store.put_jobs(job)
    assert list(leftover_processes(batch.path / "batch.sqlite")) == [(job.job_id, job.process)]
    batch.reopen()
    assert batch.store.jobs[job.job_id].process == Process.of(os.getpid())


def test_the_file_of_the_version_before_is_read(tmp_path):
    """Its records, as they were written: a stack whose checkout is updated has its queues and its jobs still."""
    records = [
        ("compute_environment", "spot", OLD_ENVIRONMENT),
        ("queue", "spot", OLD_QUEUE),
        ("definition", "training:1", OLD_DEFINITION),
        ("job", OLD_JOB["jobId"], OLD_JOB),
        ("job", OLD_CHILD["jobId"], OLD_CHILD),
    ]
    with closing(sqlite3.connect(tmp_path / "batch.sqlite")) as database, database:
        database.execute(
            "create table records (kind text not null, id text not null, body text not null, primary key (kind, id))"
            " without rowid"
        )
        rows = [(kind, key, json.dumps(record)) for kind, key, record in records]
        database.executemany("insert into records values (?, ?, ?)", rows)
    batch = Batch(tmp_path)
    child = batch.job(OLD_CHILD["jobId"])
    assert (child["jobName"], child["status"]) == ("sweep_000001", "RUNNING")
    assert child["container"]["logStreamName"] == "training/default/1"
    assert child["container"]["command"] == ["python", "-m", "trainer"]
    assert batch.job(OLD_JOB["jobId"])["arrayProperties"] == OLD_JOB["arrayProperties"]
    assert batch.submit()


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"jobQueue": "nowhere"}, "nowhere"),
        ({"jobDefinition": "nothing"}, "nothing"),
        ({"jobName": "no spaces"}, "jobName"),
        ({"arrayProperties": {"size": 1}}, "arrayProperties.size"),
        ({"retryStrategy": {"attempts": 99}}, "attempts"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "60"),
        ({"dependsOn": [{"jobId": "any"}]}, "dependsOn is not supported"),
        ({"parameters": {"epochs": "7"}}, "parameters is not supported"),
        ({"containerOverrides": {"command": ["true"]}}, "containerOverrides.command is not supported"),
        ({"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}}, "AWS_BATCH_X"),
    ],
)
def test_what_aws_or_this_service_refuses_is_refused_by_name(batch, request_, word):
    request = {"jobName": "a", "jobQueue": "spot", "jobDefinition": "training", **request_}
    assert word in batch.refused("submitjob", **request)


def test_a_disabled_queue_takes_no_jobs(batch):
    batch.service.resources.update_job_queue({"jobQueue": "spot", "state": "DISABLED"})
    assert "not enabled" in batch.refused("submitjob", jobName="a", jobQueue="spot", jobDefinition="training")


def test_a_compute_environment_in_use_stays(batch):
    with pytest.raises(BatchError, match="spot"):
        batch.service.resources.delete_compute_environment({"computeEnvironment": "spot"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/v1/submitjob", b""), ("POST", "/v1/nothing", b"{}"), ("POST", "/v1/submitjob", b"[")],
)
def test_what_is_no_operation_is_refused(batch, method, path, body):
    assert batch.service.handle(method, path, body)[0] == REFUSED


def test_submissions_from_many_threads_are_all_kept(batch):
    threads = [threading.Thread(target=lambda: [batch.submit() for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([job for job in batch.store.jobs.values() if job.status is Status.SUBMITTED]) == 40
