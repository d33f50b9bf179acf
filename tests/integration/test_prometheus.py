"""Prometheus itself: it scrapes the API through the proxy and evaluates the alert rules.

Debian's package (`apt-get install prometheus`) or the project's own binaries serve, else Debian's package unpacked for
these tests alone (`tests.debian`); without all of them this is skipped.
"""

import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests import debian
from tests.support import free_ports

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "infra" / "monitoring"
sys.path.append(str(ROOT / "client"))

from mlops_client.errors import NotSignedIn  # noqa: E402
from mlops_client.metrics_proxy import make_server  # noqa: E402


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """The folder of prometheus and promtool."""
    found = shutil.which("prometheus")
    if found and shutil.which("promtool"):
        return Path(found).parent
    folder = tmp_path_factory.mktemp("prometheus")
    problem = debian.unpack("prometheus", folder)
    if problem:
        pytest.skip(f"Prometheus is not installed (Debian: apt-get install prometheus): {problem}")
    return folder / "usr" / "bin"


@pytest.fixture
def serve():
    """Serve a server in a thread until the test's end; returns its port."""
    servers = []

    def start(server):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]],
)
def test_promtool_finds_nothing_wrong(programs, arguments):
    done = subprocess.run(
        [programs / "promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_proxy_passes_on_metrics_alone_and_listens_on_this_machine_alone(serve):
    seen = []

    class Upstream(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["x-api-key"]))
            status = 302 if self.headers["x-api-key"] == "moved" else 200
            self.send_response(status)
            self.send_header("location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(b"a 1\n")

        def log_message(self, *arguments):
            pass

    upstream = serve(ThreadingHTTPServer(("127.0.0.1", 0), Upstream))
    proxy = make_server(f"http://127.0.0.1:{upstream}/", "secret", 0)
    assert proxy.server_address[0] == "127.0.0.1"
    port = serve(proxy)
    assert get(f"http://127.0.0.1:{port}/metrics") == (200, "text/plain; version=0.0.4", "a 1\n")
    assert seen == [("/metrics", "secret")]
    assert get(f"http://127.0.0.1:{port}/train/jobs")[0] == 404
    moved = serve(make_server(f"http://127.0.0.1:{upstream}", "moved", 0))
    assert get(f"http://127.0.0.1:{moved}/metrics")[0] == 302
    assert [path for path, _ in seen] == ["/metrics", "/metrics"], "the key was taken to another address"
    (nobody,) = free_ports(1)
    gone = serve(make_server(f"http://127.0.0.1:{nobody}", "secret", 0))
    status, _, body = get(f"http://127.0.0.1:{gone}/metrics")
    assert (status, "does not answer" in body) == (502, True)
    with pytest.raises(NotSignedIn, match="http"):
        make_server("ftp://host", "secret", 0)


def test_prometheus_scrapes_the_platform_and_evaluates_the_rules(programs, stack, production_model, serve, tmp_path):
    port = serve(make_server(stack.api_url, stack.api_key, 0))
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    # The rules as they are, with a fast clock: what waits half an hour waits no time here.
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule.pop("for", None)
    rules["groups"][0]["rules"].append({"alert": "Served", "expr": "mlops_production_model == 1"})
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    (web,) = free_ports(1)
    process = subprocess.Popen(
        [
            programs / "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{web}",
        ],
        stdout=(tmp_path / "log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:

        def asked(path):
            return json.loads(get(f"http://127.0.0.1:{web}/api/v1/{path}")[2])["data"]

        def until(what, seconds=45):
            deadline = time.monotonic() + seconds
            while True:
                try:
                    if found := what():
                        return found
                except OSError:
                    assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
                time.sleep(0.3)

        until(lambda: any(each["value"][1] == "1" for each in asked("query?query=up")["result"]))
        models = until(lambda: asked("query?query=mlops_production_model==1".replace("==", "%3D%3D"))["result"])
        assert "digit-classifier" in {each["metric"]["model"] for each in models}
        alerts = until(lambda: asked("alerts")["alerts"])
        assert "Served" in {each["labels"]["alertname"] for each in alerts}
        evaluated = asked("rules")["groups"][0]["rules"]
        assert {each["name"] for each in evaluated} >= {"MlopsDriftAlert", "MlopsNoProductionModel", "MlopsDeadLetters"}
        until(lambda: all(each["health"] == "ok" for each in asked("rules")["groups"][0]["rules"]))
    finally:
        process.terminate()
        process.wait(timeout=20)
