"""The HTTP API as the demo and the tests call it: JSON in, JSON out, the key in a header."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3


class ApiError(Exception):
    """An answer that is an error; `problem` is its RFC 9457 document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail', problem)}")
        self.status, self.problem = status, problem


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Api:
    """Client of the API at `url` with `key`; `key=None` sends none."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url, self.key = url.rstrip("/"), key
        self._headers = {"x-api-key": key} if key else {}
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=40), retries=False, maxsize=32)

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request, whatever the answer; `body` is JSON unless it is bytes already."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **self._headers, **(headers or {})}
        answer = self._pool.request(method, self.url + path, body=data, headers=sent)
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def get(self, path: str) -> Any:
        """Raises ApiError."""
        return self._wanted(self.send("GET", path))

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Raises ApiError."""
        return self._wanted(self.send("POST", path, {} if body is None else body, headers))

    def wait(
        self, path: str, until: Callable[[Any], bool], seconds: float = 600, seen: Callable[[Any], None] | None = None
    ) -> Any:
        """Ask for `path` until what it answers is as wanted; `seen` is shown each answer.

        Raises TimeoutError with the last answer, and ApiError.
        """
        deadline = time.monotonic() + seconds
        while True:
            answer = self.get(path)
            if seen:
                seen(answer)
            if until(answer):
                return answer
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path} still answers {json.dumps(answer)[:500]} after {seconds:.0f} s")
            time.sleep(0.3)

    @staticmethod
    def _wanted(answer: Answer) -> Any:
        if answer.status >= 400:
            raise ApiError(answer.status, answer.json)
        return answer.json
