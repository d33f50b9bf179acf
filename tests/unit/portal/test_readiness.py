"""What /ready says of the default model's manifest, and of the tracking server."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from mlops.api.schemas.platform import Dependency
from mlops.domain.manifest import manifest_key
from mlops.registry.rest import Tracking
from portal.readiness import Readiness, ReadinessSettings
from tests.support.serving import served
from tests.support.steps import as_a_newer_version_writes

MODEL = "digit-classifier"
SETTINGS = ReadinessSettings("jobs", "artifacts", MODEL)
NO_TRACKING = Tracking("http://127.0.0.1:9")
GOOD = served(1, model_name=MODEL).manifest.to_json()


@pytest.fixture
def look(aws: None) -> Any:
    """What readiness finds with such a manifest; None for none at all."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")

    def of(body: bytes | None) -> Any:
        if body is not None:
            s3.put_object(Bucket="artifacts", Key=manifest_key(MODEL, "Production"), Body=body)
        return Readiness(SETTINGS, NO_TRACKING).check().dependencies["s3"]

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
    state = Readiness(SETTINGS, NO_TRACKING).check()
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


@pytest.fixture
def tracking_that_answers(aws: None) -> Iterator[Callable[[int, str], Any]]:
    """What readiness says of a tracking server that answers so, and the request that it made."""
    servers: list[ThreadingHTTPServer] = []

    def of(status: int, body: str) -> Any:
        asked: list[tuple[str, str]] = []

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["authorization"] or ""))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        servers.append(server := ThreadingHTTPServer(("127.0.0.1", 0), Answers))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tracking = Tracking(f"http://127.0.0.1:{server.server_port}/mlflow")
        return Readiness(SETTINGS, tracking).check().dependencies["tracking"], asked

    yield of
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_tracking_server_is_asked_as_iam_wants_it_and_for_what_is_in_its_database(
    tracking_that_answers: Any,
) -> None:
    found, ((path, authorization),) = tracking_that_answers(200, json.dumps({"experiments": []}))
    assert found == Dependency(ok=True, detail="MLflow answers")
    assert path == "/mlflow/api/2.0/mlflow/experiments/search?max_results=1"
    assert authorization.startswith("AWS4-HMAC-SHA256 ")
    assert "/execute-api/aws4_request" in authorization


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (403, '{"message":"Forbidden"}', "refused experiments/search (403)"),
        (500, '{"error_code":"INTERNAL_ERROR"}', "answered 500"),
        (400, '{"error_code":"BAD_REQUEST","message":"(psycopg2.OperationalError)"}', "failed (BAD_REQUEST)"),
        (200, "<html>", "did not answer with JSON"),
    ],
    ids=["API Gateway", "MLflow", "its database", "something else"],
)
def test_a_refusal_is_not_ready(tracking_that_answers: Any, status: int, body: str, detail: str) -> None:
    """API Gateway itself refuses what IAM does not allow: then nobody knows whether the server behind it runs."""
    found, _ = tracking_that_answers(status, body)
    assert not found.ok
    assert detail in found.detail
    assert "psycopg2" not in found.detail


def test_a_tracking_server_that_is_away_is_not_ready(aws: None) -> None:
    found = Readiness(SETTINGS, NO_TRACKING).check().dependencies["tracking"]
    assert found == Dependency(ok=False, detail="The model registry (MLflow) does not answer; try again")
