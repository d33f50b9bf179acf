"""Files that do not fit an answer of Lambda: MLflow's own handler redirects to an address in S3."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import flask
import pytest
import urllib3
from mlflow.server import handlers
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

from tests.template.reading import TEMPLATE, read
from tracking import large_files

ROOT = "s3://artifacts/mlflow/1/run/artifacts"
LAMBDA_ANSWER = 6 * 1024 * 1024


@pytest.fixture
def get(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What MLflow answers to a request for the file of a run."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    for name, size in {"small.bin": 10, "fits.bin": large_files.LARGEST_BYTES, "deep/a b é.onnx": 5_000_000}.items():
        s3.put_object(Bucket="artifacts", Key=f"mlflow/1/run/artifacts/{name}", Body=bytes(size))
    monkeypatch.setattr(handlers, "_send_artifact", handlers._send_artifact)  # put back at the end
    run = SimpleNamespace(info=SimpleNamespace(artifact_uri=ROOT))
    monkeypatch.setattr(handlers, "_get_tracking_store", lambda: SimpleNamespace(get_run=lambda run_id: run))
    monkeypatch.setattr(handlers, "_get_artifact_repo", lambda run: S3ArtifactRepository(run.info.artifact_uri))
    large_files.use()

    def of(path: str) -> Any:
        with flask.Flask("mlflow").test_request_context(f"/get-artifact?run_id=1&path={path}"):
            return handlers.get_artifact_handler()

    return of


def test_a_small_file_is_the_answer(get: Any) -> None:
    answer = get("small.bin")
    answer.direct_passthrough = False
    assert (answer.status_code, answer.get_data()) == (200, bytes(10))


def test_the_largest_file_that_is_answered_fits_lambda(get: Any) -> None:
    answer = get("fits.bin")
    answer.direct_passthrough = False
    base64 = len(answer.get_data()) * 4 / 3
    assert base64 + 100_000 < LAMBDA_ANSWER


def test_a_large_file_is_an_address_in_s3(get: Any) -> None:
    answer = get("deep/a%20b%20%C3%A9.onnx")
    assert answer.status_code == 307
    address = urllib3.util.parse_url(answer.headers["location"])
    assert address.host == "artifacts.s3.amazonaws.com"
    assert address.path == "/mlflow/1/run/artifacts/deep/a%20b%20%C3%A9.onnx"
    assert "X-Amz-Signature=" in str(address.query)
    assert "filename%3D%22a%20b%20.onnx%22" in str(address.query)


def test_a_file_that_is_not_there_is_mlflows_to_answer(get: Any) -> None:
    assert get("nothing.bin").status_code >= 400


def test_the_function_may_read_what_it_signs_addresses_of() -> None:
    policies = read(TEMPLATE)["Resources"]["TrackingFunction"]["Properties"]["Policies"]
    statements = [each for policy in policies for each in policy["Statement"]]
    assert {"Fn::Sub": "${ArtifactBucket.Arn}/mlflow/*"} in [
        each["Resource"] for each in statements if each["Action"] == "s3:GetObject"
    ]
