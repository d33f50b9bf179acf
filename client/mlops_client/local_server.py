"""A server on this machine, for this machine alone."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlops_client.errors import MlopsError

HOST = "127.0.0.1"


def local_server(handler: type[BaseHTTPRequestHandler], port: int) -> ThreadingHTTPServer:
    """Listens on 127.0.0.1, not serving yet; port 0 takes a free one. Raises MlopsError: the port is taken."""
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise MlopsError(f"port {port} cannot be had ({error.strerror}); choose another: --port") from None
