"""The command in a checkout's .venv: it needs no installation, and is signed in to the checkout's own stack."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.environment import write_env
from infra.local.settings import ROOT

HERE = {"MLOPS_API_URL": "http://127.0.0.1:9", "MLOPS_API_KEY": "local key"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv is made by make, in a folder with a space in its name."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    for part in ("client", "layers"):
        (folder / part).symlink_to(ROOT / part)
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    (folder / "tools").mkdir()
    shutil.copy2(ROOT / "tools" / "mlops.sh", folder / "tools")
    shutil.copy2(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt", ".venv/installed"):
        (folder / name).touch()
    made = subprocess.run(["make", "install"], cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder


def mlops(checkout: Path, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    environment = kept | {"MLOPS_CONFIG": str(checkout / "config.json"), **more}
    # Its packages are those of this environment, which the link to Python alone does not bring.
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    command = [str(checkout / ".venv/bin/mlops"), *arguments]
    return subprocess.run(
        command, cwd=cwd or checkout, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_there_after_make_install_and_says_its_name(checkout: Path) -> None:
    shown = mlops(checkout, "--help")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("Usage: mlops ")


def test_it_uses_the_checkout_s_stack_from_any_folder(checkout: Path, tmp_path: Path) -> None:
    before = mlops(checkout, "jobs")
    assert before.returncode == 3
    assert "no address of the API" in before.stderr
    (checkout / ".local").mkdir()
    write_env(checkout / ".local" / "env", HERE)
    found = mlops(checkout, "jobs", cwd=tmp_path)
    assert (found.returncode, "nothing answers at http://127.0.0.1:9" in found.stderr) == (4, True), found.stderr


def test_a_login_and_variables_of_one_s_own_come_first(checkout: Path) -> None:
    (checkout / ".local").mkdir()
    write_env(checkout / ".local" / "env", HERE)
    (checkout / "config.json").write_text('{"url": "http://127.0.0.1:19", "key": "k"}')
    assert "http://127.0.0.1:19;" in mlops(checkout, "jobs").stderr
    variables = {"MLOPS_API_URL": "http://127.0.0.1:29", "MLOPS_API_KEY": "k"}
    assert "http://127.0.0.1:29;" in mlops(checkout, "jobs", **variables).stderr


def test_the_local_key_goes_to_no_other_address(checkout: Path) -> None:
    (checkout / ".local").mkdir()
    write_env(checkout / ".local" / "env", HERE)
    ran = mlops(checkout, "--url", "http://127.0.0.1:39", "jobs")
    assert ran.returncode == 3
    assert re.search("no key for http://127.0.0.1:39", ran.stderr)
