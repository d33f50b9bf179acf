"""MLflow on a port of this machine: each request is signed here and sent on.

Whoever can reach the port acts with the caller's AWS credentials, so it binds 127.0.0.1 alone and turns away what a web
page elsewhere could send: another Host (DNS rebinding), another Origin (cross-site requests).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3

from mlops_client.aws import Signer
from mlops_client.local_server import HOST, local_server
from mlops_client.transport import checked_url

# Headers of one connection, and those that are set anew towards the server.
DROPPED = frozenset(
    {"host", "connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}
    | {"origin", "referer", "content-length", "authorization", "accept-encoding", "cookie"}
)
DROPPED_IN_ANSWERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})
LARGEST_BODY = 10_000_000


@contextmanager
def serving(target: str, signer: Signer | None, port: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve MLflow at `target` on `port`; gives the address, and what waits until Ctrl-C.

    Raises MlopsError: the port is taken.
    """
    handler = type("Handler", (_Handler,), {"target": checked_url(target), "signer": staticmethod(signer or _unsigned)})
    server = local_server(handler, port)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def wait() -> None:
        try:
            while thread.is_alive():
                thread.join(1)
        except KeyboardInterrupt:
            return

    try:
        yield f"http://{HOST}:{server.server_port}", wait
    finally:
        server.shutdown()
        server.server_close()


def _unsigned(method: str, url: str, body: bytes, headers: Any) -> dict[str, str]:
    return dict(headers)


class _Handler(BaseHTTPRequestHandler):
    target: str
    signer: Signer
    protocol_version = "HTTP/1.1"
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60), retries=False, maxsize=16)

    def _pass_on(self) -> None:
        refused = self._refused()
        if refused:
            # Its body is not read, so nothing more may come on this connection.
            self.close_connection = True
            self._answer(403, {"content-type": "text/plain; charset=utf-8"}, refused.encode())
            return
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_BODY or "transfer-encoding" in self.headers:
            self.close_connection = True
            self._answer(413, {"content-type": "text/plain"}, b"the body is too large, or of unknown length")
            return
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        # AWS signs the query as it is sent: anything not yet encoded is encoded first.
        query = f"?{quote(parts.query, safe='=&%/:+,;@!$*()~.-_')}" if parts.query else ""
        url = self.target + quote(parts.path, safe="/%:@!$&'()*+,;=~.-_") + query
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in DROPPED}
        headers["host"] = urlsplit(self.target).netloc
        try:
            sent = type(self).signer(self.command, url, body, headers)
            answer = self.pool.request(self.command, url, body=body or None, headers=sent, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            self._answer(502, {"content-type": "text/plain"}, f"MLflow does not answer: {error}".encode())
            return
        kept = {name.lower(): value for name, value in answer.headers.items()}
        if "location" in kept and kept["location"].startswith(self.target):
            kept["location"] = kept["location"].removeprefix(self.target) or "/"
        self._answer(answer.status, kept, answer.data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def _refused(self) -> str | None:
        port = self.server.server_port  # type: ignore[attr-defined]
        own = {f"{HOST}:{port}", f"localhost:{port}"}
        if self.headers.get("host") not in own:
            return "this proxy answers to its own address alone"
        origin = self.headers.get("origin")
        if origin and origin not in {f"http://{name}" for name in own}:
            return "requests from other sites are turned away"
        if self.headers.get("sec-fetch-site") in ("cross-site", "same-site") and self.command != "GET":
            return "requests from other sites are turned away"
        return None

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name not in DROPPED_IN_ANSWERS:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet: the terminal belongs to the person."""
