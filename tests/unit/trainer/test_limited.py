"""A whole run gets along with what a training job may ask of MLflow: every request goes through the limits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from infra.local.guard.identity import TRAINER_TOKEN
from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import Job
from tests.support.limited_mlflow import limited_mlflow
from trainer import job
from trainer.parameters import Identity, Parameters
from trainer.stop import Stop


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with limited_mlflow(tmp_path_factory.mktemp("limited")) as served:
        yield served


@pytest.mark.slow
def test_a_job_and_its_later_attempt_record_and_register(
    address: str, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TRAINER_TOKEN)
    JobsTable.from_environment().create(Job("job_000900"))
    parameters = Parameters(epochs=2, hidden_size=32, model_name="limited", experiment_name="limited")
    outcome = job.run(parameters, Identity(job_id="job_000900"), Stop())
    assert outcome.model_version == 1
    again = job.run(parameters, Identity(job_id="job_000900", attempt=2), Stop())
    assert (again.run_id, again.model_version) == (outcome.run_id, 1)

    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    client = MlflowClient(address, address)
    assert client.get_run(outcome.run_id).info.status == "FINISHED"
    assert client.get_model_version("limited", "1").tags["sha256"] == outcome.sha256
    assert client.list_artifacts(outcome.run_id)
