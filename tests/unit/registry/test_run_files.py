"""The files of a run, and the addresses that serve them."""

from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from experiments.artifacts import SIGNED_SECONDS, Artifacts

BUCKET = "artifacts"
ADDRESSES: dict[str, str | None] = {"": f"s3://{BUCKET}/mlflow/1/run/artifacts", "model/": f"s3://{BUCKET}/mlflow/1/m"}
FILES = {
    "mlflow/1/run/artifacts/model_card.md": b"# card",
    "mlflow/1/run/artifacts/pictures/roc.png": b"png",
    "mlflow/1/run/artifacts/pictures-of-mine.txt": b"text",
    "mlflow/1/m/model.onnx": b"onnx",
    "mlflow/1/run/artifacts-of-another/secret.txt": b"secret",
}


@pytest.fixture
def artifacts(aws: None) -> Artifacts:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key, body in FILES.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return Artifacts(BUCKET)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (None, {"model_card.md", "pictures/roc.png", "pictures-of-mine.txt", "model/model.onnx"}),
        ("pictures", {"pictures/roc.png"}),
        ("/pictures/", {"pictures/roc.png"}),
        ("model/model.onnx", {"model/model.onnx"}),
        ("../artifacts-of-another", set()),
        ("none", set()),
    ],
)
def test_a_path_is_a_file_or_a_folder(artifacts, path, found):
    assert {file.path for file in artifacts.signed(ADDRESSES, path)} == found


def test_an_address_serves_the_file_for_an_hour_and_nothing_else(artifacts):
    (file,) = artifacts.signed(ADDRESSES, "model")
    address = urlsplit(file.url)
    assert address.path.endswith("mlflow/1/m/model.onnx")
    query = parse_qs(address.query)
    assert query["X-Amz-Expires"] == [str(SIGNED_SECONDS)]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert file.size == 4


def test_files_of_other_buckets_are_left_out(artifacts):
    assert artifacts.signed({"": "s3://elsewhere/mlflow/1", "x/": None, "y/": "/tmp/files"}, None) == []
