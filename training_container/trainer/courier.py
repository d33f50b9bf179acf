"""Delivery in the background: training does not wait for a service, and outlives one that is away for a while.

Each address has a courier of its own, so that one's outage does not hold up another's deliveries. Deliveries are made
in order; a failed one is tried again with growing pauses, until the courier's patience is at its end or the service
refuses for good.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from trainer.errors import TrainingError, Unreachable
from trainer.log import say

T = TypeVar("T")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
RETRIED_STATUSES = (408, 409, 425, 429)
MEETINGS = ("UniqueViolation", "UNIQUE constraint failed")
THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
)


def refused_for_good(error: BaseException) -> bool:
    """Whether trying again is useless: a 4xx, or a defect of ours. Told by shape: no client is imported here."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's ClientError
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        throttled = response.get("Error", {}).get("Code") in THROTTLED
        return 400 <= status < 500 and status not in RETRIED_STATUSES and not throttled
    if status_of := getattr(error, "get_http_status_code", None):  # MLflow's MlflowException
        status = status_of()
        return 400 <= status < 500 and status not in RETRIED_STATUSES and not _met_another_writer(error)
    return isinstance(
        error, TypeError | AttributeError | NameError | KeyError | IndexError | AssertionError | ImportError
    )


def _met_another_writer(error: BaseException) -> bool:
    """Two runs that log the same new data set at once meet in MLflow, which answers the second one 400 with the
    database's complaint; tried again, it finds the row that is there now."""
    return any(complaint in str(error) for complaint in MEETINGS)


def _said(error: BaseException) -> str:
    """What may be passed on of an error: MLflow's own text can carry SQL, which stays in the log."""
    code = getattr(error, "error_code", None)
    return f"{type(error).__name__}: {code or (str(error).splitlines() or [''])[0]}"


def insist(
    address: str,
    action: Callable[[], T],
    patience: float,
    pause: Callable[[float], object] = time.sleep,
    deadline: Callable[[], float] = lambda: math.inf,
) -> T:
    """Do `action`, again and again with growing pauses, for up to `patience` seconds.

    Raises:
        Unreachable: the patience or the deadline (monotonic time) is over, or the service refuses for good.
        TrainingError: as `action` raised it.
    """
    began, wait = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return action()
        except TrainingError:
            raise
        except Exception as error:  # whatever a client raises; refused_for_good tells the kinds apart
            reason = _said(error)
            if refused_for_good(error):
                say("delivery.refused", address=address, reason=str(error)[:2000])
                raise Unreachable(address, f"refused ({reason})") from error
            now = time.monotonic()
            if now + wait > min(began + patience, deadline()):
                say("delivery.given_up", address=address, reason=reason, seconds=round(now - began, 1))
                raise Unreachable(address, f"no answer for {now - began:.0f} s ({reason})") from error
            say("delivery.retry", address=address, reason=reason, seconds=wait)
            # Jitter, so that the children of a sweep do not come back all at once.
            pause(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_PAUSE)


class Courier:
    """Delivers to `address`, in order, on a thread of its own.

    A delivery given a `latest` key takes the place of an undelivered one of the same key: of checkpoints and progress
    only the newest matters.
    """

    def __init__(self, address: str, patience: float) -> None:
        self.address = address
        self._patience = patience
        self._waiting: deque[tuple[str | None, Callable[[], Any]]] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._failure: TrainingError | None = None
        self._deadline = math.inf
        self._thread: threading.Thread | None = None
        self._closed = False

    def send(self, delivery: Callable[[], Any], latest: str | None = None) -> None:
        """Queue `delivery`. Raises Unreachable if this courier has given up before."""
        with self._changed:
            if self._failure:
                raise self._failure
            if latest is not None:
                self._waiting = deque(item for item in self._waiting if item[0] != latest)
            self._waiting.append((latest, delivery))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"courier {self.address}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, within: float | None = None) -> None:
        """Wait until all is delivered, for at most `within` seconds.

        Raises:
            Unreachable: the courier gave up, or the time is over.
        """
        with self._changed:
            if within is not None:
                self._deadline = time.monotonic() + within
                self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._failure or not (self._waiting or self._busy), within)
            if self._failure:
                raise self._failure
            if not done:
                raise Unreachable(self.address, f"did not take everything within {within:g} s")

    def close(self) -> None:
        """Let the thread end when nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                _, delivery = self._waiting.popleft()
                self._busy = True
            failure = None
            try:
                insist(self.address, delivery, self._patience, self._pause, lambda: self._deadline)
            except TrainingError as error:
                failure = error
            with self._changed:
                self._busy = False
                if failure:
                    self._failure = failure
                    self._waiting.clear()
                self._changed.notify_all()
            if failure:
                return

    def _pause(self, seconds: float) -> None:
        """Sleep, but no longer than to the deadline that a `flush` may set meanwhile."""
        until = time.monotonic() + seconds
        with self._changed:
            while (left := min(until, self._deadline) - time.monotonic()) > 0:
                self._changed.wait(left)
