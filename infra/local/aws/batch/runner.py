"""The process that stands for the container of one attempt, and its output on the way to the log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from infra.local.aws.batch.rules import exit_code_of
from infra.local.processes import Process

# From SIGTERM to SIGKILL, as AWS Batch gives a container.
STOP_SECONDS = 30.0
_FLUSH_SECONDS = 0.2

# What a container image has from its base, taken from this machine: a way to find programs and reach the network.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy")
# Where pip finds the requirements of people's own code.
_INDEX = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST", "PIP_CERT")

WriteLines = Callable[[Sequence[tuple[int, str]]], None]


@dataclass(frozen=True)
class Image:
    """What the container image holds: the packages of the trainer, and the AWS that the container can reach.

    `python` is the interpreter that has what these packages import.
    """

    python_path: Sequence[Path]
    environment: Mapping[str, str]
    python: str = sys.executable

    def container_environment(self, job: Mapping[str, str]) -> dict[str, str]:
        """Join the variables of the image with those of a job, which win."""
        inherited = {name: os.environ[name] for name in (*_INHERITED, *_INDEX) if name in os.environ}
        for name in _PROXIES:
            inherited |= {key: os.environ[key] for key in (name, name.upper()) if key in os.environ}
        path = os.pathsep.join(str(folder) for folder in self.python_path)
        return {**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **self.environment, **job}


class CannotStart(Exception):
    """The process did not start; the text is the reason that Batch would give for the container."""


class Attempt:
    """A started process, in a session and a folder of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        write: WriteLines,
        python: str = sys.executable,
    ) -> None:
        """Start `command` as it is, except that `python` is the interpreter of the image.

        Raises CannotStart.
        """
        if not command:
            raise CannotStart("CannotStartContainerError: the job definition has no command")
        program = python if command[0] in ("python", "python3") else command[0]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._child = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**environment, "TMPDIR": str(folder)},
                start_new_session=True,
            )
        except OSError as error:
            raise CannotStart(f"CannotStartContainerError: {command[0]}: {error.strerror}") from error
        assert self._child.stdout is not None
        self.process = Process.of(self._child.pid) or Process(self._child.pid, 0.0)
        self._lines: list[tuple[int, str]] = []
        self._lock = threading.Lock()
        self._output = threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True)
        self._output.start()
        self._write = write
        self._kill_at: float | None = None
        self.ran_out_of_memory = False

    def terminate(self) -> None:
        """Ask the process to end; `wait` kills it if it still runs after 30 s."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + STOP_SECONDS
            self._signal(signal.SIGTERM)

    def wait(self, deadline: float | None, on_timeout: Callable[[], None], memory_bytes: int | None = None) -> int:
        """Wait for the end and return the exit code of the container.

        Args:
            deadline: When to call `on_timeout`, on the monotonic clock.
            on_timeout: Called once.
            memory_bytes: A container that has more than this resident is killed, as AWS does.
        """
        while True:
            try:
                returncode = self._child.wait(_FLUSH_SECONDS)
                break
            except subprocess.TimeoutExpired:
                self._flush()
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                deadline = None
                on_timeout()
            if memory_bytes is not None and self._resident_bytes() > memory_bytes:
                self.ran_out_of_memory = True
                self._signal(signal.SIGKILL)
            if self._kill_at is not None and now >= self._kill_at:
                self._signal(signal.SIGKILL)
        # A container ends with its first process, so whatever that one started and left behind is killed too.
        self._signal(signal.SIGKILL)
        self._output.join(5)
        self._flush()
        return exit_code_of(returncode)

    def _resident_bytes(self) -> int:
        """Of the process and those that it started; pages that they share count for each."""
        resident = 0
        with suppress(psutil.Error):
            first = psutil.Process(self._child.pid)
            for process in (first, *first.children(recursive=True)):
                with suppress(psutil.Error):
                    resident += process.memory_info().rss
        return resident

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)
        if number is signal.SIGKILL:
            self._kill_session()

    def _kill_session(self) -> None:
        """Kill what the process has put into groups of their own: it is in the same container, and the same session."""
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError, PermissionError):
                if os.getsid(process.pid) == self._child.pid:
                    process.kill()

    def _read(self, output: IO[bytes]) -> None:
        for raw in output:
            line = raw.decode(errors="replace").rstrip("\r\n")
            with self._lock:
                self._lines.append((int(time.time() * 1000), line))

    def _flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            self._write(lines)
