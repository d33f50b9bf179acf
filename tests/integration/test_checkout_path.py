"""The platform in a checkout whose path has spaces and characters that shells, URLs and patterns give a meaning."""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest

from infra.local.environment import read_env
from infra.local.settings import ROOT
from tests.support.checkout import copy_checkout
from tests.support.steps import free_ports

pytestmark = [pytest.mark.stack, pytest.mark.slow]

NAME = "R&D (v1) #2, it's"
# What would lead the stack, or its tools, elsewhere.
SHELL = {
    "LANG": "xx_XX.UTF-8",
    "PGPORT": "1",
    "PGSERVICE": "nowhere",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
}


@pytest.fixture
def checkout():
    base = Path(tempfile.mkdtemp(prefix="mlops-path-")).resolve()
    base.chmod(0o755)
    folder = base / NAME
    copy_checkout(folder)
    yield folder
    shutil.rmtree(base)


def test_everything_works_in_a_folder_of_any_name_whatever_the_shell_says(checkout):
    variables = ("MLOPS_API_PORT", "MLOPS_TRACKING_PORT", "MLOPS_AWS_PORT")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "AWS_", "MAKE", "PYTHON"))
    }
    environment = {**kept, **SHELL, **dict(zip(variables, map(str, free_ports(3)), strict=True))}
    for name in ("NO_PROXY", "no_proxy"):
        environment.pop(name, None)

    def run(*command):
        ran = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=400)
        assert ran.returncode == 0, f"{command}: {ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout

    try:
        # Trained, promoted and predicted: by functions, jobs and MLflow, each with its database and its imports.
        assert "right (" in run(".venv/bin/python", "-m", "infra.local", "demo", "--runs", "1", "--epochs", "2")
        assert run("make", "--silent", "status").count("healthy") == 3
        env = read_env(checkout / ".local/env")
        request = urllib.request.Request(f"{env['MLOPS_API_URL']}/ready")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            assert json.load(answer)["status"] == "ready"
        # As people do: what the file says wins over the shell's proxy, profile and endpoints.
        buckets = (
            "set -eu; set -a; . .local/env; set +a;"
            "curl --fail --silent --show-error $MLOPS_API_URL/health > /dev/null;"
            '.venv/bin/python -c \'import boto3; print(len(boto3.client("s3").list_buckets()["Buckets"]))\''
        )
        if shutil.which("curl"):
            assert int(run("sh", "-c", buckets)) > 0
        assert run(
            ".venv/bin/python", "-m", "pytest", "-q", "tests/unit/local/test_settings.py", "-p", "no:cacheprovider"
        )
        # What imports by PYTHONPATH, and writes what is there already.
        run("make", "--silent", "-o", "install", "openapi", "cli-docs")
        for page in ("functions/portal/portal/openapi.json", "docs/api.md", "docs/cli.md"):
            assert (checkout / page).read_bytes() == (ROOT / page).read_bytes()
        run("make", "--silent", "down")
        assert run(".venv/bin/python", "-c", LEFT, str(checkout)) == ""
    finally:
        subprocess.run(["make", "reset"], cwd=checkout, env=environment, capture_output=True)
    assert not (checkout / ".local").exists()


LEFT = """
import psutil, sys
for process in psutil.process_iter():
    try:
        if process.environ().get("MLOPS_LOCAL_DIR", "").startswith(sys.argv[1]):
            print(process.pid, process.cmdline())
    except psutil.Error:
        pass
"""
