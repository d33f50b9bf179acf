"""Lambda's Runtime API for one process: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.

AWS's runtime client, `awslambdaric`, asks it for the next event and tells it the answer.
"""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from infra.local.settings import HOST

_PREFIX = "/2018-06-01/runtime"
_OUTCOME = re.compile(rf"{_PREFIX}/invocation/([^/]+)/(response|error)")


@dataclass
class Invocation:
    """One call. `headers` are those of the Runtime API; when `answered` is set, `answer` is there."""

    request_id: str
    headers: Mapping[str, str]
    payload: bytes
    answered: threading.Event = field(default_factory=threading.Event)
    answer: bytes = b""
    failed: bool = False


class RuntimeApi(ThreadingHTTPServer):
    """Serves one process on a port of its own.

    `ready` is set when the process has asked for its first event, or has said in `init_error` why it cannot start.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.ready = threading.Event()
        self.init_error: bytes | None = None
        self.current: Invocation | None = None
        self._next: queue.Queue[Invocation | None] = queue.Queue()
        threading.Thread(target=self.serve_forever, name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """What the process gets as AWS_LAMBDA_RUNTIME_API."""
        return f"{HOST}:{self.server_port}"

    def send(self, invocation: Invocation) -> None:
        """Let the process have an event; one at a time."""
        self.current = invocation
        self._next.put(invocation)

    def next(self) -> Invocation | None:
        """Wait for the next event; None when there will be none."""
        return self._next.get()

    def close(self) -> None:
        """Stop serving; a process that waits for an event loses its connection."""
        self._next.put(None)
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}/invocation/next":
            self._answer(404)
            return
        self.server.ready.set()
        invocation = self.server.next()
        if invocation is None:
            self.close_connection = True
            return
        self._answer(200, invocation.payload, invocation.headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == f"{_PREFIX}/init/error":
            self.server.init_error = body
            self.server.ready.set()
            self._answer(202)
            return
        match, current = _OUTCOME.fullmatch(self.path), self.server.current
        if match is None or current is None or match[1] != current.request_id:
            self._answer(400, json.dumps({"errorType": "InvalidRequestID"}).encode())
            return
        current.answer, current.failed = body, match[2] == "error"
        current.answered.set()
        self._answer(202)

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The functions' logs say enough."""
