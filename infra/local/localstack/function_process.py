"""An execution environment of a function: a process of Lambda's Python with AWS's runtime client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local.localstack.runtime_api import Invocation, RuntimeApi

# How often a process that neither answers nor asks is looked at: whether it still runs.
_LOOK_SECONDS = 0.05
_STOP_SECONDS = 2.0


class InitFailed(Exception):
    """The process did not come to ask for an event; `payload` is the error as Lambda answers it."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload


@dataclass(frozen=True)
class Answer:
    """What a call came to: the JSON of the answer, or of the error, and what the function printed meanwhile."""

    payload: bytes
    failed: bool
    log: str


class FunctionProcess:
    """A function's process. It is replaced after a crash or a timeout, as Lambda replaces an environment."""

    def __init__(
        self, python: str, handler: str, folders: Sequence[Path], variables: Mapping[str, str], scratch: Path
    ) -> None:
        """Args:
        python: The interpreter that has `awslambdaric` and the packages of Lambda's runtime.
        handler: Such as `portal.app.handler`.
        folders: The function's own, then `python/` of each layer.
        variables: The function's environment.
        scratch: A folder of its own, which is its `TMPDIR`.
        """
        self._command = [python, "-m", "awslambdaric", handler]
        self._variables = {
            **variables,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            # Nothing can be written beside the code on Lambda.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(folders[0]),
            "TMPDIR": str(scratch),
        }
        self._folder, self._scratch = folders[0], scratch
        self._log = scratch / f".log-{uuid.uuid4().hex}"
        self._child: subprocess.Popen[bytes] | None = None
        self._api: RuntimeApi | None = None

    def start(self, seconds: float) -> None:
        """Start the process, and wait until it asks for an event. Raises InitFailed."""
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        api = self._api = RuntimeApi()
        with self._log.open("ab") as output:
            child = self._child = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**self._variables, "AWS_LAMBDA_RUNTIME_API": api.address},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while not api.ready.wait(_LOOK_SECONDS):
            if child.poll() is not None or time.monotonic() > deadline:
                reason = "ended" if child.poll() is not None else f"was not ready after {seconds:.0f} s"
                self.stop()
                raise InitFailed(_error("Runtime.InitError", f"the process {reason}: {self.take_log()[-2000:]}"))
        if api.init_error is not None:
            self.stop()
            raise InitFailed(api.init_error)

    def invoke(self, invocation: Invocation, seconds: float) -> Answer:
        """Let the function answer an event within its timeout. Raises InitFailed: its process had to be started."""
        if self._child is None or self._child.poll() is not None:
            self.stop()
            self.start(seconds)
        api, child = self._api, self._child
        assert api is not None
        assert child is not None
        deadline = time.monotonic() + seconds
        api.send(invocation)
        while not invocation.answered.wait(_LOOK_SECONDS):
            ended = child.poll()
            if ended is None and time.monotonic() < deadline:
                continue
            self.stop()
            told = f"exit status {ended}" if ended is not None else f"Task timed out after {seconds:.2f} seconds"
            kind = "Runtime.ExitError" if ended is not None else "Sandbox.Timedout"
            message = f"RequestId: {invocation.request_id} Error: {told}"
            return Answer(_error(kind, message), True, f"{self.take_log()}{message}\n")
        return Answer(invocation.answer, invocation.failed, self.take_log())

    def take_log(self) -> str:
        """What was printed since the last time; the process writes it before it answers."""
        try:
            with self._log.open("r+b") as file:
                text = file.read().decode(errors="replace")
                file.truncate(0)  # the process appends
        except FileNotFoundError:
            return ""
        return text

    def stop(self) -> None:
        """End the process and what it has started."""
        child, api = self._child, self._api
        self._child = self._api = None
        if child is not None:
            _signal(child.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                child.wait(_STOP_SECONDS)
            _signal(child.pid, signal.SIGKILL)
            child.wait()
        if api is not None:
            api.close()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
