"""Wait for what other threads and processes do."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from urllib.request import urlopen

T = TypeVar("T")


def eventually(condition: Callable[[], T], seconds: float = 120.0, pause: float = 0.05) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause)
    return answer


def wait_for_server(process: subprocess.Popen[bytes], url: str, seconds: float) -> None:
    """Wait until a server that was just started answers."""

    def answers() -> bool:
        assert process.poll() is None, "the server has ended"
        with suppress(OSError), urlopen(url, timeout=5):
            return True
        return False

    eventually(answers, seconds, pause=0.1)
