"""A function as a process under AWS's runtime client: how the stack on LocalStack runs functions."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from infra.artifacts import Runtime
from infra.local.localstack.function_process import Answer, FunctionProcess, InitFailed
from infra.local.localstack.runtime_api import Invocation

CODE = """
import json, os, sys, time
import shared

print("starting")

def handler(event, context):
    print("asked for", event["do"])
    match event["do"]:
        case "answer":
            return {"id": context.aws_request_id, "arn": context.invoked_function_arn, "layer": shared.NAME,
                    "left": context.get_remaining_time_in_millis(), "pid": os.getpid(), "name": os.environ["NAME"]}
        case "raise":
            raise ValueError("not this one")
        case "exit":
            sys.stdout.flush()
            os._exit(3)
        case "sleep":
            time.sleep(60)
        case "much":
            return "x" * event["size"]
"""


@pytest.fixture
def function(lambda_runtime: Runtime, tmp_path: Path) -> Iterator[Callable[..., FunctionProcess]]:
    """Make a function with this code and a layer; it is stopped with the test."""
    made: list[FunctionProcess] = []

    def make(code: str = CODE) -> FunctionProcess:
        own, layer = tmp_path / "own", tmp_path / "layer/python"
        for folder in (own, layer):
            folder.mkdir(parents=True)
        (own / "app.py").write_text(code)
        (layer / "shared.py").write_text("NAME = 'of the layer'\n")
        variables = {"NAME": "given", "PATH": "/usr/bin:/bin", "AWS_LAMBDA_FUNCTION_NAME": "own"}
        variables |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"}
        python = str(lambda_runtime.python)
        made.append(FunctionProcess(python, "app.handler", [own, layer], variables, tmp_path / "scratch"))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def ask(function: FunctionProcess, event: dict[str, Any], seconds: float = 30) -> Answer:
    request_id = str(uuid4())
    headers = {
        "Lambda-Runtime-Aws-Request-Id": request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:own",
        "Lambda-Runtime-Trace-Id": "Root=1-2-3",
    }
    return function.invoke(Invocation(request_id, headers, json.dumps(event).encode()), seconds)


def test_it_answers_with_its_layers_and_keeps_its_process(function):
    process = function()
    process.start(30)
    first, second = (json.loads(ask(process, {"do": "answer"}).payload) for _ in range(2))
    assert first["pid"] == second["pid"]
    assert first["id"] != second["id"]
    assert (first["layer"], first["name"]) == ("of the layer", "given")
    assert first["arn"].endswith(":function:own")
    assert 0 < first["left"] <= 30_000


def test_each_answer_has_the_lines_of_its_call(function):
    process = function()
    process.start(30)
    first, second = ask(process, {"do": "answer"}), ask(process, {"do": "raise"})
    assert first.log.splitlines()[:2] == ["starting", "asked for answer"]
    assert "starting" not in second.log
    assert "ValueError: not this one" in second.log


def test_an_exception_is_the_answer_and_ends_no_process(function):
    process = function()
    process.start(30)
    pid = json.loads(ask(process, {"do": "answer"}).payload)["pid"]
    failed = ask(process, {"do": "raise"})
    assert failed.failed
    assert json.loads(failed.payload)["errorMessage"] == "not this one"
    assert json.loads(ask(process, {"do": "answer"}).payload)["pid"] == pid


@pytest.mark.parametrize(
    ("event", "seconds", "kind", "said"),
    [
        ({"do": "exit"}, 30, "Runtime.ExitError", "exit status 3"),
        ({"do": "sleep"}, 1, "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ],
)
def test_a_process_that_ended_or_hung_is_replaced(function, event, seconds, kind, said):
    process = function()
    process.start(30)
    pid = json.loads(ask(process, {"do": "answer"}).payload)["pid"]
    failed = ask(process, event, seconds)
    problem = json.loads(failed.payload)
    assert (failed.failed, problem["errorType"]) == (True, kind)
    assert said in problem["errorMessage"]
    assert f"asked for {event['do']}" in failed.log
    assert not psutil.pid_exists(pid)
    assert json.loads(ask(process, {"do": "answer"}).payload)["pid"] != pid


@pytest.mark.parametrize("code", ["import nothing_of_this_name", "raise SystemExit(4)"])
def test_a_function_that_cannot_start_says_why(function, code):
    with pytest.raises(InitFailed) as failed:
        function(code).start(30)
    assert "nothing_of_this_name" in str(failed.value) or "the process ended" in str(failed.value)
    assert "errorType" in json.loads(failed.value.payload)


def test_a_large_answer_and_a_large_event_arrive_whole(function):
    process = function()
    process.start(30)
    answer = ask(process, {"do": "much", "size": 5_000_000, "filler": "y" * 5_000_000})
    assert len(json.loads(answer.payload)) == 5_000_000


def test_nothing_runs_after_the_stop(function):
    process = function()
    process.start(30)
    pid = json.loads(ask(process, {"do": "answer"}).payload)["pid"]
    process.stop()
    assert not psutil.pid_exists(pid)
    assert not [each for each in psutil.Process(os.getpid()).children() if each.pid == pid]
