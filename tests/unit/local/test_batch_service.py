"""The Batch API as boto3 sees it, on a scheduler that never runs anything."""

import json
import threading
from urllib.parse import quote

import pytest

from infra.local.aws.batch.rules import STATUSES, child_id
from infra.local.aws.batch.scheduler import Scheduler
from infra.local.aws.batch.service import BatchService
from infra.local.aws.batch.store import Store

REFUSED = 400


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
        status, answer = self.service.handle("POST", f"/v1/{operation}", json.dumps(request).encode(), {})
        assert status == 200, answer
        return answer

    def refused(self, operation, **request):
        status, answer = self.service.handle("POST", f"/v1/{operation}", json.dumps(request).encode(), {})
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
        parameters={"epochs": "1"},
        containerProperties={
            "image": "training",
            "command": ["python", "-m", "trainer", "--epochs", "Ref::epochs"],
            "environment": [{"name": "ARTIFACT_BUCKET", "value": "b"}],
        },
    )
    return made


def test_a_submitted_job_is_described_as_aws_does(batch):
    environment = [{"name": "JOB_ID", "value": "job_000001"}]
    job_id = batch.submit(
        parameters={"epochs": "7"}, containerOverrides={"environment": environment}, tags={"team": "vision"}
    )
    job = batch.job(job_id)
    assert job["status"] == "SUBMITTED"
    assert job["jobQueue"] == "arn:aws:batch:us-east-1:000000000000:job-queue/spot"
    assert job["jobDefinition"].endswith("job-definition/training:1")
    assert job["container"]["command"][-1] == "7"
    assert {pair["name"] for pair in job["container"]["environment"]} == {"ARTIFACT_BUCKET", "JOB_ID"}
    assert job["tags"] == {"team": "vision"}
    assert not [name for name in job if name.startswith("_")]


def test_an_array_job_has_a_child_for_every_index(batch):
    job_id = batch.submit(arrayProperties={"size": 3})
    parent = batch.job(job_id)
    assert parent["arrayProperties"]["size"] == 3
    assert parent["arrayProperties"]["statusSummary"] == dict.fromkeys(STATUSES, 0) | {"SUBMITTED": 3}
    for index in range(3):
        child = batch.job(child_id(job_id, index))
        assert child["arrayProperties"] == {"index": index}
        assert child["jobName"] == parent["jobName"]
        assert child["container"]["command"] == parent["container"]["command"]


