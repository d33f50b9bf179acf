"""One HTTP request to the API: retries with jitter, and errors that say what to do."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError, SSLError, TimeoutError

from mlops_client._version import __version__
from mlops_client.errors import NotSignedIn, Unreachable, api_error

RETRIED = frozenset({429, 502, 503, 504})
LONGEST_PAUSE = 20.0


def path(*parts: str) -> str:
    """A path from its parts, each percent-encoded: names of models and experiments may hold anything."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def checked_url(url: str) -> str:
    """The API's address without a trailing slash.

    Raises NotSignedIn: it is no http:// or https:// address.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotSignedIn(f"{url!r} is no address of an API: wanted https://host/stage or http://localhost:8000")
    return url.strip().rstrip("/")


@dataclass
class Transport:
    """Requests to the API at `url` with `key`; `attempts` tries in all, `timeout` seconds for an answer."""

    url: str
    key: str | None
    attempts: int = 5
    timeout: float = 40.0
    sleep: Callable[[float], None] = time.sleep
    _pool: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.url = checked_url(self.url)
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=self.timeout), retries=False, maxsize=8
        )

    def call(
        self,
        method: str,
        route: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        safe: bool | None = None,
        answers: tuple[int, ...] = (),
    ) -> Any:
        """The answer's JSON; of the error statuses in `answers` too, when they are no problem document.

        What fails for a passing reason is tried again when that does no harm: `safe`, which is every GET and DELETE,
        and whatever carries an Idempotency-Key.

        Raises ApiError and its subclasses, Unreachable.
        """
        again = (method in ("GET", "DELETE") or idempotency_key is not None) if safe is None else safe
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        address = self.url + route + (f"?{urlencode(asked)}" if asked else "")
        headers = {"accept": "application/json", "user-agent": f"mlops-client/{__version__}"}
        if self.key:
            headers["x-api-key"] = self.key
        if idempotency_key:
            headers["idempotency-key"] = idempotency_key
        data = None
        if body is not None:
            data = json.dumps(body, allow_nan=False).encode()
            headers["content-type"] = "application/json"
        for attempt in range(1, self.attempts + 1):
            last = attempt == self.attempts
            try:
                answer = self._pool.request(method, address, body=data, headers=headers, redirect=False)
            except HTTPError as error:
                if last or not again or _is_certificate(error):
                    raise Unreachable(self._no_connection(error)) from error
                self.sleep(pause(attempt))
                continue
            # A throttled request was not begun, so even what must not happen twice may be sent again.
            if (
                answer.status in RETRIED
                and answer.status not in answers
                and not last
                and (again or answer.status == 429)
            ):
                self.sleep(pause(attempt, answer.headers.get("retry-after")))
                continue
            return self._read(answer, answers)
        raise AssertionError("unreachable")

    def _read(self, answer: Any, answers: tuple[int, ...]) -> Any:
        request_id = answer.headers.get("x-request-id") or answer.headers.get("x-amzn-requestid")
        kind = (answer.headers.get("content-type") or "").split(";")[0].strip().lower()
        if 300 <= answer.status < 400:
            to = answer.headers.get("location", "elsewhere")
            raise Unreachable(f"{self.url} sends on to {to}; sign in with the API's own address")
        if kind.startswith("text/") and answer.status < 400 and kind != "text/html":
            return answer.data.decode()
        try:
            found = json.loads(answer.data)
        except ValueError:
            what = "a web page" if kind == "text/html" else kind or "something without a type"
            raise Unreachable(
                f"{self.url} answered {answer.status} with {what}, not the API's JSON; is the address right, "
                "its stage (such as /v1) included?"
            ) from None
        if answer.status >= 400 and not (answer.status in answers and kind == "application/json"):
            # API Gateway's bare answers hold {"message": …} only.
            problem = found if isinstance(found, dict) else {}
            raise api_error(answer.status, {"detail": problem.get("message"), **problem}, request_id)
        return found

    def _no_connection(self, error: Exception) -> str:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if _is_certificate(error):
            reason = _certificate_reason(cause)
            return f"the certificate of {self.url} is not valid ({reason}); nothing was sent: {_remedy(reason)}"
        if isinstance(cause, SSLError | ssl.SSLError):
            return f"{self.url} does not speak TLS properly; is it http:// instead?"
        if isinstance(cause, NameResolutionError):
            return f"there is no host {urlsplit(self.url).hostname!r}; is the address right?"
        # A refused connection is one of urllib3's timeouts too, in name.
        if isinstance(cause, TimeoutError) and not isinstance(cause, NewConnectionError):
            return f"{self.url} did not answer in time; is the network up? `mlops doctor` looks closer"
        return f"nothing answers at {self.url}; is the platform up? (`make up` starts the local one)"


def pause(attempt: int, retry_after: str | None = None) -> float:
    """Seconds to wait after try number `attempt`: exponential with full jitter, and never before Retry-After."""
    jitter = random.uniform(0, min(LONGEST_PAUSE, 0.25 * 2**attempt))
    if retry_after and retry_after.isdigit():
        return min(LONGEST_PAUSE, float(retry_after)) + jitter
    return jitter


def _is_certificate(error: Exception) -> bool:
    return "certificate verify failed" in str(error).lower() or "certificateerror" in repr(error).lower()


def _certificate_reason(cause: Any) -> str:
    text = str(cause)
    found = text.split("certificate verify failed:", 1)
    return found[1].split("(_ssl")[0].strip() if len(found) > 1 else text.strip()


def _remedy(reason: str) -> str:
    """What to do about a certificate that OpenSSL found `reason` against."""
    if "expired" in reason or "not yet valid" in reason:
        return "check this machine's clock, and ask whoever runs the API to renew it"
    if "mismatch" in reason or "not valid for" in reason:
        return "is the address right?"
    return "is the address right? If your network opens TLS, name its authority's file in SSL_CERT_FILE"
