"""A stack on a LocalStack that is up already: the same main job, and what stays and goes when the stack does.

`make test-localstack` asks for it. It installs LocalStack, and so is skipped, with the reason, where that cannot be.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local import deploy, engines
from infra.local.api import Api
from infra.local.environment import read_env
from infra.local.errors import LocalStackError
from infra.local.localstack.build import function_python, install
from infra.local.localstack.engine import Engine
from infra.local.localstack.environment import venv
from infra.local.processes import port_taken
from infra.local.settings import LOCALSTACK, ROOT, Settings
from infra.local.stack import Stack
from tests.support.steps import DIGITS_MODEL, free_ports, promote, train, wait_until_served

pytestmark = [
    pytest.mark.skipif("MLOPS_LOCALSTACK" not in os.environ, reason="`make test-localstack` asks for it"),
    pytest.mark.skipif("AWS_ENDPOINT_URL" in os.environ, reason="AWS_ENDPOINT_URL names another endpoint to test"),
]
SECONDS = 90


@pytest.fixture(scope="module")
def settings(make_settings: Callable[[], Settings]) -> Settings:
    found = replace(make_settings(), emulator=LOCALSTACK)
    try:
        install(found)
        function_python()
    except LocalStackError as reason:
        pytest.skip(str(reason))
    return found


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[dict[str, str]]:
    """A LocalStack that `make engine` would start; the variables in its file."""
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.local", "engine"], cwd=ROOT, env={**os.environ, **settings.to_environment()}
    )
    file = settings.home.with_name(f"{settings.home.name}-engine") / "env"
    try:
        until(lambda: "AWS_ENDPOINT_URL" in read_env(file) and Engine(settings.aws_url).healthy())
        yield read_env(file)
    finally:
        end(process)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(SECONDS)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def stack(settings: Settings, engine: dict[str, str]) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in engine.items():
            patch.setenv(name, value)
        stack = Stack(engines.chosen(settings))
        stack.up()
        yield stack


def api_of(stack: Stack) -> Api:
    return Api(stack.env()["MLOPS_API_URL"], stack.env()["MLOPS_API_KEY"])


@pytest.fixture(scope="module")
def served(stack: Stack, held_out: tuple[list[list[float]], list[int]]) -> dict[str, Any]:
    """Train, register, promote: the finished job, whose version is in Production and answers."""
    api = api_of(stack)
    job = train(api, dataset="digits", epochs=4, learning_rate=0.005, experiment_name="on-an-engine")
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], reason="the main job")
    assert moved["status"] == "succeeded", moved
    wait_until_served(api, DIGITS_MODEL, job["model_version"], held_out[0][0])
    return job


def test_the_main_job(stack: Stack, served: dict[str, Any], held_out: tuple[list[list[float]], list[int]]) -> None:
    assert stack.settings.engine
    images, labels = held_out
    answer = api_of(stack).post("/predict/batch", {"images": images[:100]})
    assert sum(found == label for found, label in zip(answer["predictions"], labels, strict=False)) > 80


def test_the_stack_stops_and_the_localstack_runs_on_with_its_state(
    settings: Settings, stack: Stack, served: dict[str, Any]
) -> None:
    """`make down` knows from the folder which LocalStack it is; `make up` finds everything again."""
    assert Stack(engines.recorded(settings)).down() is True
    rows = {row.name: row for row in stack.status()}
    assert (rows["aws"].state, rows["database"].state, rows["tracking"].state) == ("healthy", "stopped", "stopped")
    stack.up()
    (model,) = api_of(stack).get("/models")["models"]
    assert (model["name"], model["production_version"]) == (DIGITS_MODEL, served["model_version"])


def test_a_second_stack_is_refused(settings: Settings, stack: Stack, tmp_path: Path) -> None:
    (tracking,) = free_ports(1)
    other = Stack(replace(engines.recorded(settings), home=tmp_path / "other", tracking_port=tracking))
    with pytest.raises(LocalStackError, match="has the stack mlops-local of another folder"):
        other.up()


def test_reset_takes_out_what_was_made_and_leaves_the_localstack_running(settings: Settings, stack: Stack) -> None:
    clients = {
        name: deploy.client(stack.settings, name)
        for name in ("s3", "dynamodb", "lambda", "sqs", "apigateway", "batch", "cloudformation", "ssm", "logs")
    }
    own = clients["s3"]
    own.create_bucket(Bucket="of-somebody-else")
    assert Stack(engines.recorded(settings)).reset() is True
    assert not settings.home.exists()
    assert Engine(stack.settings.engine).healthy()
    assert [each["Name"] for each in own.list_buckets()["Buckets"]] == ["of-somebody-else"]
    assert clients["dynamodb"].list_tables()["TableNames"] == []
    assert clients["lambda"].list_functions()["Functions"] == []
    assert clients["sqs"].list_queues().get("QueueUrls", []) == []
    assert clients["apigateway"].get_rest_apis()["items"] == []
    assert clients["apigateway"].get_api_keys()["items"] == []
    assert clients["batch"].describe_job_queues()["jobQueues"] == []
    assert [each["logGroupName"] for each in clients["logs"].describe_log_groups()["logGroups"]] == []
    assert port_taken(settings.tracking_port) is None


def test_a_plain_localstack_is_refused(settings: Settings, tmp_path: Path) -> None:
    """LocalStack as it comes, which answers but has neither Batch nor functions that reach the database."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    own = {"GATEWAY_LISTEN": f"127.0.0.1:{port}", "FILESYSTEM_ROOT": str(tmp_path), "TMPDIR": str(tmp_path)}
    quiet = {"DISABLE_EVENTS": "1", "SKIP_SSL_CERT_DOWNLOAD": "1", "DNS_ADDRESS": "0", "OVERRIDE_IN_DOCKER": "0"}
    process = subprocess.Popen(
        [str(venv(settings) / "bin/python"), "-m", "localstack.runtime.main"], env={**os.environ, **own, **quiet}
    )
    try:
        until(Engine(address).healthy)
        with pytest.raises(LocalStackError, match="has not the platform's plug-ins"):
            engines.chosen(settings, {"AWS_ENDPOINT_URL": address})
    finally:
        end(process)
