"""The platform on LocalStack, from its Python package and without Docker: the main job, and every function's event.

`make test-localstack` asks for it. It installs LocalStack, and so is skipped, with the reason, where that cannot be.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local import deploy
from infra.local.api import Api, ApiError
from infra.local.errors import LocalStackError
from infra.local.localstack.build import function_python, install, with_built_layers
from infra.local.packaging import read_template
from infra.local.settings import LOCALSTACK, ROOT, Settings
from infra.local.stack import Stack
from tests.support.event_outcomes import outcome_of, told
from tests.support.steps import DIGITS_MODEL, promote, train, wait_until_served
from tools.runtime.events import event, give_their_key_a_role
from tools.runtime.functions import zip_functions

pytestmark = [
    pytest.mark.skipif("MLOPS_LOCALSTACK" not in os.environ, reason="`make test-localstack` asks for it"),
    pytest.mark.skipif("AWS_ENDPOINT_URL" in os.environ, reason="AWS_ENDPOINT_URL names another endpoint to test"),
]
# The image of tracking is a server here, and the migration is a part of `make up`.
EVENTS = sorted({path.stem for path in (ROOT / "events").iterdir()} - {"migration", "tracking"})


@pytest.fixture(scope="module")
def running(make_settings: Callable[[], Settings]) -> Iterator[tuple[Stack, Api]]:
    """A stack on LocalStack of its own, and its API."""
    settings = replace(make_settings(), emulator=LOCALSTACK)
    try:
        install(settings)
        function_python()
        with_built_layers(read_template(ROOT / "template.yaml"))
    except LocalStackError as reason:
        pytest.skip(str(reason))
    stack, before = Stack(settings), outside()
    try:
        variables = stack.up()
        yield stack, Api(variables["MLOPS_API_URL"], variables["MLOPS_API_KEY"])
    finally:
        stack.reset()
        assert outside() == before, "LocalStack wrote outside the folder of its stack"


def outside() -> list[Path]:
    """LocalStack's own folders, below which it writes when it is not told otherwise."""
    return [
        path for path in map(Path, ("/var/lib/localstack", "/usr/lib/localstack", "/tmp/localstack")) if path.exists()
    ]


@pytest.fixture(scope="module")
def stack(running: tuple[Stack, Api]) -> Stack:
    return running[0]


@pytest.fixture(scope="module")
def api(running: tuple[Stack, Api]) -> Api:
    return running[1]


@pytest.fixture(scope="module")
def served(api: Api, held_out: tuple[list[list[float]], list[int]]) -> dict[str, Any]:
    """Train, register, promote: the finished job, whose version is in Production and answers."""
    job = train(api, dataset="digits", epochs=4, learning_rate=0.005, experiment_name="on-localstack")
    assert job["status"] == "completed", job["error"]
    moved = promote(api, job["model_version"], reason="the main job")
    assert moved["status"] == "succeeded", moved
    assert all(gate["passed"] for gate in moved["gates"]), moved
    wait_until_served(api, DIGITS_MODEL, job["model_version"], held_out[0][0])
    return job


def test_the_main_job(api: Api, served: dict[str, Any], held_out: tuple[list[list[float]], list[int]]) -> None:
    """Train, register, promote and predict, each by a request to the API."""
    assert served["metrics"]["accuracy"] > 0.8
    (model,) = api.get("/models")["models"]
    assert (model["name"], model["production_version"]) == (DIGITS_MODEL, served["model_version"])
    images, labels = held_out
    answer = api.post("/predict/batch", {"images": images[:100]})
    right = sum(found == label for found, label in zip(answer["predictions"], labels, strict=False))
    assert right > 80
    assert answer["model_version"] == served["model_version"]


def test_predictions_get_into_the_statistics(
    api: Api, served: dict[str, Any], held_out: tuple[list[list[float]], list[int]]
) -> None:
    """From the log of predict, in the group that the template names, to the function that is subscribed to it."""
    api.post("/predict/batch", {"images": held_out[0][:50]})
    deadline = time.monotonic() + 60
    while (found := api.get("/drift/status"))["current"]["samples"] < 50:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


@pytest.mark.parametrize("name", EVENTS)
def test_a_function_answers_its_event(stack: Stack, served: dict[str, Any], name: str) -> None:
    """As `make invoke` does on the other local AWS: the table of docs/local.md has the answers."""
    give_their_key_a_role(stack.settings)
    (function,) = [each.logical_id for each in zip_functions(ROOT).values() if each.name == name]
    answer = deploy.client(stack.settings, "lambda").invoke(
        FunctionName=deploy.physical_ids(stack.settings)[function], Payload=json.dumps(event(name)).encode()
    )
    said = json.loads(answer["Payload"].read() or "null")
    assert "FunctionError" not in answer, said
    assert outcome_of(said) == told()[name], said


def test_what_it_is_told_not_to_answer(stack: Stack, api: Api, served: dict[str, Any]) -> None:
    """The ports have the guards that they have on the other local AWS."""
    with pytest.raises(ApiError) as refused:
        Api(stack.settings.api_url, "no-key-of-this-stack").get("/models")
    assert refused.value.status == 403
    unsigned = Api(stack.settings.aws_url, None)
    assert unsigned.send("GET", "/").status == 403
    assert unsigned.send("POST", "/_localstack/state/reset").status == 403
    foreign = {"origin": "https://elsewhere.example"}
    assert Api(stack.settings.api_url, api.key).send("GET", "/models", headers=foreign).status == 403


def test_a_stack_that_is_up_stays_as_it_is(stack: Stack, api: Api, served: dict[str, Any]) -> None:
    """A second `make up` neither starts nor deploys anything anew: LocalStack would forget everything."""
    before = {row.name: row.pid for row in stack.status()}
    assert stack.up()["MLOPS_API_KEY"] == api.key
    assert {row.name: row.pid for row in stack.status()} == before
    assert all(row.healthy for row in stack.status())


def test_a_killed_localstack_is_started_anew_and_without_the_runs_of_before(
    stack: Stack, api: Api, served: dict[str, Any]
) -> None:
    process = next(row.pid for row in stack.status() if row.name == "aws")
    assert process is not None
    psutil.Process(process).kill()
    again = stack.up()
    new = Api(again["MLOPS_API_URL"], again["MLOPS_API_KEY"])
    assert new.get("/models")["models"] == []
    assert new.get("/experiments")["experiments"] == []


def test_nothing_is_left(stack: Stack) -> None:
    home = stack.settings.home
    stack.reset()
    left = [each.info["cmdline"] for each in psutil.process_iter(["cmdline", "environ"]) if str(home) in str(each.info)]
    assert left == []
    assert not home.exists()
