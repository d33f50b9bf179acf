"""Prometheus as a process of a test, and what the dashboards ask it."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.steps import free_ports

MONITORING = Path(__file__).parents[2] / "infra" / "monitoring"
SENDS_HEADERS = (2, 55)
"""The first version that sends headers of its own."""


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


@contextmanager
def running(programs, folder):
    """Run Prometheus with the configuration in a folder; what asks it, and what waits for an answer."""
    (web,) = free_ports(1)
    process = subprocess.Popen(
        [
            programs / "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{web}",
        ],
        stdout=(folder / "log").open("w"),
        stderr=subprocess.STDOUT,
    )

    def asked(path):
        return json.loads(get(f"http://127.0.0.1:{web}/api/v1/{path}")[2])["data"]

    def until(what, seconds=120):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := what():
                    return found
            except (OSError, ValueError):  # it answers before it is ready, and then not in JSON
                assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
            time.sleep(0.3)

    try:
        yield asked, until
    finally:
        process.terminate()
        process.wait(timeout=120)


def key_adder(url: str, headers: dict[str, str]) -> ThreadingHTTPServer:
    """A server whose /metrics is that of the API at `url`, asked with these headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with urllib.request.urlopen(
                urllib.request.Request(url + self.path, headers=headers), timeout=120
            ) as answer:
                self.send_response(answer.status)
                self.send_header("content-type", answer.headers["content-type"])
                self.end_headers()
                self.wfile.write(answer.read())

        def log_message(self, *arguments):
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def queries_of(dashboard):
    panels = json.loads((MONITORING / "grafana" / "dashboards" / f"{dashboard}.json").read_text())["panels"]
    return {(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])}
