"""Prometheus's programs, servers for it to scrape, and a configuration that scrapes a running stack."""

import re
import shutil
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests import debian
from tests.support.prometheus import MONITORING, SENDS_HEADERS, key_adder


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


@pytest.fixture(scope="module")
def sends_headers(programs) -> bool:
    """Whether this Prometheus knows `http_headers`."""
    ran = subprocess.run(
        [programs / "prometheus", "--version"], capture_output=True, text=True, check=True, timeout=120
    )
    found = re.search(r"version (\d+)\.(\d+)", ran.stdout + ran.stderr)
    assert found, ran.stdout + ran.stderr
    return (int(found[1]), int(found[2])) >= SENDS_HEADERS


@pytest.fixture
def scraping(sends_headers, stack, serve):
    """Make the configuration that scrapes the running stack each second; the key is put into the folder."""

    def configured(folder):
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        scrape = config["scrape_configs"][0]
        target = urlsplit(stack.api_url).netloc
        (folder / "mlops-api-key").write_text(f"{stack.api_key}\n")
        if not sends_headers:
            headers = scrape.pop("http_headers")
            keys = {name: (folder / source["files"][0]).read_text().strip() for name, source in headers.items()}
            target = f"127.0.0.1:{serve(key_adder(stack.api_url, keys))}"
        scrape["static_configs"][0]["targets"] = [target]
        return config

    return configured
