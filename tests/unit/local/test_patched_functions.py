"""The changes to ministack's execution environments, with real processes."""

import io
import threading
import time
import zipfile

import pytest

pytest.importorskip("ministack")

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from infra.local.aws.patches import functions

# Of each start that finds a file `die-N`, the process kills itself and removes the file; a call waits for `go`.
CODE = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["FOLDER"])
for file in sorted(folder.glob("die-*"))[:1]:
    file.unlink()
    os.kill(os.getpid(), signal.SIGKILL)
if (folder / "broken").exists():
    raise RuntimeError("cannot be imported")

class Late:
    # Writes its line when the answer has long been given, as a process does that gets no processor.
    def flush(self):
        time.sleep(0.5)
        os.write(2, b"the line\\n")

def handler(event, context):
    (folder / f"began-{event}").touch()
    while event == "waits" and not (folder / "go").exists():
        time.sleep(0.01)
    if event == "logs late":
        sys.stderr = Late()
    if event == "dies":
        os.write(2, b"last words\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"event": event, "code": open(__file__).read() != ""}
"""
ANSWER = {"event": "quick", "code": True}


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    """Invoke a function by its event; it starts an environment when none is free."""
    monkeypatch.setattr(lambda_runtime.Worker, "_spawn", lambda_runtime.Worker._spawn)
    monkeypatch.setattr(lambda_runtime.Worker, "invoke", lambda_runtime.Worker.invoke)
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", lambda_runtime._PYTHON_WORKER_SCRIPT)
    monkeypatch.setattr(lambda_runtime.Worker, "_drain_stderr_bounded", lambda_runtime.Worker._drain_stderr_bounded)
    functions.isolated_failures()
    functions.end_of_invocation()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", CODE)
    config = {
        "FunctionName": "mortal",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:mortal",
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Environment": {"Variables": {"FOLDER": str(tmp_path)}},
    }
    yield lambda event: lambda_svc._execute_function_warm({"config": config, "code_zip": buffer.getvalue()}, event, "r")
    lambda_runtime.reset()


@pytest.fixture
def waiting(invoke, tmp_path):
    """A call under way in an environment of its own; calling it lets the call go on and returns the result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(invoke("waits")))
    thread.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "began-waits").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)

    def go():
        (tmp_path / "go").touch()
        thread.join(30)
        return results[0]

    return go


def test_a_start_that_is_killed_is_repeated_and_leaves_the_others_alone(invoke, waiting, tmp_path):
    (tmp_path / "die-1").touch()
    assert invoke("quick")["body"] == ANSWER
    assert waiting()["body"] == {"event": "waits", "code": True}


def test_an_environment_that_cannot_start_fails_alone_and_is_replaced(invoke, waiting, tmp_path):
    for number in (1, 2):
        (tmp_path / f"die-{number}").touch()
    failed = invoke("quick")
    assert failed["error"]
    assert "exited immediately" in failed["body"]["errorMessage"]
    assert invoke("quick")["body"] == ANSWER
    assert waiting()["body"] == {"event": "waits", "code": True}


def test_code_that_cannot_be_imported_is_started_once(invoke, waiting, tmp_path):
    (tmp_path / "broken").touch()
    failed = invoke("quick")
    assert "cannot be imported" in failed["body"]["errorMessage"]
    assert not (tmp_path / "began-quick").exists()
    assert waiting()["body"] == {"event": "waits", "code": True}


def test_a_line_that_is_written_late_belongs_to_its_invocation(invoke):
    assert invoke("logs late")["log"] == "the line"


def test_an_environment_that_dies_keeps_its_last_lines(invoke):
    failed = invoke("dies")
    assert failed["error"]
    assert failed["log"].startswith("last words")


def test_another_worker_script_is_refused(monkeypatch):
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "print('other')")
    with pytest.raises(RuntimeError, match="worker"):
        functions.end_of_invocation()
