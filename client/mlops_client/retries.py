"""Which requests are sent again, and when: urllib3's Retry with the rules of the API's idempotency."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool

THROTTLED = 429
RETRIED_STATUSES = frozenset({THROTTLED, 502, 503, 504})
RETRIED_METHODS = frozenset({"GET", "DELETE"})
MAX_PAUSE = 20.0
BACKOFF = 0.5


class ApiRetry(Retry):
    """Up to `attempts` requests, with pauses between them.

    Differences from Retry:

    * Each pause is random, from 0 to the exponential limit ("full jitter"), so that clients that failed together do not
      retry together. Retry does not wait after the first failure, and then all clients wait equally long.
    * A throttled request (429) is always sent again: it was not started, so it cannot be carried out twice.
    * An invalid certificate ends the retries, and a Retry-After that cannot be read is ignored.
    """

    @classmethod
    def of(cls, attempts: int, repeatable: bool, method: str, answers: tuple[int, ...] = ()) -> ApiRetry:
        """Return the rule for one request.

        Args:
            attempts: How many times it is sent at most.
            repeatable: Whether it can be sent again whatever the method, as with an Idempotency-Key.
            method: GET, POST or DELETE.
            answers: Error statuses that are final for this request.
        """
        again = repeatable or method in RETRIED_METHODS
        failures = None if again else 0
        return cls(
            total=attempts - 1,
            connect=failures,
            read=failures,
            other=failures,
            redirect=False,
            allowed_methods=None if again else RETRIED_METHODS,
            status_forcelist=RETRIED_STATUSES - set(answers),
            backoff_factor=BACKOFF,
            backoff_max=MAX_PAUSE,
            retry_after_max=int(MAX_PAUSE),
            raise_on_status=False,
        )

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Return whether a request with this answer is sent again."""
        allowed = self.allowed_methods is None or method in self.allowed_methods
        return status_code in (self.status_forcelist or ()) and (allowed or status_code == THROTTLED)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Return the rule for the next request. Raises the error if there is none, or if the certificate is invalid."""
        if error is not None and is_certificate_error(error):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return the seconds that the server asks to wait, if they can be read."""
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def get_backoff_time(self) -> float:
        """Return a random pause from 0 to the exponential limit."""
        return random.uniform(0, min(self.backoff_max, self.backoff_factor * 2 ** (len(self.history) - 1)))

    def sleep_for_retry(self, response: BaseHTTPResponse) -> bool:
        """Wait as long as the server asks. The backoff follows, so that not all clients retry at once."""
        super().sleep_for_retry(response)
        return False


def is_certificate_error(error: HTTPError | Exception) -> bool:
    """Return whether the server's certificate is invalid."""
    return "certificate verify failed" in str(error).lower() or "certificateerror" in repr(error).lower()


def reason_of(error: Exception) -> Any:
    """Return the cause of urllib3's MaxRetryError."""
    return getattr(error, "reason", None) or error
