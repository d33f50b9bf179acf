"""The process of a script: its output, the signal that stops it, and why it has failed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from trainer.log import log_event

GRACE_SECONDS = 15.0
"""Seconds from SIGTERM to SIGKILL. The rest of the job's own grace is for its checkpoints."""
POLL_SECONDS = 0.2
MAX_LOG_BYTES = 20_000_000
"""Output that reaches the log. A script that prints forever would otherwise fill it."""
MAX_LINE_BYTES = 16_384
LAST_LINES = 15
MAX_LAST_WORDS = 1500
"""Characters of the last lines in the reason of a failure."""

# The trainer blocks SIGTERM, because a thread of its own waits for it, and a child inherits that. A script must not.
_UNBLOCKED = (
    "import os, signal, sys; signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


class Script:
    """A script that runs, in a group of processes of its own."""

    def __init__(self, path: Path, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Start `python path arguments` in a folder."""
        self._name = path.name
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _UNBLOCKED, str(path), *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        assert self._process.stdout is not None
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._output = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._output.start()

    def wait(self, stopped: Callable[[], bool], every: Callable[[], None], seconds: float) -> int:
        """Wait for the end and return the exit code; negative for a signal.

        Args:
            stopped: Whether to stop the script: then it gets SIGTERM, and 15 seconds later SIGKILL.
            every: Called about every `seconds` while the script runs.
            seconds: See `every`.
        """
        kill_at: float | None = None
        next_call = time.monotonic() + seconds
        while self._process.poll() is None:
            if stopped() and kill_at is None:
                kill_at = time.monotonic() + GRACE_SECONDS
                self._signal(signal.SIGTERM)
            elif kill_at is not None and time.monotonic() >= kill_at:
                log_event("script.killed", seconds=GRACE_SECONDS)
                self._signal(signal.SIGKILL)
            elif kill_at is None and time.monotonic() >= next_call:
                every()
                next_call = time.monotonic() + seconds
            time.sleep(POLL_SECONDS)
        # What it has started ends with it, as in a container; it would hold the output open, too.
        self._signal(signal.SIGKILL)
        self._output.join(5)
        return self._process.returncode

    def failure(self, code: int) -> str:
        """Return why the script has failed: the exit code, and the last lines of its output."""
        words = "\n".join(line for line in self._last if line.strip())[-MAX_LAST_WORDS:]
        said = f"Its last lines:\n{words}" if words else "It has written nothing"
        return f"{self._name} {_end(code)}. {said}"

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # all of them have ended
            os.killpg(self._process.pid, number)

    def _read(self, output: IO[bytes]) -> None:
        written = 0
        for raw in iter(lambda: output.readline(MAX_LINE_BYTES), b""):
            line = raw.decode(errors="replace").rstrip("\r\n")
            self._last.append(line)
            if written <= MAX_LOG_BYTES:
                print(line, flush=True)
                written += len(raw)
                if written > MAX_LOG_BYTES:
                    log_event("script.output_cut", bytes=written, remedy="the script prints too much; print less")


def _end(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; most often the job needs more memory than it has: --memory" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"
