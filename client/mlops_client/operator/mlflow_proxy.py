"""A proxy to MLflow on this machine, which signs each request.

Every request to the port uses the operator's AWS credentials. So the server listens on 127.0.0.1 only, and refuses what
pages of other sites can send: another Host (DNS rebinding), another Origin (cross-site requests).
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urlsplit

import urllib3

from mlops_client.errors import MlopsError
from mlops_client.operator.signing import Signer
from mlops_client.transport import checked_url

HOST = "127.0.0.1"
# Headers of one connection, and those that the proxy sets itself.
DROPPED = frozenset(
    {"host", "connection", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}
    | {"origin", "referer", "content-length", "authorization", "accept-encoding", "cookie"}
)
DROPPED_IN_ANSWERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})
MAX_BODY = 10_000_000
BINARY_PATH = re.compile(r"/(get-artifact|artifacts)(/|$)|\.(png|gif|jpe?g|webp|svg|ico|woff2?|ttf|eot)$")
"""Paths of binary answers: artifacts, pictures and fonts."""


@contextmanager
def serving(target: str, signer: Signer | None, port: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve MLflow at `target` on `port`; 0 chooses a free one.

    Yields:
        The address, and a function that waits until Ctrl-C.

    Raises:
        MlopsError: The port is in use.
    """
    handler = type("Handler", (_Handler,), {"target": checked_url(target), "signer": staticmethod(signer or _unsigned)})
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise MlopsError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from None
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


def signable_query(query: str) -> str:
    """Return the query as AWS signs it: all characters except letters, digits and -_.~ are encoded."""
    return urlencode(parse_qsl(query, keep_blank_values=True), quote_via=quote, safe="-_.~")


def signable_path(path: str) -> str:
    """Return the path in the same form. A slash that was encoded stays part of its name."""
    return "/".join(quote(unquote_to_bytes(part), safe="-_.~") for part in path.split("/"))


def _unsigned(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    return dict(headers)


class _Handler(BaseHTTPRequestHandler):
    target: str
    signer: Signer
    protocol_version = "HTTP/1.1"
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=60), retries=False, maxsize=16)

    def _forward(self) -> None:
        if (refusal := self._refusal()) is not None:
            # The body is not read, so the connection cannot be used again.
            self.close_connection = True
            status, reason = refusal
            self._answer(status, {"content-type": "text/plain; charset=utf-8"}, reason.encode())
            return
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url, headers = self._url(), self._request_headers()
        try:
            signed = type(self).signer(self.command, url, body, headers)
            answer = self.pool.request(self.command, url, body=body or None, headers=signed, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            self._answer(502, {"content-type": "text/plain"}, f"MLflow does not answer: {error}".encode())
            return
        kept = {name.lower(): value for name, value in answer.headers.items()}
        if answer.status == 307 and not kept["location"].startswith(self.target):
            self._hand_on(kept["location"])
            return
        if "location" in kept and kept["location"].startswith(self.target):
            kept["location"] = kept["location"].removeprefix(self.target) or "/"
        self._answer(answer.status, kept, answer.data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward

    def _hand_on(self, address: str) -> None:
        """Answer with a file that MLflow sends its callers to S3 for: pages may not load it from another host."""
        try:
            file = self.pool.request("GET", address, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            self._answer(502, {"content-type": "text/plain"}, f"S3 does not answer: {error}".encode())
            return
        with file:
            if file.status != 200:
                self._answer(502, {"content-type": "text/plain"}, f"S3 answered {file.status}".encode())
                return
            self.send_response(200)
            for name in ("content-type", "content-length", "content-disposition"):
                self.send_header(name, file.headers[name])
            self.end_headers()
            shutil.copyfileobj(file, self.wfile)

    def _url(self) -> str:
        parts = urlsplit(self.path)
        query = f"?{signable_query(parts.query)}" if parts.query else ""
        return self.target + signable_path(parts.path) + query

    def _request_headers(self) -> dict[str, str]:
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in DROPPED}
        headers["host"] = urlsplit(self.target).netloc
        if BINARY_PATH.search(urlsplit(self.path).path):
            # API Gateway returns base64 text unless the first type in Accept is one of the API's binary types.
            headers["accept"] = "application/octet-stream"
        return headers

    def _refusal(self) -> tuple[int, str] | None:
        """Return the status and the reason if the request is refused."""
        port = self.server.server_port  # type: ignore[attr-defined]
        own = {f"{HOST}:{port}", f"localhost:{port}"}
        if self.headers.get("host") not in own:
            return 403, "this proxy accepts requests to its own address only"
        origin = self.headers.get("origin")
        if origin and origin not in {f"http://{name}" for name in own}:
            return 403, "requests from other sites are refused"
        if self.headers.get("sec-fetch-site") in ("cross-site", "same-site") and self.command != "GET":
            return 403, "requests from other sites are refused"
        length = self.headers.get("content-length") or "0"
        if not re.fullmatch(r"[0-9]+", length):
            return 400, "the header Content-Length is not a number"
        if "transfer-encoding" in self.headers or int(length) > MAX_BODY:
            return 413, "the body is too large, or its length is unknown"
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
        """Print no log in the operator's terminal."""
