"""SIGTERM: Batch, Spot and `docker stop` send it 30 seconds before SIGKILL."""

import os
import signal
import threading

from trainer.log import log_event

GRACE_SECONDS = 25.0
EXIT_CODE = 143
"""128 + SIGTERM: the job definition tries a job that ended with this code again, as infrastructure ended it."""


class Stop:
    """Whether to stop.

    A thread waits for the signal, because the main one may be deep in a library's own code, where Python runs no
    handler. A process that has not ended after the grace period is ended; its last checkpoint stays.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()

    def requested(self) -> bool:
        """Whether SIGTERM has arrived."""
        return self._requested.is_set()

    def request(self) -> None:
        """Stop as if SIGTERM had arrived."""
        self._requested.set()

    def listen(self) -> None:
        """Call once, on the main thread, before any other thread is started: they inherit the blocked signal."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=self._wait, name="SIGTERM", daemon=True).start()

    def _wait(self) -> None:
        signal.sigwait({signal.SIGTERM})
        log_event("trainer.sigterm", grace_seconds=GRACE_SECONDS)
        self.request()
        threading.Event().wait(GRACE_SECONDS)
        log_event("trainer.grace_over")
        os._exit(EXIT_CODE)
