"""`mlops login` with a token or with AWS credentials, what is stored of it, and what is said once it has ended."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.client.test_command import CLIENT
from tests.unit.client.test_sdk import Server


def moment(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


LATER = moment(12)
ME = {"name": "ann@example.com", "owner": "ann@example.com", "role": "train", "models": ["churn*"], "until": LATER}
SESSION = ME | {"key": "k" * 20}
UNKNOWN = {"detail": "The x-api-key header is missing or its key is not valid; ask an operator for a key"}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


@pytest.fixture
def run(stored: Path) -> Run:
    """Runs a command of a person who has the file `stored`, and types something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "AWS_"))}
    own = {"PYTHONPATH": str(CLIENT), "MLOPS_CONFIG": str(stored), "AWS_EC2_METADATA_DISABLED": "true"}

    def running(*arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mlops_client", *arguments]
        return subprocess.run(
            command, env=kept | own | environment, input=typed, capture_output=True, text=True, timeout=60, check=False
        )

    return running


def test_a_token_becomes_a_stored_key(server: Server, stored: Path, run: Run) -> None:
    server.will(201, SESSION)
    server.will(403, UNKNOWN)  # API Gateway knows a new key only after some time
    server.will(200, ME)
    ran = run("login", server.url, "--token-stdin", "--role", "train", typed="e.y.z\n")
    assert ran.returncode == 0, ran.stderr
    assert f"as ann@example.com: train, for churn*, until {LATER}" in ran.stdout
    (method, path, headers, body), *looks = server.asked
    assert (method, path, json.loads(body)) == ("POST", "/session", {"token": "e.y.z", "role": "train"})
    assert "x-api-key" not in headers
    assert [look[1] for look in looks] == ["/me", "/me"]
    assert json.loads(stored.read_text()) == {
        "url": server.url,
        "key": SESSION["key"],
        "until": LATER,
        "with": "--token-stdin",
    }
    assert stored.stat().st_mode & 0o777 == 0o600
    assert "e.y.z" not in ran.stdout + ran.stderr + stored.read_text()
    server.will(200, ME)
    shown = run("me")
    assert shown.stdout == f"ann@example.com (owner: ann@example.com): train, for churn*, until {LATER}\n"
    assert server.asked[-1][2]["x-api-key"] == SESSION["key"]


def test_a_refused_token_stores_nothing(server: Server, stored: Path, run: Run) -> None:
    server.will(401, {"detail": "The token has expired; get a new one from your identity provider", "code": "c"})
    ran = run("login", server.url, "--token-stdin", typed="e.y.z\n")
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (3, "", 1)
    assert "has expired" in ran.stderr
    assert not stored.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--token-stdin", "--iam"), "exclude each other"),
        (("--key-stdin", "--token-stdin"), "exclude each other"),
        (("--local", "--iam"), "exclude each other"),
        (("--key-stdin", "--role", "read"), "--role needs"),
    ],
)
def test_options_that_do_not_fit_are_refused(server: Server, run: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = run("login", server.url, *arguments)
    assert (ran.returncode, said in ran.stderr) == (2, True), ran.stderr
    assert server.asked == []


def test_an_ended_key_says_how_to_sign_in_again_and_asks_nobody(server: Server, stored: Path, run: Run) -> None:
    ended = {"url": server.url, "key": "k", "until": moment(-1), "with": "--iam"}
    stored.write_text(json.dumps(ended))
    ran = run("models")
    assert (ran.returncode, ran.stderr.count("\n")) == (3, 1)
    assert f"sign in again with `mlops login {server.url} --iam`" in ran.stderr
    assert server.asked == []


def test_a_key_that_ended_early_says_it_too(server: Server, stored: Path, run: Run) -> None:
    stored.write_text(json.dumps({"url": server.url, "key": "k", "until": LATER, "with": "--iam"}))
    detail = "This personal key has ended; sign in again: POST /session with a new token"
    server.will(401, {"detail": detail, "code": "session_expired"})
    ran = run("models")
    assert (ran.returncode, "sign in again: mlops login with --token-stdin or --iam" in ran.stderr) == (3, True)


def test_signing_out_ends_the_key(server: Server, stored: Path, run: Run) -> None:
    stored.write_text(json.dumps({"url": server.url, "key": "k", "until": LATER, "with": "--iam"}))
    server.will(200, {"name": "ann@example.com", "until": moment(0)})
    ran = run("logout", MLOPS_API_KEY="another")
    assert (ran.returncode, ran.stdout) == (0, "signed out\n")
    ((method, path, headers, _),) = server.asked
    assert (method, path, headers["x-api-key"]) == ("DELETE", "/session", "k")
    assert not stored.exists()


@pytest.mark.parametrize("until", [None, moment(-1)], ids=["an operator's", "ended"])
def test_other_keys_are_forgotten_and_not_ended(server: Server, stored: Path, run: Run, until: str | None) -> None:
    stored.write_text(json.dumps({"url": server.url, "key": "k"} | ({"until": until} if until else {})))
    assert run("logout").stdout == "signed out\n"
    assert server.asked == []


def test_signing_out_forgets_the_key_when_the_api_is_away(server: Server, stored: Path, run: Run) -> None:
    stored.write_text(json.dumps({"url": "http://127.0.0.1:1", "key": "k", "until": LATER}))
    ran = run("logout")
    assert (ran.returncode, ran.stdout) == (0, "signed out\n")
    assert "ends by itself" in ran.stderr
    assert not stored.exists()


def test_aws_credentials_sign_the_request(server: Server, stored: Path, run: Run) -> None:
    """What comes in has the signature that AWS would compute of it."""
    server.will(201, SESSION)
    server.will(200, ME)
    variables = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session"}
    ran = run("login", server.url, "--iam", AWS_REGION="eu-west-1", **variables)
    assert ran.returncode == 0, ran.stderr
    method, path, headers, body = server.asked[0]
    assert (method, path) == ("POST", "/session/iam")
    signed = dict(part.split("=", 1) for part in headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(", "))
    names = signed["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(names)
    again = AWSRequest(method, server.url + path, data=body, headers={name: headers[name] for name in names})
    again.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret", "session"), "execute-api", "eu-west-1")
    canonical = signer.canonical_request(again)
    assert signer.signature(signer.string_to_sign(again, canonical), again) == signed["Signature"]
    assert json.loads(stored.read_text())["with"] == "--iam"


def test_without_aws_credentials_nothing_is_sent(server: Server, run: Run, tmp_path: Path) -> None:
    nowhere: dict[str, Any] = {
        name: str(tmp_path / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    }
    ran = run("login", server.url, "--iam", **nowhere)
    assert (ran.returncode, "no AWS credentials" in ran.stderr) == (1, True), ran.stderr
    assert server.asked == []
