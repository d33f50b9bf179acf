"""A job with a GPU goes to the queue that has some; whoever cannot use it is told which field to change."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from mlops.aws.batch import Batch, BatchSettings
from mlops.aws.jobs_table import JobsTable
from tests.support import gateway
from tests.support.governance import FakeHistory
from tests.support.model_types import PUBLISHED, Published
from training import submission
from training.app import handler
from training.settings import TrainingSettings

SETTINGS = TrainingSettings(artifact_bucket="bucket", gpu_job_definition="gpu-definition")
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def batch(aws: None) -> Batch:
    return Batch(BatchSettings("queue", "definition", gpu_job_queue="gpu-queue", gpu_job_definition="gpu-definition"))


@pytest.fixture
def ask(batch: Batch, jobs: JobsTable, history: FakeHistory, monkeypatch: pytest.MonkeyPatch) -> Ask:
    submissions = submission.Submissions(SETTINGS, jobs, batch, Published(PUBLISHED), history)
    monkeypatch.setattr(submission, "_submissions", lambda: submissions)
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    return partial(gateway.ask, handler)


@pytest.mark.parametrize(
    ("path", "body", "more"),
    [
        ("/train", {}, {}),
        ("/train", {"model_type": "cnn", "resources": {"minutes": 30}}, {"timeout": {"attemptDurationSeconds": 1800}}),
        ("/sweeps", {"num_runs": 3}, {"arrayProperties": {"size": 3}}),
        (
            "/sweeps",
            {"num_runs": 4, "strategy": "tpe", "workers": 2},
            {"arrayProperties": {"size": 2}, "timeout": {"attemptDurationSeconds": 14400}},
        ),
    ],
)
def test_a_job_with_a_gpu_is_of_its_own_queue_and_definition(
    ask: Ask, batch: Batch, path: str, body: dict[str, Any], more: dict[str, Any]
) -> None:
    body = {**body, "resources": {**body.get("resources", {}), "gpu": 1}}
    wanted = {
        "jobName": ANY,
        "jobQueue": "gpu-queue",
        "jobDefinition": "gpu-definition",
        "containerOverrides": {"environment": ANY},  # the size is the definition's
        **more,
    }
    with Stubber(batch._submitter) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"}, wanted)
        status, _ = ask("POST", path, body)
        stub.assert_no_pending_responses()
    assert status == 202


def test_others_stay_on_fargate(ask: Ask, batch: Batch) -> None:
    wanted = {"jobName": ANY, "jobQueue": "queue", "jobDefinition": "definition", "containerOverrides": ANY}
    with Stubber(batch._submitter) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"}, wanted)
        assert ask("POST", "/train", {"resources": {"gpu": 0}})[0] == 202


@pytest.mark.parametrize("path", ["/train", "/sweeps"])
def test_a_type_that_has_no_use_for_it_is_refused(ask: Ask, batch: Batch, path: str) -> None:
    body = {"model_type": "linear", "resources": {"gpu": 1}}
    with Stubber(batch._submitter):  # which answers nothing: any call to Batch fails the test
        status, problem = ask("POST", path, body)
    (error,) = problem["errors"]
    assert (status, error["field"]) == (422, "resources.gpu")
    assert error["message"] == "must be 0: linear trains on the processor only; on a GPU train mlp, cnn"


def test_a_stack_without_gpus_says_how_it_gets_some(ask: Ask, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission._submissions(), "_settings", replace(SETTINGS, gpu_job_definition=""))
    with Stubber(batch._submitter):
        status, problem = ask("POST", "/train", {"resources": {"gpu": 1}})
    (error,) = problem["errors"]
    assert (status, error["field"]) == (422, "resources.gpu")
    assert "GpuInstanceTypes" in error["message"]


@pytest.mark.parametrize("found_in", ["queue", "gpu-queue", None])
def test_a_job_whose_id_was_lost_is_found_in_each_queue_of_training(batch: Batch, found_in: str | None) -> None:
    by_name = [{"name": "JOB_NAME", "values": ["job_000001"]}]
    with Stubber(batch._batch) as stub:
        for queue in ("queue", "gpu-queue"):
            jobs = [{"jobId": "batch-1", "jobName": "job_000001"}] if queue == found_in else []
            stub.add_response("list_jobs", {"jobSummaryList": jobs}, {"jobQueue": queue, "filters": by_name})
            if jobs:
                break
        assert batch.find("job_000001") == ("batch-1" if found_in else None)
        stub.assert_no_pending_responses()
