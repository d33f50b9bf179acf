"""HTTP requests to the API: headers, retries, and errors that say what to do."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError, TimeoutError

from mlops_client.errors import BadInput, NotSignedIn, Unreachable, api_error
from mlops_client.retries import ApiRetry, is_certificate_error, reason_of
from mlops_client.version import __version__

Signer = Callable[[str, str, bytes, Mapping[str, str]], dict[str, str]]
"""Method, URL, body and headers → the headers to send, signed."""


def path(*parts: str) -> str:
    """Return a path from percent-encoded parts: names of models and experiments may have any characters."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def checked_url(url: str) -> str:
    """Return the API's address without a trailing slash.

    Raises:
        NotSignedIn: It is not an http:// or https:// address.
    """
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise NotSignedIn(f"{url!r} is not the address of an API: expected https://host/stage or http://127.0.0.1:8000")
    return url.strip().rstrip("/")


@dataclass
class Transport:
    """Sends requests to the API.

    Args:
        url: The API's address.
        key: The API key; None sends no key.
        attempts: How many times a request is sent at most.
        timeout: How many seconds to wait for an answer at most.
    """

    url: str
    key: str | None
    attempts: int = 5
    timeout: float = 40.0
    _pool: urllib3.PoolManager = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.url = checked_url(self.url)
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=self.timeout), maxsize=8)

    def call(
        self,
        method: str,
        route: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        safe: bool = False,
        answers: tuple[int, ...] = (),
        sign: Signer | None = None,
    ) -> Any:
        """Send a request and return the answer's JSON.

        A request that fails for a temporary reason is sent again if it cannot be carried out twice: GET and DELETE,
        requests with an Idempotency-Key, and `safe` requests.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            route: The path below the API's address.
            body: Sent as JSON.
            query: Parameters; those that are None are left out.
            idempotency_key: With it the API carries out a repeated request only once.
            safe: Whether the request changes nothing, whatever its method.
            answers: Error statuses whose body is returned, unless it is a problem document.
            sign: Adds a signature to the headers.

        Raises:
            ApiError: The API refused the request; a subclass says why.
            BadInput: The body cannot be sent as JSON.
            Unreachable: The API does not answer.
        """
        parameters = {name: value for name, value in (query or {}).items() if value is not None}
        address = self.url + route + (f"?{urlencode(parameters)}" if parameters else "")
        headers = {"accept": "application/json", "user-agent": f"mlops-client/{__version__}"}
        if self.key:
            headers["x-api-key"] = self.key
        if idempotency_key:
            headers["idempotency-key"] = idempotency_key
        data = None
        if body is not None:
            data = _json(body)
            headers["content-type"] = "application/json"
        if sign is not None:
            headers = sign(method, address, data or b"", headers)
        repeatable = safe or idempotency_key is not None
        retries = ApiRetry.of(self.attempts, repeatable, method, answers)
        try:
            answer = self._pool.request(method, address, body=data, headers=headers, redirect=False, retries=retries)
        except HTTPError as error:
            raise Unreachable(self._no_connection(error)) from error
        return self._read(answer, answers)

    def upload(self, url: str, content: bytes | BinaryIO, headers: Mapping[str, str]) -> None:
        """Send bytes or a file to an address that the API has named, which is not the API's own: so without the key.

        Raises:
            Unreachable: The address does not answer, or does not take the bytes.
        """
        host = urlsplit(url).hostname
        # A repeated upload replaces the same bytes.
        retries = urllib3.Retry(self.attempts, allowed_methods=None, status_forcelist=(500, 502, 503, 504))
        try:
            answer = self._pool.request("PUT", url, body=content, headers=dict(headers), retries=retries)
        except HTTPError as error:
            raise Unreachable(f"the upload to {host} failed: {reason_of(error)}; try again") from error
        if answer.status >= 300:
            raise Unreachable(
                f"{host} refused the upload ({answer.status}): {answer.data[:300].decode(errors='replace')}; try again"
            )

    def download(self, url: str) -> bytes:
        """Return what an address serves that the API has named, which is not the API's own: so without the key.

        Raises:
            Unreachable: The address does not answer, or refuses.
        """
        host = urlsplit(url).hostname
        retries = urllib3.Retry(self.attempts, status_forcelist=(500, 502, 503, 504))
        try:
            answer = self._pool.request("GET", url, retries=retries)
        except HTTPError as error:
            raise Unreachable(f"the download from {host} failed: {reason_of(error)}; try again") from error
        if answer.status >= 300:
            raise Unreachable(f"{host} refused the download ({answer.status}); try again")
        return answer.data

    def _read(self, answer: urllib3.BaseHTTPResponse, answers: tuple[int, ...]) -> Any:
        request_id = answer.headers.get("x-request-id") or answer.headers.get("x-amzn-requestid")
        kind = (answer.headers.get("content-type") or "").split(";")[0].strip().lower()
        if 300 <= answer.status < 400:
            target = answer.headers.get("location", "another address")
            raise Unreachable(f"{self.url} redirects to {target}; sign in with the address of the API itself")
        if kind.startswith("text/") and answer.status < 400 and kind != "text/html":
            return answer.data.decode()
        try:
            content = json.loads(answer.data)
        except ValueError:
            what = "a web page" if kind == "text/html" else kind or "content without a type"
            raise Unreachable(
                f"{self.url} answered {answer.status} with {what}, not the API's JSON; check the address, "
                "including its stage (such as /v1)"
            ) from None
        if answer.status >= 400 and not (answer.status in answers and kind == "application/json"):
            # Answers of API Gateway itself have {"message": …} only.
            problem = content if isinstance(content, dict) else {}
            raise api_error(answer.status, {"detail": problem.get("message"), **problem}, request_id)
        return content

    def _no_connection(self, error: Exception) -> str:
        cause = reason_of(error)
        if is_certificate_error(error):
            reason = _certificate_reason(cause)
            return f"the certificate of {self.url} is not valid ({reason}); nothing was sent: {_remedy(reason)}"
        if isinstance(cause, SSLError | ssl.SSLError):
            return f"{self.url} does not answer with TLS; try http:// instead"
        if isinstance(cause, NameResolutionError):
            return f"there is no host {urlsplit(self.url).hostname!r}; check the address"
        # urllib3 counts a refused connection among the timeouts.
        if isinstance(cause, TimeoutError) and not isinstance(cause, NewConnectionError):
            return f"{self.url} did not answer in time; check the network, and run `mlops doctor`"
        return f"nothing answers at {self.url}; check the address (`make up` starts the local stack)"


def _json(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        raise BadInput("NaN and infinity cannot be sent; every number must be finite") from None


def _certificate_reason(cause: Any) -> str:
    text = str(cause)
    parts = text.split("certificate verify failed:", 1)
    return parts[1].split("(_ssl")[0].strip() if len(parts) > 1 else text.strip()


def _remedy(reason: str) -> str:
    """Return what to do about a certificate that OpenSSL refuses for `reason`."""
    if "expired" in reason or "not yet valid" in reason:
        return "check this machine's clock, and ask the API's operator to renew the certificate"
    if "mismatch" in reason or "not valid for" in reason:
        return "check the address"
    return "check the address. If your network inspects TLS, set SSL_CERT_FILE to its CA file"
