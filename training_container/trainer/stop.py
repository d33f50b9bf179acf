"""SIGTERM: Batch, Spot and `docker stop` send it 30 seconds before SIGKILL."""

import os
import signal
import threading

from trainer.log import say

GRACE_SECONDS = 25.0
EXIT_CODE = 143
"""128 + SIGTERM: the job definition retries this code, as what infrastructure did."""


class Stop:
    """Whether to stop. A thread waits for the signal, because the main one may be deep in a library's own code, where
    Python runs no handler; what has not ended after the grace period is ended with the last checkpoint standing."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()

    def listen(self) -> None:
        """Call once, on the main thread, before any other thread is started: they inherit the blocked signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=self._wait, name="SIGTERM", daemon=True).start()

    def _wait(self) -> None:
        signal.sigwait({signal.SIGTERM})
        say("trainer.sigterm", grace_seconds=GRACE_SECONDS)
        self.ask()
        threading.Event().wait(GRACE_SECONDS)
        say("trainer.grace_over")
        os._exit(EXIT_CODE)
