"""What /ready says of the default model's manifest."""

from typing import Any

import boto3
import pytest

from mlops.api.schemas.platform import Dependency
from mlops.domain.manifest import manifest_key
from portal.readiness import Readiness, ReadinessSettings
from tests.support.serving import served
from tests.support.steps import as_a_newer_version_writes

MODEL = "digit-classifier"
GOOD = served(1, model_name=MODEL).manifest.to_json()


@pytest.fixture
def look(aws: None) -> Any:
    """What readiness finds with such a manifest; None for none at all."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")

    def of(body: bytes | None) -> Any:
        if body is not None:
            s3.put_object(Bucket="artifacts", Key=manifest_key(MODEL, "Production"), Body=body)
        return Readiness(ReadinessSettings("jobs", "artifacts", MODEL, "http://127.0.0.1:9")).check().dependencies["s3"]

    return of


def test_without_a_manifest_nothing_is_wrong(look: Any) -> None:
    found = look(None)
    assert (found.ok, found.detail) == (True, f"no version of {MODEL!r} is in Production yet")


@pytest.mark.parametrize("body", [GOOD, as_a_newer_version_writes(GOOD)], ids=["ours", "a newer version's"])
def test_a_manifest_that_can_be_read_is_well(look: Any, body: bytes) -> None:
    found = look(body)
    assert found.ok
    assert found.warning is None
    assert found.age_seconds < 60


def test_what_the_gate_would_no_longer_admit_is_a_warning_and_no_failure(look: Any) -> None:
    refusal = "it answers with 1 number per row"
    found = look(served(1, model_name=MODEL).with_manifest(refusal=refusal, gate_revision=1).manifest.to_json())
    assert found.ok
    assert found.warning == (
        f"the gate would no longer admit version 1 of {MODEL!r}, which serves in Production: {refusal}. "
        "Roll back, or promote another version"
    )


def test_with_a_warning_the_platform_is_ready(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    body = served(1, model_name=MODEL).with_manifest(refusal="no", gate_revision=1).manifest.to_json()
    monkeypatch.setattr(Readiness, "_table", lambda _: Dependency(ok=True, detail="answers"))
    monkeypatch.setattr(Readiness, "_tracking", lambda _: Dependency(ok=True, detail="answers"))
    look(body)
    state = Readiness(ReadinessSettings("jobs", "artifacts", MODEL, "http://127.0.0.1:9")).check()
    assert state.status == "ready"
    assert state.dependencies["s3"].warning is not None


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"{", "not JSON"), (b"[" * 100_000, "not JSON"), (b'{"schema":1,"min_reader":99}', "min_reader is 99")],
    ids=["torn", "deep", "for a later reader"],
)
def test_one_that_cannot_be_read_is_said_with_the_reason(look: Any, body: bytes, reason: str) -> None:
    found = look(body)
    assert not found.ok
    assert found.detail.startswith(f"the manifest of {MODEL!r} in Production cannot be read: ")
    assert reason in found.detail
