"""GET /models/{name} says why the gate would no longer admit what serves, and answers whatever S3 has."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from mlops.api.schemas.models import ModelDetail
from mlops.aws import serving_bucket
from mlops.domain.access import Caller
from mlops.domain.manifest import manifest_key
from models import app
from tests.support.serving import served

BUCKET, MODEL = "artifacts", "m"
ADMIN = Caller("ann", "admin")
REFUSAL = "it answers with 1 number per row"


class FakeCatalogue:
    """Version 2 is in Production, version 3 in Staging."""

    def model(self, name: str) -> dict[str, Any]:
        return {"production_version": 2, "staging_version": 3}

    def versions(self, name: str, limit: int, cursor: str | None) -> tuple[list[dict[str, Any]], None]:
        return [], None


@pytest.fixture
def put(aws: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], None]:
    """Writes the manifest of a stage."""
    monkeypatch.setenv("ARTIFACT_BUCKET", BUCKET)
    monkeypatch.setattr(app.Catalogue, "from_environment", FakeCatalogue)
    serving_bucket._of_bucket.cache_clear()
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return lambda stage, body: s3.put_object(Bucket=BUCKET, Key=manifest_key(MODEL, stage), Body=body) and None


def manifest(version: int, stage: str, refusal: str | None) -> bytes:
    return served(version, model_name=MODEL, stage=stage).with_manifest(refusal=refusal).manifest.to_json()


def refusals(detail: ModelDetail) -> tuple[str | None, str | None]:
    return detail.production_refusal, detail.staging_refusal


def test_each_stage_has_its_own_reason(put: Callable[[str, bytes], None]) -> None:
    put("Production", manifest(2, "Production", REFUSAL))
    put("Staging", manifest(3, "Staging", None))
    assert refusals(app.model_detail(MODEL, ADMIN)) == (REFUSAL, None)
    put("Production", manifest(2, "Production", None))
    put("Staging", manifest(3, "Staging", "no softmax"))
    assert refusals(app.model_detail(MODEL, ADMIN)) == (None, "no softmax")


def test_the_reason_of_the_version_before_is_not_the_next_ones(put: Callable[[str, bytes], None]) -> None:
    """The alias has moved already, and the manifest follows."""
    put("Production", manifest(1, "Production", REFUSAL))
    assert refusals(app.model_detail(MODEL, ADMIN)) == (None, None)


@pytest.mark.parametrize("body", [b"{", b'{"schema":1,"min_reader":99}'])
def test_a_manifest_that_cannot_be_read_keeps_nothing_from_being_shown(
    put: Callable[[str, bytes], None], body: bytes
) -> None:
    put("Production", body)
    put("Staging", manifest(3, "Staging", "no softmax"))
    assert refusals(app.model_detail(MODEL, ADMIN)) == (None, "no softmax")


def test_a_bucket_that_does_not_answer_keeps_nothing_from_being_shown(put: Callable[[str, bytes], None]) -> None:
    boto3.client("s3").delete_bucket(Bucket=BUCKET)
    detail = app.model_detail(MODEL, ADMIN)
    assert (detail.production_version, *refusals(detail)) == (2, None, None)


@pytest.mark.parametrize("name", ["a/b", "../elsewhere", "x" * 2000])
def test_a_name_that_cannot_be_served_is_not_looked_up(put: Callable[[str, bytes], None], name: str) -> None:
    boto3.client("s3").delete_bucket(Bucket=BUCKET)
    detail = app.model_detail(name, ADMIN)
    assert not detail.servable
    assert refusals(detail) == (None, None)
