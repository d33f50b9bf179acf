"""`make deploy` without AWS: what it would run, and what it says when it cannot."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deploy import __main__ as command
from infra.deploy.environments import ROOT
from infra.deploy.errors import DeployError
from infra.deploy.images import IMAGES, Images
from infra.deploy.smoke import Smoke, SmokeFailed
from infra.deploy.versions import KEPT, delete_old_versions
from tests.support.tables import make_table
from tools.keys import Keys, UnknownKey, main


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No account of the person who runs the tests is looked at."""
    for name in ("EXTRA_INDEX_URL", "LAMBDA_BASE", "PYTHON_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


class Docker:
    """Stands for `subprocess.run`; remembers the commands."""

    def __init__(self, returncode: int = 0, printed: str = "") -> None:
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.returncode, self.printed = returncode, printed

    def __call__(
        self, command: list[str], env: dict[str, str] | None = None, **_: Any
    ) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        self.environments.append(env or {})
        return subprocess.CompletedProcess(command, self.returncode, self.printed, "denied")


@pytest.mark.parametrize(
    "words", [["up"], ["up", "--env", "prod", "LogRetentionDays=90"], ["destroy"], ["logs", "predict"]]
)
def test_without_credentials_nothing_is_done(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    started: list[Any] = []
    monkeypatch.setattr(command.subprocess, "run", lambda *each, **_: started.append(each))
    assert command.main(words) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("✘ no AWS credentials that work")
    assert "\n" not in said
    assert started == []


def test_a_repository_is_made_once(aws: None) -> None:
    ecr = boto3.client("ecr")
    images = Images(ecr, "mlops-dev", say=lambda text: None)
    assert images.repository("tracking") == images.repository("tracking")
    (found,) = ecr.describe_repositories()["repositories"]
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName="mlops-dev/tracking")["lifecyclePolicyText"])
    assert policy["rules"][0]["selection"]["countNumber"] == 10


