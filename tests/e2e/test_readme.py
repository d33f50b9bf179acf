"""The README's commands, run as they stand there, in a copy of the checkout, on ports of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.settings import ROOT
from tests.support.checkout import copy_checkout
from tests.support.steps import free_ports

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand(tmp_path_factory):
    if not (Path(sys.prefix) / "installed").exists():
        pytest.skip("runs with the .venv that `make install` makes; this Python is another one")
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the README's commands use it")
    copy = Path(tmp_path_factory.mktemp("readme"))
    copy_checkout(copy)
    ports = dict(zip(("MLOPS_API_PORT", "MLOPS_TRACKING_PORT", "MLOPS_AWS_PORT"), map(str, free_ports(3)), strict=True))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "AWS_", "MAKE"))}
    script = "set -euo pipefail\n" + "\n".join(COMMANDS)
    try:
        ran = subprocess.run(
            ["bash", "-c", script],
            cwd=copy,
            env={**inherited, **ports},
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-2000:]}"
        assert '"prediction":7' in ran.stdout
        assert '"model_name":"my-digits"' in ran.stdout
        assert "right (" in ran.stdout, "the demo's report on digits"
        assert "'astronaut' was not seen in training" in ran.stdout, "its table"
        assert "drift: alert of the column income" in ran.stdout, "and the column that breaks"
        assert "/console" in ran.stdout.split("done in")[1].splitlines()[1], "where to go on: first the console"
        assert not (copy / ".local").exists(), "make reset removes the state"
    finally:
        subprocess.run(["make", "reset"], cwd=copy, env={**inherited, **ports}, capture_output=True)


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named <= targets | {"up"}, named - targets


def test_every_linked_file_of_the_readme_exists():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in link or (ROOT / link).exists(), link
