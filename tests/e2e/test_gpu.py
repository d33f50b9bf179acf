"""A job with a GPU goes all the way through the stack, to a queue of its own, and says what it would have cost."""

import time
from typing import Any

from mlops.registry.rest import Tracking
from tests.support.steps import ENDED


def test_a_job_with_a_gpu_trains_and_says_its_cost(api: Any, mlflow: Tracking, stack: Any, aws_client: Any) -> None:
    body = {"epochs": 1, "model_name": "on-gpu", "experiment_name": "on-gpu", "resources": {"gpu": 1, "minutes": 30}}
    job_id = api.post("/train", body)["job_id"]
    where = f"/train/status/{job_id}"
    job = api.wait(where, until=lambda answer: answer["status"] in ENDED and answer["cost_usd"] is not None)
    assert (job["status"], job["model_version"]) == ("completed", 1), job["error"]
    # At least a minute of an hour at 0.54; a busy machine takes longer.
    assert 0.54 / 60 <= job["cost_usd"] + 1e-5 <= 0.54 / 2
    deadline = time.monotonic() + 60
    while "mlops.cost_usd" not in (tags := mlflow.run(job["run_id"])["tags"]):  # written after the record
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert abs(float(tags["mlops.cost_usd"]) - job["cost_usd"]) < 1e-5

    queues = aws_client("batch").describe_job_queues()["jobQueues"]
    (gpu_queue,) = [each["jobQueueArn"] for each in queues if "GpuQueue" in each["jobQueueName"]]
    by_name = [{"name": "JOB_NAME", "values": [job_id]}]
    (found,) = aws_client("batch").list_jobs(jobQueue=gpu_queue, filters=by_name)["jobSummaryList"]
    (described,) = aws_client("batch").describe_jobs(jobs=[found["jobId"]])["jobs"]
    assert {"type": "GPU", "value": "1"} in described["container"]["resourceRequirements"]
    assert described["timeout"] == {"attemptDurationSeconds": 1800}


def test_who_cannot_use_a_gpu_is_told_so(api: Any) -> None:
    refused = api.send("POST", "/train", {"model_type": "linear", "resources": {"gpu": 1}})
    assert refused.status == 422
    assert "resources.gpu" in str(refused.json)
