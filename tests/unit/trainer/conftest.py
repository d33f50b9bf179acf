"""Real stores for the trainer's tests: MLflow on SQLite, S3 and DynamoDB from moto's server, digits made few."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from tests.support.tables import make_table
from trainer import data
from trainer.data import Dataset, npz

BUCKET = "artifacts"
TABLE = "jobs"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other on a busy machine take many times as long; these nets are small."""
    import torch

    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An MLflow store of the session, whose artifacts lie beside it."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the developer's, of Batch or of another test decides anything here."""
    for name in list(os.environ):
        if name.startswith(("TRAIN_", "AWS_", "MLFLOW_", "MLOPS_", "SWEEP")) or name in (
            "JOB_ID",
            "JOBS_TABLE",
            "ARTIFACT_BUCKET",
            "CHECKPOINT_DIR",
            "DATASET_BUCKETS",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DELIVERY_MAX_WAIT_SECONDS", "20")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mlflow_client(tracking_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory):
    """A client of the store that the trainer of this test writes to."""
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    # The default store puts artifacts below the working directory.
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    return MlflowClient(tracking_uri=tracking_uri)


@pytest.fixture
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """S3 with the artifact bucket and DynamoDB with the jobs table, named by the environment as Batch does."""
    for name, value in {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ARTIFACT_BUCKET": BUCKET,
        "JOBS_TABLE": TABLE,
    }.items():
        monkeypatch.setenv(name, value)
    s3, tables = boto3.client("s3"), boto3.client("dynamodb")
    s3.create_bucket(Bucket=BUCKET)
    if TABLE not in tables.list_tables()["TableNames"]:
        make_table("JobsTable", TABLE)
    return aws_url


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return data.load("digits")


@pytest.fixture
def flowers(tmp_path: Path) -> Dataset:
    """Vectors with text labels: three well-separated clouds in four dimensions, one feature constant."""
    generator = np.random.default_rng(1)
    names = np.array(["ash", "beech", "cedar"])
    targets = np.arange(150) % 3
    centres = np.array([[100.0, 0, 0, 5], [0, 0.1, 0, 5], [0, 0, 10_000, 5]])
    inputs = centres[targets] + generator.normal(size=(150, 4)) * [5, 0.01, 500, 0]
    path = tmp_path / "trees.npz"
    np.savez(path, x=inputs, y=names[targets])
    return npz.read("trees.npz", path.read_bytes())