def test_lambda_may_read_the_tracking_image_whoever_deploys(aws: None) -> None:
    """Without the policy Lambda adds one, with the rights of whoever deploys. Batch pulls with a role of its own."""
    ecr = boto3.client("ecr")
    images = Images(ecr, "mlops-dev", say=lambda text: None)
    for name in ("tracking", "training"):
        images.repository(name)
    (statement,) = json.loads(ecr.get_repository_policy(repositoryName="mlops-dev/tracking")["policyText"])["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert set(statement["Action"]) == {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
        ecr.get_repository_policy(repositoryName="mlops-dev/training")


def test_images_go_in_by_digest(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ecr, docker = boto3.client("ecr"), Docker()
    monkeypatch.setattr(
        ecr,
        "describe_images",
        lambda **asked: {"imageDetails": [{"imageDigest": f"sha256:{asked['repositoryName'][-3:]}"}]},
    )
    pushed = Images(ecr, "mlops-dev", docker, lambda text: None).push_all({})
    assert pushed.keys() == IMAGES.keys()
    assert all("@sha256:" in each for each in pushed.values())
    verbs = [each[1] for each in docker.commands]
    assert verbs == ["login", "build", "push", "build", "push"]
    assert all("linux/amd64" in each for each in docker.commands if each[1] == "build")


def test_a_stack_with_gpus_has_an_image_with_pytorch_for_cuda(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ecr, docker = boto3.client("ecr"), Docker()
    monkeypatch.setattr(ecr, "describe_images", lambda **_: {"imageDetails": [{"imageDigest": "sha256:0"}]})
    monkeypatch.setenv("EXTRA_INDEX_URL", "mine/cpu")
    images = Images(ecr, "mlops-dev", docker, lambda text: None)
    assert images.push_all({"GpuInstanceTypes": "g4dn.xlarge"}).keys() == {*IMAGES, "GpuTrainingImage"}
    (built,) = [each for each in docker.commands if each[1] == "build" and each[-2].endswith("training-gpu:latest")]
    assert "--build-arg=TORCH_INDEX=" in built
    monkeypatch.setenv("CUDA_INDEX_URL", "mine/cuda")
    images.push_all({"GpuInstanceTypes": "g4dn.xlarge"})
    assert any("--build-arg=TORCH_INDEX=mine/cuda" in each for each in docker.commands)
    assert images.push_all({"GpuInstanceTypes": ""}).keys() == IMAGES.keys()


def test_the_training_image_says_its_model_types(aws: None) -> None:
    docker = Docker(printed='{"model_types": []}')
    images = Images(boto3.client("ecr"), "mlops-dev", docker, lambda text: None)
    assert images.model_types() == b'{"model_types": []}'
    (asked,) = docker.commands
    assert asked[:3] == ["docker", "run", "--rm"]
    assert asked[3].endswith("mlops-dev/training:latest")
    assert asked[4:] == ["python", "-m", "trainer", "types"]


def test_an_image_that_does_not_say_them_is_not_deployed(aws: None) -> None:
    images = Images(boto3.client("ecr"), "mlops-dev", Docker(returncode=1), lambda text: None)
    with pytest.raises(DeployError, match="does not list its model types: denied"):
        images.model_types()


def test_images_are_built_without_attestations_by_any_docker(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda refuses a provenance attestation; --provenance is a flag of buildx alone, which Debian has not."""
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    ecr, docker = boto3.client("ecr"), Docker()
    monkeypatch.setattr(ecr, "describe_images", lambda **_: {"imageDetails": [{"imageDigest": "sha256:0"}]})
    Images(ecr, "mlops-dev", docker, lambda text: None).push_all({})
    builds = [index for index, command in enumerate(docker.commands) if command[1] == "build"]
    for index in builds:
        assert docker.environments[index]["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"
        assert docker.environments[index]["DOCKER_HOST"] == "ssh://elsewhere"
        options = [word.partition("=")[0] for word in docker.commands[index] if word.startswith("-")]
        assert set(options) <= {"--platform", "--build-arg", "-f", "-t"}, "what every docker build has"


@pytest.mark.parametrize("dockerfile", [dockerfile for _, dockerfile in IMAGES.values()])
def test_a_dockerfile_needs_neither_buildkit_nor_a_frontend_of_a_hub(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text()
    assert not re.search(r"^#\s*syntax\s*=", text, re.M | re.I)
    assert not re.search(r"^(RUN|COPY|ADD)\s.*--(mount|link|security|network)\b|<<[\"'-]?[A-Z]", text, re.M)


def test_whoever_deploys_brings_index_and_base_image(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = Docker()
    for name, argument in (("EXTRA_INDEX_URL", "TORCH_INDEX"), ("LAMBDA_BASE", "LAMBDA_BASE"), ("PYTHON_IMAGE",) * 2):
        monkeypatch.setenv(name, f"mine/{argument}")
    ecr = boto3.client("ecr")
    monkeypatch.setattr(ecr, "describe_images", lambda **_: {"imageDetails": [{"imageDigest": "sha256:0"}]})
    Images(ecr, "mlops-dev", docker, lambda text: None).push_all({})
    training, tracking = (each for each in docker.commands if each[1] == "build")
    assert "--build-arg=TORCH_INDEX=mine/TORCH_INDEX" in training
    assert "--build-arg=PYTHON_IMAGE=mine/PYTHON_IMAGE" in training
    assert "--build-arg=LAMBDA_BASE=mine/LAMBDA_BASE" in tracking
    for words, argument in ((training, "TORCH_INDEX"), (training, "PYTHON_IMAGE"), (tracking, "LAMBDA_BASE")):
        assert f"\nARG {argument}=" in (ROOT / words[words.index("-f") + 1]).read_text()


def test_no_docker_is_said(aws: None) -> None:
    with pytest.raises(DeployError, match="engine does not answer"):
        Images(boto3.client("ecr"), "mlops-dev", Docker(1)).check()


class Versions:
    """A function with published versions and one alias."""

    def __init__(self, versions: range, live: str, canary: str | None = None) -> None:
        self.versions, self.deleted = [str(each) for each in versions], list[str]()
        routing = {"AdditionalVersionWeights": {canary: 0.1}} if canary else {}
        self.alias = {"FunctionVersion": live, "RoutingConfig": routing}

    def get_paginator(self, name: str) -> Any:
        pages = {
            "list_versions_by_function": [{"Versions": [{"Version": each} for each in ["$LATEST", *self.versions]]}],
            "list_aliases": [{"Aliases": [self.alias]}],
        }[name]
        return type("Pages", (), {"paginate": lambda self, **_: pages})()

    def delete_function(self, FunctionName: str, Qualifier: str) -> None:
        self.deleted.append(Qualifier)


@pytest.mark.parametrize(
    ("client", "deleted"),
    [
        (Versions(range(1, 6), "5"), ["1", "2", "3"]),
        (Versions(range(8, 13), "12"), ["8", "9", "10"]),  # by number, not by letter
        (Versions(range(1, 6), "2", "5"), ["1", "3"]),  # turned back, and a gradual deployment under way
        (Versions(range(1, 3), "2"), []),
    ],
)
def test_old_versions_are_deleted_but_for_what_serves(client: Versions, deleted: list[str]) -> None:
    assert KEPT == 2
    assert delete_old_versions(client, "predict") == deleted == client.deleted


@pytest.fixture
def keys(aws: None) -> Keys:
    gateway = boto3.client("apigateway")
    make_table("AccessKeysTable", "keys")
    boto3.client("s3").create_bucket(Bucket="artifacts")
    plan = gateway.create_usage_plan(name="plan")["id"]
    return Keys(
        {
            "StackName": "mlops-dev",
            "UsagePlanId": plan,
            "AccessKeysTableName": "keys",
            "ArtifactBucketName": "artifacts",
        }
    )


def test_a_key_is_rotated_without_a_gap(keys: Keys) -> None:
    first, _ = keys.create("alice", "read", "alice")
    value, old = keys.rotate("alice")
    assert value
    assert old == [first]
    assert [(key["name"], key["role"]) for key in keys.all()] == [("alice", "read")] * 2, "both work meanwhile"
    keys.revoke(first)
    (left,) = keys.all()
    assert left["id"] != first
    with pytest.raises(UnknownKey):
        keys.revoke(first)
    with pytest.raises(UnknownKey):
        keys.rotate("bob")


def test_rotating_says_a_command_for_each_old_key(keys: Keys, monkeypatch, capsys) -> None:
    old = [keys.create("alice", "read", "alice")[0] for _ in range(2)]
    monkeypatch.setattr("mlops_client.operator.aws.stack_outputs", lambda stack: keys._outputs)
    monkeypatch.setattr("sys.argv", ["keys", "rotate", "--name", "alice"])
    assert main() == 0
    said = capsys.readouterr().err
    assert re.findall(r"make revoke-key ID=(\S+)$", said, re.MULTILINE) == sorted(old)


@pytest.fixture
def broken_api() -> Iterator[str]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(b'{"code": "internal_error"}')

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_smoke_test_fails_where_something_is_wrong(broken_api: str) -> None:
    with pytest.raises(SmokeFailed, match="GET /health answered 500"):
        Smoke(broken_api, "key").run()


def test_the_smoke_test_says_when_nobody_answers() -> None:
    with pytest.raises(SmokeFailed, match="does not answer"):
        Smoke("http://127.0.0.1:9", "key").run()
