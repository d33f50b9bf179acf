"""Check that a deployment works, on AWS or on the local stack: `make smoke URL=… KEY=…`.

It uses the standard library only and changes nothing: it reads, and it asks for a prediction. The key may have any role
but `predict`. Its value comes from the variable MLOPS_API_KEY, so that no list of processes shows it.

It also checks errors of API Gateway itself. An emulator that ignores gateway responses, such as LocalStack Community,
fails at the first of them.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

KEY_SECONDS = 300.0
"""It can take minutes until API Gateway accepts a new key."""
READY_SECONDS = 120.0
"""The first request starts the tracking server."""


class SmokeFailed(Exception):
    """The deployment does not answer as it should; the message has the request and the answer."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Smoke:
    """Runs the checks, and prints a line for each."""

    def __init__(self, url: str, key: str, say: Callable[[str], None] = print, pause: float = 5.0) -> None:
        self._url, self._key, self._say, self._pause = url.rstrip("/"), key, say, pause

    def run(self) -> None:
        """Run all checks. Raises SmokeFailed at the first one that fails."""
        self._expect("GET", "/health", 200, lambda body: body["status"] == "ok", key=False)
        self._expect("GET", "/openapi.json", 200, lambda body: "/predict" in body["paths"], key=False)
        self._expect("GET", "/models", 403, _is_problem("forbidden"), key=False)
        self._expect("GET", "/no-such-route", 404, _is_problem("not_found"))
        self._until("GET", "/models", 200, KEY_SECONDS, "the key is not known yet")
        self._until("GET", "/ready", 200, READY_SECONDS, "not everything is ready yet")
        for path in ("/experiments", "/train/jobs", "/models"):
            self._expect("GET", path, 200, lambda body: isinstance(body["total_count"], int))
        self._expect("GET", "/model-types", 200, lambda body: bool(body["model_types"]))
        self._expect("GET", "/drift/status", (200, 404, 409), lambda body: bool(body))
        answered = self._expect("POST", "/predict", (200, 409), lambda body: bool(body), body={"image": [0.0] * 784})
        if answered.status == 409:
            self._say("  no version is in Production yet: train one and promote it")
        else:
            self._expect("POST", "/predict", 422, lambda body: "scale" in body["detail"], body={"image": [2.0] * 784})

    def _expect(
        self,
        method: str,
        path: str,
        status: int | tuple[int, ...],
        holds: Callable[[Any], bool],
        body: Any = None,
        key: bool = True,
    ) -> Answer:
        answer = self._ask(method, path, body, key)
        wanted = status if isinstance(status, tuple) else (status,)
        try:
            right = answer.status in wanted and holds(answer.json())
        except (KeyError, TypeError):
            right = False
        if not right:
            raise SmokeFailed(f"{method} {path} answered {answer.status}: {answer.text[:300]}")
        if answer.headers.get("x-content-type-options") != "nosniff":
            raise SmokeFailed(f"{method} {path} came without the header x-content-type-options")
        self._say(f"✔ {method:6} {path}  {answer.status}")
        return answer

    def _until(self, method: str, path: str, status: int, seconds: float, meanwhile: str) -> None:
        deadline = time.monotonic() + seconds
        while (answer := self._ask(method, path, None, True)).status != status:
            if time.monotonic() > deadline:
                raise SmokeFailed(f"{method} {path} still answers {answer.status}: {answer.text[:300]}")
            self._say(f"  {meanwhile} ({answer.status})")
            time.sleep(self._pause)
        self._say(f"✔ {method:6} {path}  {answer.status}")

    def _ask(self, method: str, path: str, body: Any, key: bool) -> Answer:
        headers = {"content-type": "application/json", **({"x-api-key": self._key} if key else {})}
        data = json.dumps(body).encode() if body is not None else None
        try:
            with urlopen(Request(self._url + path, data, headers, method=method), timeout=35) as response:
                return _answer(response)
        except HTTPError as error:
            return _answer(error)
        except (URLError, OSError) as error:
            raise SmokeFailed(f"{self._url} does not answer: {getattr(error, 'reason', error)}") from error


def _answer(response: Any) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.read().decode(errors="replace"))


def _is_problem(code: str) -> Callable[[Any], bool]:
    return lambda body: body["code"] == code


def main() -> int:
    key = os.environ.get("MLOPS_API_KEY", "")
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "https://")) or not key:
        print("make smoke URL=https://… KEY=…: both are needed", file=sys.stderr)
        return 2
    try:
        Smoke(sys.argv[1], key).run()
    except SmokeFailed as failure:
        print(f"✘ {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
