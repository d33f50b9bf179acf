"""A proxy on this machine that adds the API key to Prometheus' scrapes: Prometheus before 2.55 cannot send headers.

Only `/metrics` is passed on, and only 127.0.0.1 is listened on, so that nobody else reads with our key.
"""

import contextlib
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlops_client.local_server import HOST, local_server
from mlops_client.transport import checked_url

SECONDS = 30.0


def make_server(url: str, key: str, port: int) -> ThreadingHTTPServer:
    """The server of `http://127.0.0.1:<port>/metrics`, not serving yet; port 0 takes a free one.

    Raises NotSignedIn: `url` is not an http:// or https:// address. Raises MlopsError: the port is taken.
    """
    metrics_url = f"{checked_url(url)}/metrics"

    class Handler(BaseHTTPRequestHandler):
        """Answers one scrape with what the API answers to it."""

        protocol_version = "HTTP/1.1"
        server_version = "mlops-metrics-proxy"

        def do_GET(self) -> None:
            if self.path.split("?")[0] != "/metrics":
                self._answer(404, "text/plain; charset=utf-8", b"there is only /metrics here\n")
                return
            self._answer(*_fetch(metrics_url, key))

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """One line a scrape that failed; a proxy that works is silent."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            if str(code) != "200":
                print(f"metrics-proxy: {self.path} answered {code}", file=sys.stderr, flush=True)

    return local_server(Handler, port)


def main(url: str, key: str, port: int) -> None:
    """Serve until interrupted. Raises as `make_server` does."""
    with make_server(url, key, port) as server, contextlib.suppress(KeyboardInterrupt):
        print(
            f"http://{HOST}:{server.server_port}/metrics passes on {checked_url(url)}/metrics (Ctrl-C ends it)",
            flush=True,
        )
        server.serve_forever()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key goes to the address it was given for, and nowhere else."""

    def redirect_request(self, *arguments: object, **more: object) -> None:
        return None


def _fetch(url: str, key: str) -> tuple[int, str, bytes]:
    """Status, content type and body of a GET with the key; 502 when nothing answers."""
    request = urllib.request.Request(url, headers={"x-api-key": key, "accept": "text/plain"})
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            return answer.status, answer.headers.get("content-type", "text/plain"), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("content-type", "text/plain"), error.read()
    except OSError as error:
        return 502, "text/plain; charset=utf-8", f"the API does not answer: {error}\n".encode()
