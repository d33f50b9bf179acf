"""A proxy on this machine that adds the API key to Prometheus' scrapes: Prometheus before 2.55 cannot send headers.

Only `/metrics` is passed on, and only 127.0.0.1 is listened on, so that nobody else reads with our key.
"""

import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = 30.0


def make_server(url: str, key: str, port: int) -> ThreadingHTTPServer:
    """The server of `http://127.0.0.1:<port>/metrics`, not serving yet; port 0 takes a free one.

    Raises:
        ValueError: `url` is not an http:// or https:// address.
        OSError: the port is taken.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"the API's address must start with http:// or https://, not {url!r}")
    metrics_url = f"{url.rstrip('/')}/metrics"

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

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main(url: str, key: str, port: int) -> None:
    """Serve until interrupted. Raises ValueError and OSError as `make_server` does."""
    with make_server(url, key, port) as server:
        print(f"metrics-proxy: http://127.0.0.1:{server.server_address[1]}/metrics → {url}/metrics", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("metrics-proxy: stopped", flush=True)


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
