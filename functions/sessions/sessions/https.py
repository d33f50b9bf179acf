"""Read small documents of the issuer: over https, without redirects, within limits of time and size."""

import json
import time
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

SECONDS = 3.0
"""For the connection, and for each part of an answer."""
WHOLE_SECONDS = 6.0
MAX_BYTES = 512 * 1024

_pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=SECONDS, read=SECONDS), retries=False)


class Unreadable(Exception):
    """The document cannot be read. The text says why."""


def read_json(url: str) -> dict[str, Any]:
    """Return the JSON object at an address.

    Raises:
        Unreadable: The address is not https://, does not answer in time, redirects, or answers with something else.
    """
    if not url.startswith("https://"):
        raise Unreadable(f"{url} is not an https:// address")
    ends = time.monotonic() + WHOLE_SECONDS
    try:
        answer = _pool.request(
            "GET", url, headers={"accept": "application/json"}, redirect=False, preload_content=False
        )
        try:
            body = _body(url, answer, ends)
        finally:
            answer.close()
        found = json.loads(body)
    except (HTTPError, OSError) as error:
        raise Unreadable(f"{url} does not answer: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{url} does not answer with JSON") from error
    if not isinstance(found, dict):
        raise Unreadable(f"{url} answers with JSON that is not an object")
    return found


def _body(url: str, answer: urllib3.BaseHTTPResponse, ends: float) -> bytes:
    if answer.status != 200:
        raise Unreadable(f"{url} answers with the status {answer.status}")
    body = b""
    for part in answer.stream(16 * 1024):
        body += part
        if len(body) > MAX_BYTES:
            raise Unreadable(f"{url} answers with more than {MAX_BYTES} bytes")
        if time.monotonic() > ends:
            raise Unreadable(f"{url} has not answered within {WHOLE_SECONDS:g} s")
    return body
