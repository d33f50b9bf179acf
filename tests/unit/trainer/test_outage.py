"""Services that are away for a while: the run waits where it must, goes on where it can, and ends well."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mlflow import MlflowClient
from moto.server import ThreadedMotoServer

from tests.support.steps import free_ports
from trainer import job
from trainer.parameters import Identity, Parameters
from trainer.stop import Stop


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


@pytest.fixture
def late_tracking_server(tmp_path: Path, tracking_uri: str) -> Iterator[tuple[str, threading.Timer]]:
    """The address of a tracking server, and the timer that starts it once it is started itself."""
    (port,) = free_ports(1)
    variables = {
        **os.environ,
        "_MLFLOW_SERVER_FILE_STORE": tracking_uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": tracking_uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(tmp_path / "artifacts"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    started: list[subprocess.Popen[bytes]] = []
    timer = threading.Timer(
        1.0, lambda: started.append(subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL))
    )
    yield f"http://127.0.0.1:{port}", timer
    timer.cancel()
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_training_goes_on_while_mlflow_is_away(
    late_tracking_server: tuple[str, threading.Timer],
    mlflow_client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    address, timer = late_tracking_server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("DELIVERY_MAX_WAIT_SECONDS", "60")
    timer.start()
    asked = Parameters(epochs=3, hidden_size=32, experiment_name="outage", model_name="outage")
    outcome = job.run(asked, Identity(job_id="job_910000"), Stop())
    events = [event["event"] for event in log_lines(capsys)]
    # All epochs were done before the server answered for the first time.
    assert events.index("model.exported") < events.index("mlflow.run")
    assert "delivery.retry" in events
    history = mlflow_client.get_metric_history(outcome.run_id, "train_loss")
    assert [item.step for item in history] == [1, 2, 3]
    assert outcome.model_version == 1


@pytest.mark.slow
def test_a_bucket_that_is_away_for_a_while_is_waited_for(
    aws: str, mlflow_client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (port,) = free_ports(1)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    timer = threading.Timer(1.5, server.start)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    timer.start()
    try:
        outcome = job.run(Parameters(epochs=2, hidden_size=32), Identity(job_id="job_910001"), Stop())
    finally:
        timer.join()
        server.stop()
    retries = [event for event in log_lines(capsys) if event["event"] == "delivery.retry"]
    assert retries[0]["address"] == "s3://artifacts/checkpoints/job_910001/latest"
    assert outcome.model_version


@pytest.mark.usefixtures("mlflow_client")
def test_a_table_that_stays_away_ends_the_run_with_its_name_and_leaves_the_state(
    aws: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("DELIVERY_MAX_WAIT_SECONDS", "1")
    # A table is made once per process, and another test's would still answer.
    from mlops.aws.dynamodb import table_named

    table_named.cache_clear()
    began = time.monotonic()
    try:
        with pytest.raises(job.TrainingError, match="DynamoDB table jobs: no answer"):
            job.run(Parameters(epochs=2, hidden_size=32), Identity(job_id="job_910002"), Stop())
    finally:
        table_named.cache_clear()
    assert time.monotonic() - began < 30
    kept = boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix="checkpoints/job_910002")
    assert kept["KeyCount"] == 1