def test_children_are_listed_by_their_array_and_not_by_the_queue(batch):
    job_id = batch.submit(arrayProperties={"size": 3})
    children = batch.call("listjobs", arrayJobId=job_id, jobStatus="SUBMITTED")["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]
    listed = batch.call("listjobs", jobQueue="spot", jobStatus="SUBMITTED")["jobSummaryList"]
    assert [job["jobId"] for job in listed] == [job_id]


def test_without_a_status_only_running_jobs_are_listed(batch):
    batch.submit()
    assert batch.call("listjobs", jobQueue="spot")["jobSummaryList"] == []


def test_a_filter_takes_the_place_of_the_status(batch):
    job_id = batch.submit()
    for values, expected in ((["job_*"], [job_id]), (["JOB_000001"], [job_id]), (["other"], [])):
        found = batch.call("listjobs", jobQueue="spot", filters=[{"name": "JOB_NAME", "values": values}])
        assert [job["jobId"] for job in found["jobSummaryList"]] == expected


def test_pages_follow_each_other(batch):
    ids = [batch.submit() for _ in range(5)]
    found, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = batch.call("listjobs", jobQueue="spot", jobStatus="SUBMITTED", maxResults=2, **more)
        found += [job["jobId"] for job in page["jobSummaryList"]]
        token = page.get("nextToken")
        if token is None:
            break
    assert sorted(found) == sorted(ids)


def test_revisions_count_up_and_a_name_means_the_newest_active_one(batch):
    second = batch.call(
        "registerjobdefinition", jobDefinitionName="training", type="container", containerProperties={"command": ["x"]}
    )
    assert second["revision"] == 2
    assert batch.job(batch.submit())["jobDefinition"].endswith("training:2")
    batch.call("deregisterjobdefinition", jobDefinition=second["jobDefinitionArn"])
    assert batch.job(batch.submit())["jobDefinition"].endswith("training:1")
    assert "training:2" in batch.refused("submitjob", jobName="a", jobQueue="spot", jobDefinition="training:2")
    active = batch.call("describejobdefinitions", jobDefinitionName="training", status="ACTIVE")["jobDefinitions"]
    assert [each["revision"] for each in active] == [1]


def test_a_cancelled_job_fails_with_the_reason_given(batch):
    job_id = batch.submit()
    batch.call("canceljob", jobId=job_id, reason="not needed")
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"], job["isCancelled"]) == ("FAILED", "not needed", True)
    assert batch.sink.events[-1]["status"] == "FAILED"


def test_a_terminated_array_ends_with_all_its_children(batch):
    job_id = batch.submit(arrayProperties={"size": 2})
    batch.call("terminatejob", jobId=job_id, reason="enough")
    assert [batch.job(child_id(job_id, index))["status"] for index in (0, 1)] == ["FAILED", "FAILED"]
    assert batch.job(job_id)["status"] == "FAILED"
    statuses = [(event["jobId"], event["status"]) for event in batch.sink.events]
    assert statuses == [(f"{job_id}:0", "FAILED"), (f"{job_id}:1", "FAILED"), (job_id, "FAILED")]


def test_everything_is_there_after_a_kill(batch):
    job_id = batch.submit(arrayProperties={"size": 2})
    before = batch.job(job_id)
    batch.reopen()
    assert batch.job(job_id) == before
    assert batch.job(child_id(job_id, 1))["status"] == "SUBMITTED"


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"jobQueue": "nowhere"}, "nowhere"),
        ({"jobDefinition": "nothing"}, "nothing"),
        ({"jobName": "no spaces"}, "jobName"),
        ({"arrayProperties": {"size": 1}}, "arrayProperties.size"),
        ({"retryStrategy": {"attempts": 99}}, "attempts"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "60"),
        ({"dependsOn": [{"jobId": "missing"}]}, "missing"),
        ({"dependsOn": [{"jobId": "x", "type": "N_TO_N"}]}, "N_TO_N"),
        ({"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}}, "AWS_BATCH_X"),
    ],
)
def test_what_aws_refuses_is_refused_by_name(batch, request_, word):
    request = {"jobName": "a", "jobQueue": "spot", "jobDefinition": "training", **request_}
    assert word in batch.refused("submitjob", **request)


def test_a_disabled_queue_takes_no_jobs(batch):
    batch.call("updatejobqueue", jobQueue="spot", state="DISABLED")
    assert "not enabled" in batch.refused("submitjob", jobName="a", jobQueue="spot", jobDefinition="training")


def test_a_compute_environment_in_use_stays(batch):
    assert "spot" in batch.refused("deletecomputeenvironment", computeEnvironment="spot")


def test_tags_can_be_read_set_and_removed(batch):
    path = "/v1/tags/" + quote("arn:aws:batch:us-east-1:000000000000:job-queue/spot", safe="")
    assert batch.service.handle("POST", path, b'{"tags": {"a": "1", "b": "2"}}', {})[0] == 200
    assert batch.service.handle("DELETE", path, b"", {"tagKeys": ["a"]})[0] == 200
    assert batch.service.handle("GET", path, b"", {}) == (200, {"tags": {"b": "2"}})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/v1/submitjob", b""), ("POST", "/v1/nothing", b"{}"), ("POST", "/v1/submitjob", b"[")],
)
def test_what_is_no_operation_is_refused(batch, method, path, body):
    assert batch.service.handle(method, path, body, {})[0] == REFUSED


def test_submissions_from_many_threads_are_all_kept(batch):
    threads = [threading.Thread(target=lambda: [batch.submit() for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([job for job in batch.store.jobs.values() if job["status"] == "SUBMITTED"]) == 40
