"""The tracking image: MLflow's server and its migrations work without the packages that the Dockerfile removes."""

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
import urllib3

from infra.local.settings import ROOT
from tests.support.steps import free_ports
from tests.support.waiting import wait_for_server
from tests.support.without import environment_without

DOCKERFILE = (ROOT / "functions" / "tracking" / "Dockerfile").read_text()
UNUSED = re.findall(r'^ARG UNUSED="(.+)"$', DOCKERFILE, re.M)[0].split()
TESTS = re.findall(r"-name (\w+)", DOCKERFILE.partition("-type d")[2].partition("-prune")[0])
"""Folders that are removed everywhere."""
PIN = re.compile(r"^([\w.-]+)==", re.M)


def modules(package: str) -> set[str]:
    """The names that a package is imported by."""
    return {
        Path(str(file)).parts[0].removesuffix(".py")
        for file in distribution(package).files or ()
        if str(file).endswith(".py")
    }


REMOVED = sorted(set().union(*map(modules, UNUSED)) - {".."})


def test_what_is_removed_was_installed() -> None:
    pinned = set(PIN.findall((ROOT / "functions" / "tracking" / "packages.txt").read_text()))
    assert set(UNUSED) <= pinned
    assert {"pyarrow", "scipy", "sklearn", "matplotlib"} <= set(REMOVED)
    assert TESTS == ["tests", "test"]


def test_nothing_that_stays_is_larger_than_what_it_is_for() -> None:
    """The image's goal is 0.7 GB, of which Lambda's base has about a third of a gigabyte."""
    kept = PIN.findall((ROOT / "functions" / "tracking" / "packages.txt").read_text())
    size = 0
    for package in set(kept) - set(UNUSED) - {"pywin32", "tzdata", "waitress"}:
        size += sum(
            path.stat().st_size
            for file in distribution(package).files or ()
            if (path := Path(str(file.locate()))).suffix != ".pyc"
            and path.is_file()
            and not {*TESTS} & {*file.parts[:-1]}
        )
    assert size < 280e6


@pytest.mark.slow
def test_the_server_records_searches_and_shows_without_them(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    environment = environment_without(REMOVED, tmp_path, TESTS)
    paths = (ROOT / "functions/tracking", ROOT / "layers/core/python", ROOT)
    environment["PYTHONPATH"] += "".join(f":{path}" for path in paths)
    environment |= {"TRAINER_ROLE": "trainer", "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*"}
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/unit/tracking/mlflow_server.py"), str(port)], cwd=tmp_path, env=environment
    )
    address = f"http://127.0.0.1:{port}"

    def ask(method: str, path: str, **body: object) -> dict:
        url = f"{address}/api/2.0/mlflow/{path}"
        answer = urllib3.request(method, url, **({"json": body} if method == "POST" else {"fields": body}), timeout=60)
        assert answer.status == 200, (path, answer.data)
        return answer.json()

    try:
        wait_for_server(server, f"{address}/health", 300)
        experiment = ask("POST", "experiments/create", name="e")["experiment_id"]
        made = ask("POST", "runs/create", experiment_id=experiment, start_time=1)["run"]["info"]
        run = made["run_id"]
        metric = {"key": "accuracy", "value": 0.5, "timestamp": 1, "step": 0}
        ask("POST", "runs/log-batch", run_id=run, metrics=[metric], params=[{"key": "a", "value": "b"}])
        found = ask("POST", "runs/search", experiment_ids=[experiment], filter="metrics.accuracy > 0.4")
        assert [each["info"]["run_id"] for each in found["runs"]] == [run]
        assert ask("GET", "metrics/get-history", run_id=run, metric_key="accuracy")["metrics"][0]["value"] == 0.5
        ask("POST", "registered-models/create", name="m")
        ask("POST", "model-versions/create", name="m", source=made["artifact_uri"], run_id=run)
        ask("POST", "registered-models/alias", name="m", alias="production", version="1")
        assert ask("GET", "model-versions/search", filter="name = 'm'")["model_versions"][0]["version"] == "1"
        assert b"<html" in urllib3.request("GET", f"{address}/").data.lower()
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_the_database_is_migrated_without_them(tmp_path: Path) -> None:
    without = environment_without(REMOVED, tmp_path, TESTS)
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{tmp_path}/mlflow.db"]
    done = subprocess.run(command, env=without, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
