"""What reads an object that may not be there: S3 says 404, or 403 to whoever may list only a part of the bucket."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from mlops.aws.batch_prediction_files import BatchPredictionFiles
from mlops.aws.code_archives import CodeArchives
from mlops.aws.conversion_results import ConversionResults
from mlops.aws.missing import is_missing
from mlops.aws.rollout_files import RolloutFiles
from mlops.domain.conversion import Conversion
from promotion.serving_store import ServingStore
from trainer.checkpoint import S3Store

CONVERSION = Conversion("m", 1, "c", registered_at="2026-01-01T00:00:00.000+00:00", actor="ann")
READERS: dict[str, Callable[[], tuple[Any, Callable[[], Any]]]] = {
    "rollout": lambda: (it := RolloutFiles("artifacts"), lambda: it.read("m")),
    "conversion": lambda: (it := ConversionResults("artifacts"), lambda: it.read(CONVERSION)),
    "archive": lambda: (it := CodeArchives("artifacts"), lambda: it.size(64 * "0")),
    "batch prediction": lambda: (it := BatchPredictionFiles("artifacts"), lambda: it.has("x", 1) or None),
    "serving": lambda: (it := ServingStore("artifacts"), lambda: it._read("serving/m/x.onnx")),
    "checkpoint": lambda: (it := S3Store("artifacts", "checkpoints/job_1/latest"), it.get),
}


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(Bucket="artifacts")
    return client


def denied(operation: str = "GetObject") -> ClientError:
    code = "403" if operation == "HeadObject" else "AccessDenied"
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("answer", ["404", "403"])
def test_what_is_not_there_is_none_whatever_s3_answers(s3: Any, reader: str, answer: str) -> None:
    adapter, read = READERS[reader]()
    if answer == "403":
        client = adapter._client if reader == "checkpoint" else adapter._s3

        def refuse(model: Any, params: Any, **_: Any) -> None:
            if model.name in ("GetObject", "HeadObject"):
                raise denied(model.name)

        client.meta.events.register("before-call.s3", refuse)
    assert read() is None


def test_what_is_there_and_must_not_be_read_is_not_missing(s3: Any) -> None:
    s3.put_object(Bucket="artifacts", Key="a/b", Body=b"x")
    assert not is_missing(s3, "artifacts", "a/b", denied())
    assert is_missing(s3, "artifacts", "a/", denied())
    assert not is_missing(s3, "artifacts", "a/", ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"))
