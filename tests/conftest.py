"""What all tests share: the local stack of the session, on ports and in a folder of its own, and its API."""

import functools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.loaders import JSONFileLoader

from infra.local import deploy
from infra.local.api import Api
from infra.local.environment import without_proxy
from infra.local.settings import Settings
from infra.local.stack import Stack
from mlops.registry.rest import Tracking
from tests.support.hanging import jobs_under_way
from tests.support.steps import free_ports, promote, train
from trainer import openmp


def pytest_configure() -> None:
    """Let the caller's shell lead no test elsewhere: to a proxy, to another account, to onnxruntime's collector."""
    for name in list(os.environ):
        if name.endswith("_PROFILE") or name.startswith(("AWS_ENDPOINT_URL_", "PG")):
            del os.environ[name]
    # Nor to the credentials of the machine, which AWS's libraries ask for at an address of every network.
    os.environ |= {**without_proxy(), "ORT_DISABLE_TELEMETRY": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    openmp.load()  # tests import LightGBM themselves
    # Tests have a session of boto3 each, and each session parses its models of AWS's services: a fifth of the time of
    # the unit tests.
    parsed = functools.cache(JSONFileLoader().load_file)
    JSONFileLoader.load_file = staticmethod(parsed)  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the stack, and let the quick tests come first, so that a slip shows early."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker("stack")
    items.sort(key=lambda item: [item.get_closest_marker(name) is not None for name in ("stack", "slow")])


# Before any fixture, also those of a whole module or session.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget boto3's default session: it keeps the first credentials of a process, and tests have different ones."""
    boto3.DEFAULT_SESSION = None


@pytest.fixture(autouse=True)
def _no_blocked_signals() -> Iterator[None]:
    """Every process started later would inherit a blocked signal, and no SIGTERM would end it."""
    yield
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []), "this test blocks signals of the process that runs it"


@dataclass(frozen=True)
class RunningStack:
    """A stack that is up: where it is, and the variables of its `.local/env`."""

    settings: Settings
    env: dict[str, str]

    @property
    def api_url(self) -> str:
        return self.env["MLOPS_API_URL"]

    @property
    def api_key(self) -> str:
        return self.env["MLOPS_API_KEY"]


@pytest.fixture(scope="session")
def make_settings() -> Iterator[Callable[[], Settings]]:
    """Settings of stacks with ports and folders of their own; whatever was started in them is stopped at the end."""
    # Not pytest's own folder: it is closed to other accounts, and root runs PostgreSQL as one.
    base = Path(tempfile.mkdtemp(prefix="mlops-test-"))
    base.chmod(0o755)
    made: list[Settings] = []

    def make() -> Settings:
        api, tracking, aws = free_ports(3)
        made.append(Settings(api, tracking, aws, home=base / str(len(made))))
        return made[-1]

    yield make
    for settings in made:
        Stack(settings, say=lambda text: None).reset()
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(make_settings: Callable[[], Settings]) -> RunningStack:
    """The stack that the session's end-to-end tests share."""
    settings = make_settings()
    running = RunningStack(settings, Stack(settings, say=lambda text: None).up())
    _shared.append(running)
    return running


_shared: list[RunningStack] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say what the jobs are at, when a test has waited in vain."""
    report: pytest.TestReport = yield
    if call.excinfo is not None and call.excinfo.errisinstance(TimeoutError):
        for running in _shared:
            told = jobs_under_way(Api(running.api_url, running.api_key), running.env["MLFLOW_TRACKING_URI"])
            report.sections.append(("jobs under way", told))
    return report


@pytest.fixture(scope="module")
def mlflow(stack: RunningStack) -> Iterator[Tracking]:
    """MLflow's REST API, for requests that the stack's key signs."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in stack.env.items():
            patch.setenv(variable, value)
        yield Tracking(stack.env["MLFLOW_TRACKING_URI"], 20)


@pytest.fixture(scope="session")
def api(stack: RunningStack) -> Api:
    """The API with the session's admin key."""
    return Api(stack.api_url, stack.api_key)


@pytest.fixture(scope="session")
def aws_client(stack: RunningStack) -> Callable[[str], Any]:
    """boto3 clients of the session's local AWS, by service name."""
    return lambda service: deploy.client(stack.settings, service)


@pytest.fixture(scope="session")
def invoke(aws_client: Callable[[str], Any]) -> Callable[[str, bytes], Any]:
    """Calls a deployed function by its name in the template."""
    client = aws_client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]

    def invoking(function: str, payload: bytes) -> Any:
        (name,) = [name for name in names if function in name]
        return client.invoke(FunctionName=name, Payload=payload)

    return invoking


@pytest.fixture(scope="session")
def minute(invoke: Callable[[str, bytes], Any]) -> Callable[[], None]:
    """The look of the deployed function at all rollouts, as each minute."""
    scheduled = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}).encode()
    return lambda: invoke("RolloutFunction", scheduled)


@pytest.fixture(scope="session")
def outputs(stack: RunningStack) -> dict[str, str]:
    """The outputs of the session's deployed template."""
    deployed = deploy.describe(stack.settings)
    assert deployed is not None
    return dict(deployed.outputs)


@pytest.fixture(scope="session")
def held_out() -> tuple[list[list[float]], list[int]]:
    """Digits that no run has trained on: pixels 0..1 and labels."""
    from trainer import data

    digits = data.load("digits")
    images = [[round(float(pixel), 4) for pixel in row] for row in digits.held_out.inputs]
    return images, [int(digits.labels[target]) for target in digits.held_out.targets]


@pytest.fixture(scope="session")
def production_model(api: Api) -> dict[str, Any]:
    """A version of the default model that is in Production: its finished job, with `model_version`."""
    job = train(api, epochs=4, learning_rate=0.005, run_name="production fixture")
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], reason="fixture")
    assert moved["status"] == "succeeded", moved
    return job
