"""Deliver to services in the background, so that training does not wait for them, and survives short outages.

Each address has its own sender, so that an outage of one does not delay others. Deliveries are made in order. A failed
one is tried again with growing pauses, until the longest wait is over or the service refuses it.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from trainer.errors import TrainingError, Unreachable
from trainer.log import log_event

T = TypeVar("T")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
RETRIED_STATUSES = (408, 409, 425, 429)
CONFLICTS = ("UniqueViolation", "UNIQUE constraint failed")
THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
)
MLFLOW_PLAIN_CODES = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
"""Errors of MLflow's checks, whose text is about the request. The text of other errors can contain SQL."""
REASON_LENGTH = 500


def refused_for_good(error: BaseException) -> bool:
    """Return whether another try is useless, such as after a 4xx. It imports no client for this."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's ClientError
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        throttled = response.get("Error", {}).get("Code") in THROTTLED
        return 400 <= status < 500 and status not in RETRIED_STATUSES and not throttled
    if status_of := getattr(error, "get_http_status_code", None):  # MLflow's MlflowException
        status = status_of()
        return 400 <= status < 500 and status not in RETRIED_STATUSES and not _met_another_writer(error)
    return isinstance(
        error,
        TypeError | AttributeError | NameError | LookupError | ArithmeticError | AssertionError | ImportError,
    )


def _met_another_writer(error: BaseException) -> bool:
    """Return whether another run wrote the same new row at the same time.

    Two runs that log the same new data set at once meet in MLflow, which answers the second one 400 with the
    database's complaint. The second try sees the row that is there now.
    """
    return any(complaint in str(error) for complaint in CONFLICTS)


def _reason(error: BaseException) -> str:
    """Return the text of an error for users. MLflow's text can contain SQL, which only the log may have."""
    code = getattr(error, "error_code", None)
    line = (str(error).splitlines() or [""])[0][:REASON_LENGTH]
    if code and code not in MLFLOW_PLAIN_CODES:
        line = code
    return f"{type(error).__name__}: {line}"


def retry(
    address: str,
    action: Callable[[], T],
    max_wait: float,
    pause: Callable[[float], object] = time.sleep,
    deadline: Callable[[], float] = lambda: math.inf,
) -> T:
    """Try an action until it succeeds, with growing pauses.

    Args:
        address: The service, for the log and the error.
        action: What to do. After any error except a TrainingError it is tried again.
        max_wait: Seconds to try.
        pause: Sleeps for a number of seconds.
        deadline: The monotonic time at which to end even so; asked after each failure.

    Returns:
        What `action` returned.

    Raises:
        Unreachable: the time is over, or the service refuses for good.
        TrainingError: as `action` raised it.
    """
    start, wait = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return action()
        except TrainingError:
            raise
        except Exception as error:  # whatever a client raises; refused_for_good decides by its kind
            reason = _reason(error)
            if refused_for_good(error):
                log_event("delivery.refused", address=address, reason=str(error)[:2000])
                raise Unreachable(address, f"refused ({reason})") from error
            now = time.monotonic()
            if now + wait > min(start + max_wait, deadline()):
                log_event("delivery.given_up", address=address, reason=reason, seconds=round(now - start, 1))
                raise Unreachable(address, f"no answer for {now - start:.0f} s ({reason})") from error
            log_event("delivery.retry", address=address, reason=reason, seconds=wait)
            # Jitter, so that the children of a sweep do not come back all at once.
            pause(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, LONGEST_PAUSE)


class BackgroundSender:
    """Delivers to `address`, in order, on a thread of its own; each delivery is tried for up to `max_wait` seconds.

    A delivery with a `latest` key takes the place of an undelivered one of the same key: of checkpoints and progress
    only the newest matters.
    """

    def __init__(self, address: str, max_wait: float) -> None:
        self.address = address
        self._max_wait = max_wait
        self._waiting: deque[tuple[str | None, Callable[[], object]]] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._failure: TrainingError | None = None
        self._deadline = math.inf
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def failure(self) -> TrainingError | None:
        """Why this sender has given up; None if it has not."""
        return self._failure

    def send(self, delivery: Callable[[], object], latest: str | None = None) -> None:
        """Queue a delivery.

        Raises:
            TrainingError: This sender has given up before, for this reason.
        """
        with self._changed:
            if self._failure:
                raise self._failure
            if latest is not None:
                self._waiting = deque(item for item in self._waiting if item[0] != latest)
            self._waiting.append((latest, delivery))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"sender {self.address}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is delivered or the sender has given up, for at most `seconds`; return whether this is so."""
        with self._changed:
            return bool(self._changed.wait_for(self._at_rest, seconds))

    def flush(self, within: float | None = None) -> None:
        """Wait until all is delivered, for at most `within` seconds; after that no delivery is tried again.

        Raises:
            TrainingError: the sender gave up, for this reason.
            Unreachable: the time is over.
        """
        with self._changed:
            if within is not None:
                self._deadline = time.monotonic() + within
                self._changed.notify_all()
            done = self._changed.wait_for(self._at_rest, within)
            if self._failure:
                raise self._failure
            if not done:
                raise Unreachable(self.address, f"did not take everything within {within:g} s")

    def close(self) -> None:
        """End the thread when nothing is left to deliver."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _at_rest(self) -> bool:
        return bool(self._failure) or not (self._waiting or self._busy)

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
                retry(self.address, delivery, self._max_wait, self._pause, lambda: self._deadline)
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
