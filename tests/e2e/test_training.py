"""Sweeps and jobs when things go wrong, through the API, with real processes."""

import os
import signal
import time

import pytest

from tests.support.job_processes import process_of
from tests.support.steps import ENDED, train

SMALL = {"epochs": 2, "model_name": "swept-ten", "experiment_name": "ten"}


@pytest.mark.slow
def test_a_sweep_of_ten_with_a_run_that_is_killed_still_ends_in_production(api, mlflow):
    sweep = api.post("/sweeps", {**SMALL, "num_runs": 10, "stage": "Production"})
    assert len(sweep["job_ids"]) == 10
    victim = sweep["job_ids"][1]
    os.kill(process_of(victim).pid, signal.SIGKILL)
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED, seconds=1200)
    assert ended["status"] == "completed"
    by_id = {run["job_id"]: run for run in ended["runs"]}
    assert by_id[victim]["status"] == "failed"
    assert "exit code 137" in by_id[victim]["error"]
    assert ended["runs"][-1]["job_id"] == victim, "a run without its objective comes last"
    others = [run for run in ended["runs"] if run["job_id"] != victim]
    assert {run["status"] for run in others} == {"completed"}
    accuracies = [run["metrics"]["val_accuracy"] for run in others]
    assert accuracies == sorted(accuracies, reverse=True)
    api.wait(f"/models/transitions/{ended['transition_id']}", until=lambda answer: answer["status"] == "succeeded")
    detail = api.get("/models/swept-ten")
    assert (len(detail["versions"]), detail["production_version"]) == (1, 1)
    assert detail["versions"][0]["run_id"] == others[0]["run_id"]
    version = mlflow._get("model-versions/get", name="swept-ten", version="1")["model_version"]
    assert version["description"] == mlflow.run(others[0]["run_id"])["tags"]["mlops.summary"]
    assert version["description"].startswith("accuracy 0.")
    assert len({str(run["params"]) for run in others}) == 9, "each run has parameters of its own"


@pytest.mark.slow
def test_a_sweep_whose_runs_all_fail_says_so(api, outputs):
    nowhere = f"s3://{outputs['ArtifactBucketName']}/datasets/not-there.csv"
    sweep = api.post("/sweeps", {**SMALL, "num_runs": 2, "dataset": nowhere})
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED)
    assert ended["status"] == "failed"
    assert "No run" in ended["error"]
    assert all("not-there.csv" in run["error"] for run in ended["runs"])


def test_a_sweep_can_be_cancelled(api):
    sweep = api.post("/sweeps", {"num_runs": 4, "epochs": 100, "space": {"hidden_size": [512], "batch_size": [8]}})
    assert api.send("DELETE", f"/sweeps/{sweep['sweep_id']}").status == 202
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED)
    assert ended["status"] == "cancelled"
    for job_id in sweep["job_ids"]:
        job = api.wait(f"/train/status/{job_id}", until=lambda answer: answer["status"] in ENDED)
        assert job["status"] == "cancelled"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(api):
    first, second = (train(api, epochs=2, model_name="reproducible") for _ in range(2))
    versions = {version["version"]: version["sha256"] for version in api.get("/models/reproducible")["versions"]}
    assert versions[first["model_version"]] == versions[second["model_version"]]
    assert first["metrics"]["accuracy"] == second["metrics"]["accuracy"]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_in_the_same_mlflow_run_and_gives_the_same_model(api):
    asked = {"epochs": 30, "batch_size": 16, "model_name": "interrupted"}
    job = api.post("/train", asked)
    path = f"/train/status/{job['job_id']}"
    api.wait(path, until=lambda answer: answer["progress"]["epoch"] >= 3)
    # What a Spot reclaim does: SIGTERM, on which the trainer keeps its state and exits 143, which Batch tries again.
    os.kill(process_of(job["job_id"]).pid, signal.SIGTERM)
    interrupted = api.wait(path, until=lambda answer: answer["status"] in ENDED)
    assert interrupted["status"] == "completed", interrupted["error"]
    straight = train(api, **asked)
    versions = {version["version"]: version for version in api.get("/models/interrupted")["versions"]}
    resumed, uninterrupted = versions[interrupted["model_version"]], versions[straight["model_version"]]
    assert resumed["sha256"] == uninterrupted["sha256"]
    lines = [line["message"] for line in api.get(f"/train/jobs/{job['job_id']}/logs")["lines"]]
    assert any('"attempt": 2' in line for line in lines)


@pytest.mark.slow
def test_a_single_run_sweep_is_a_plain_job(api):
    sweep = api.post("/sweeps", {**SMALL, "num_runs": 1, "model_name": "swept-one"})
    ended = api.wait(f"/sweeps/{sweep['sweep_id']}", until=lambda answer: answer["status"] in ENDED)
    assert (ended["status"], ended["model_version"], len(ended["runs"])) == ("completed", 1, 1)


@pytest.mark.parametrize("name", ["nightly-report", "job_900999", "sweep_900999"])
def test_a_job_that_others_submit_to_our_queue_is_in_no_list_and_breaks_none(api, aws_client, outputs, name):
    before = [api.get(f"/{path}?limit=1")["total_count"] for path in ("train/jobs", "sweeps")]
    batch = aws_client("batch")
    (definition,) = {
        each["jobDefinitionName"]
        for each in batch.describe_job_definitions()["jobDefinitions"]
        if each["containerProperties"]["command"][-1] == "trainer"
        and not any(need["type"] == "GPU" for need in each["containerProperties"]["resourceRequirements"])
    }
    foreign = batch.submit_job(
        jobName=name,
        jobQueue=outputs["SpotQueueArn"],
        jobDefinition=definition,
        # Refused by the trainer at once, which writes so into the record it believes to have.
        containerOverrides={
            "environment": [{"name": "JOB_ID", "value": name}, {"name": "TRAIN_EPOCHS", "value": "none"}]
        },
        **({"arrayProperties": {"size": 2}} if name.startswith("sweep") else {}),
    )["jobId"]
    deadline = time.monotonic() + 120
    while not left_alone(aws_client("logs"), foreign, "FAILED"):
        assert time.monotonic() < deadline, batch.describe_jobs(jobs=[foreign])["jobs"]
        time.sleep(0.3)
    assert [api.get(f"/{path}?limit=1")["total_count"] for path in ("train/jobs", "sweeps")] == before
    assert name not in {job["job_id"] for job in api.get("/train/jobs?limit=100")["jobs"]}
    assert api.send("GET", "/metrics").status == 200
    if name != "nightly-report":
        path = f"/train/status/{name}" if name.startswith("job") else f"/sweeps/{name}"
        assert api.send("GET", path).status == 404


def left_alone(logs, batch_id, status):
    """Whether job_events has seen the job's event, and left it at that."""
    (group,) = [
        name for each in logs.describe_log_groups()["logGroups"] if "JobEventsLogs" in (name := each["logGroupName"])
    ]
    lines = [each["message"] for each in logs.filter_log_events(logGroupName=group)["events"]]
    return any("not a job of ours" in line and f'"{batch_id}"' in line and status in line for line in lines)
