"""One function under AWS's runtime interface emulator: what `sam local invoke` runs, minus the container."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from infra.local.processes import free_ports


class FunctionFailed(Exception):
    """The function raised, or ended; the message is what the runtime says of it."""


class Emulated:
    """A function's process. The emulator starts it only when it is first called, as Lambda does at a cold start, so
    that the first of `seconds`, which has what each call took, is a cold start's."""

    def __init__(
        self,
        emulator: Path,
        python: Path,
        task_root: Path,
        layers: list[Path],
        variables: Mapping[str, str],
        log: Path,
        seconds: int = 60,
    ) -> None:
        address, api = free_ports(2)
        self._url = f"http://127.0.0.1:{address}/2015-03-31/functions/function/invocations"
        self.name = task_root.name
        self._log = log
        # AWS's order: the function's own folder, then the layers, then what the runtime brings.
        path = ":".join(str(folder) for folder in (task_root, *layers))
        environment = {
            **variables,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": path,
            # As on Lambda, where nothing can be written beside the code: bytecode is what the build brought.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(task_root),
            "AWS_LAMBDA_FUNCTION_NAME": task_root.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
            "AWS_LAMBDA_LOG_STREAM_NAME": "emulated",
        }
        options = ["--runtime-interface-emulator-address", f"127.0.0.1:{address}"]
        options += ["--runtime-api-address", f"127.0.0.1:{api}", "--log-level", "info"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(emulator), *options, str(python), "-m", "awslambdaric", f"{task_root.name}.app.handler"],
                cwd=task_root,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        _wait_for(address)
        self.seconds: list[float] = []

    def invoke(self, event: Any) -> Any:
        """The function's answer. Raises FunctionFailed; the emulator itself answers 200 to a failure."""
        began = time.perf_counter()
        request = Request(self._url, json.dumps(event).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=90) as response:
            text = response.read()
        self.seconds.append(time.perf_counter() - began)
        answer = json.loads(text) if text else None
        if isinstance(answer, dict) and "errorMessage" in answer:
            raise FunctionFailed(f"{answer.get('errorType')}: {answer['errorMessage']}\n{self.log()}")
        return answer

    def init_seconds(self) -> float:
        """What the emulator measured of the first start: from the process's start until it asks for an event."""
        found = re.search(r"INIT REPORT\(durationMs: ([\d.]+)\)", self.log())
        if found is None:
            raise FunctionFailed(f"the emulator did not say how long the start took\n{self.log()}")
        return float(found[1]) / 1000

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise TimeoutError("the emulator does not listen")
        time.sleep(0.02)
