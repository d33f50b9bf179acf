"""The job of a conversion on moto's S3; the process that loads the model is a real one."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from conversion.job import JobSettings, run
from infra.local.settings import ROOT
from mlops.domain.conversion import ConversionResult

BUCKET, FOLDER = "bucket", "mlflow/1/models/m-1/artifacts/"
SETTINGS = JobSettings(BUCKET, "conv_1", "m", 3, FOLDER, conversion_seconds=7200)
RESULTS = "conversions/m/3/conv_1/"
PICKLED = "  sklearn:\n    code: null\n    pickled_model: model.pkl\n    serialization_format: pickle\n"

Convert = Callable[..., ConversionResult]


@pytest.fixture
def convert(aws: None, monkeypatch: pytest.MonkeyPatch) -> Convert:
    """Put the folder of a logged model into the bucket, and do the job."""
    packages = [str(ROOT / folder) for folder in ("layers/core/python", "training_container", "client")]
    monkeypatch.setenv("PYTHONPATH", ":".join(packages))
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)

    def done(folder: Path, settings: JobSettings = SETTINGS) -> ConversionResult:
        for path in folder.rglob("*"):
            if path.is_file():
                s3.upload_file(str(path), BUCKET, FOLDER + str(path.relative_to(folder)))
        return run(settings)

    return done


def stored() -> dict[str, bytes]:
    """The objects of the bucket that are not the model's own, by their keys."""
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys if not key.startswith(FOLDER)}


def logged_by_hand(folder: Path, flavours: str, **files: bytes) -> Path:
    """Write a folder as MLflow does, without MLflow; `model__pkl` is the file model.pkl."""
    folder.mkdir()
    rest = "mlflow_version: 3.0.0\nmodel_uuid: a\nutc_time_created: '2026'\n"
    (folder / "MLmodel").write_text(f"flavors:\n{flavours}{rest}")
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


class Hostile:
    """Runs a program when it is unpickled."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __reduce__(self) -> Any:
        return exec, (self.program,)


def pickled(folder: Path, program: str) -> Path:
    """Write a logged model that is a program."""
    return logged_by_hand(folder, PICKLED, model__pkl=pickle.dumps(Hostile(program)))
