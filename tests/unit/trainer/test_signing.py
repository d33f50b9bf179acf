"""Requests to MLflow behind API Gateway are signed as AWS's own signer does, and only those."""

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from trainer.errors import Unreachable
from trainer.tracking import signing

URI = "https://abc123.execute-api.eu-west-1.amazonaws.com/mlflow/api/2.0/mlflow/runs/search"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return Credentials("AKIDEXAMPLE", "secret")


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [(URI, True), ("http://localhost:5000", False), ("https://mlflow.example.com", False), ("sqlite:///a.db", False)],
)
def test_only_an_api_gateway_wants_it(uri: str, wanted: bool):
    assert signing.is_needed(uri) is wanted


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("GET", {"filter": "name = 'a b' and run_id = 'c+d'"}, None),
        ("GET", [("run_ids", "1"), ("run_ids", "2")], None),
        ("POST", None, b'{"experiment_ids": ["1"]}'),
    ],
)
def test_the_signature_is_botocore_s(credentials: Credentials, method: str, query, body: bytes | None):
    request = requests.Request(method, URI, params=query, data=body, auth=signing.SigV4()).prepare()
    assert "+" not in request.url.partition("?")[2]
    sent_at = request.headers["X-Amz-Date"]
    signed = request.headers["Authorization"]
    assert f"AKIDEXAMPLE/{sent_at[:8]}/eu-west-1/execute-api/aws4_request" in signed

    again = AWSRequest(method, request.url, data=body or b"")
    again.context["timestamp"] = sent_at
    signer = SigV4Auth(credentials, "execute-api", "eu-west-1")
    again.headers["X-Amz-Date"] = sent_at
    names = signed.split("SignedHeaders=")[1].split(",")[0].split(";")
    for name in set(names) - {"host", "x-amz-date"}:
        again.headers[name] = request.headers[name]
    expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert signed.endswith(f"Signature={expected}")


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(Unreachable, match="no AWS credentials"):
        requests.Request("GET", URI, auth=signing.SigV4()).prepare()


def test_mlflow_s_client_takes_it(monkeypatch: pytest.MonkeyPatch, credentials: Credentials):
    from mlflow.tracking.request_auth.registry import fetch_auth

    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "")
    signing.use()
    assert isinstance(fetch_auth(signing.NAME), signing.SigV4)
