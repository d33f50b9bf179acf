"""Run one function under AWS's runtime interface emulator, as `sam local invoke` does, but without a container."""

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
    """The function raised an exception, or its process ended; the message is that of the runtime."""


class Emulated:
    """The process of a function.

    The emulator starts it at the first call, as Lambda does. `seconds` has the duration of each call, so the first one
    is that of a cold start.
    """

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
        # In AWS's order: the folder of the function, then the layers, then the packages of the runtime.
        path = ":".join(str(folder) for folder in (task_root, *layers))
        environment = {
            **variables,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": path,
            # As on Lambda, where nothing can be written beside the code: the only bytecode is from the build.
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
                cwd=log.parent,  # the emulator cannot start in a folder with a '#' in its path, as a checkout may have
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        _wait_for(address)
        self.seconds: list[float] = []

    def invoke(self, event: Any) -> Any:
        """Call the function and return its answer. Raises FunctionFailed, as the emulator answers 200 for a failure."""
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
        """Return what the emulator measured at the first start: from the process's start to its first event."""
        report = re.search(r"INIT REPORT\(durationMs: ([\d.]+)\)", self.log())
        if report is None:
            raise FunctionFailed(f"the log of the emulator has no duration of the start\n{self.log()}")
        return float(report[1]) / 1000

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
