"""What reading a manifest makes of S3's answers. A missing object is 404 to some roles, and 403 to others."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from mlops.aws.serving_bucket import ServedModels, UnreadableManifest, read_manifest
from mlops.domain.errors import DependencyUnavailable, NoModelInStage
from mlops.domain.manifest import manifest_key
from tests.support.serving import served

KEY = manifest_key("m", "Production")
MANIFEST = served(1, model_name="m").manifest


class Refusing:
    """An S3 that refuses to give objects, and lists these keys."""

    def __init__(self, code: str, *keys: str) -> None:
        self._code, self._keys = code, keys

    def get_object(self, **request: Any) -> Any:
        assert request == {"Bucket": "artifacts", "Key": KEY}
        raise ClientError({"Error": {"Code": self._code}}, "GetObject")

    def list_objects_v2(self, **request: Any) -> Any:
        assert request["Prefix"] == KEY, "the condition of the permission is on the prefix"
        if "denied" in self._keys:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2")
        return {"Contents": [{"Key": key} for key in self._keys]} if self._keys else {}


@pytest.mark.parametrize(
    "s3",
    [Refusing("NoSuchKey"), Refusing("404"), Refusing("AccessDenied"), Refusing("AccessDenied", KEY + ".bak")],
    ids=["404", "a bare 404", "403, nothing listed", "403, another object listed"],
)
def test_an_object_that_is_missing_is_none(s3: Refusing) -> None:
    assert read_manifest(s3, "artifacts", "m", "Production") is None


@pytest.mark.parametrize(
    "s3",
    [Refusing("AccessDenied", KEY), Refusing("AccessDenied", "denied"), Refusing("SlowDown"), Refusing("NoSuchBucket")],
    ids=["403 of an object that is listed", "403 of the list too", "too many requests", "no bucket"],
)
def test_any_other_refusal_is_no_answer(s3: Refusing) -> None:
    with pytest.raises(ClientError):
        read_manifest(s3, "artifacts", "m", "Production")


@pytest.fixture
def s3(aws: None) -> Any:
    client = boto3.client("s3")
    client.create_bucket(Bucket="artifacts")
    return client


def test_a_manifest_comes_with_its_bytes(s3: Any) -> None:
    etag = s3.put_object(Bucket="artifacts", Key=KEY, Body=MANIFEST.to_json())["ETag"]
    stored = read_manifest(s3, "artifacts", "m", "Production")
    assert stored is not None
    assert (stored.manifest, stored.data, stored.etag) == (MANIFEST, MANIFEST.to_json(), etag)


def test_an_unreadable_one_comes_with_its_reason_and_etag(s3: Any) -> None:
    etag = s3.put_object(Bucket="artifacts", Key=KEY, Body=b"{")["ETag"]
    with pytest.raises(UnreadableManifest, match=r"^the manifest is not JSON$") as unreadable:
        read_manifest(s3, "artifacts", "m", "Production")
    assert unreadable.value.etag == etag


def test_what_a_caller_is_told(s3: Any) -> None:
    served_models = ServedModels("artifacts")
    with pytest.raises(NoModelInStage, match=r"No version of the model 'm' is in Production. Promote one"):
        served_models.manifest("m")
    assert not served_models.holds("m", "Production")
    s3.put_object(Bucket="artifacts", Key=KEY, Body=b"{")
    with pytest.raises(DependencyUnavailable, match=r"manifest of the model 'm' in Production cannot be read: .*JSON"):
        served_models.manifest("m")
    assert served_models.holds("m", "Production")
