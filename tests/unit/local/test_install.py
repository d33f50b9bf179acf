"""`make install` where something is not as it should be: a folder's name, an environment that was not finished."""

import shutil
import subprocess
import tomllib
from importlib.metadata import distributions

import pytest
from packaging.specifiers import SpecifierSet

from infra.local.settings import ROOT

PYTHON = """
echo "$*" >> "$LOG"
case "$*" in
"-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


def write_python(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def install(tmp_path):
    """Run `make .venv/installed` in a folder of a name, with a Python that only writes down what it is asked."""
    python = tmp_path / "python"
    write_python(python, PYTHON)

    def run(name="checkout", before=lambda folder: None):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / file, folder)
        before(folder)
        log = tmp_path / "log"
        ran = subprocess.run(
            ["make", "--no-print-directory", ".venv/installed", f"PYTHON={python}"],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LOG": str(log)},
            capture_output=True,
            text=True,
        )
        return ran, log.read_text() if log.exists() else ""

    return run


def test_a_half_made_environment_is_made_anew(install):
    def left_behind(folder):
        write_python(folder / ".venv/bin/python", "exit 1")

    ran, asked = install(before=left_behind)
    assert ran.returncode == 0, ran.stderr
    assert "-m venv --clear .venv" in asked.splitlines()


def test_an_environment_that_is_whole_is_kept(install):
    def whole(folder):
        write_python(folder / ".venv/bin/python", "exit 0")

    ran, asked = install(before=whole)
    assert ran.returncode == 0, ran.stderr
    assert "venv" not in asked


@pytest.mark.parametrize("name", ["a:b", "a%b", 'a"b', "a$b", "a`b", "a\\b"])
def test_a_folder_that_cannot_work_is_refused_before_anything_is_made(install, name):
    ran, asked = install(name)
    assert ran.returncode != 0
    assert "move it" in ran.stderr.splitlines()[0]
    assert asked == ""


@pytest.mark.parametrize("name", ["R&D (v1) #2", "it's [a],b;c=d"])
def test_other_folders_are_not(install, name):
    ran, _asked = install(name)
    assert ran.returncode == 0, ran.stderr


def test_what_is_pinned_installs_on_each_python_that_the_project_takes():
    """pip finds no release that needs a later patch of Python, such as Debian 12, which has 3.11.2, lacks."""
    taken = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest = taken.removeprefix(">=").split(",")[0] + ".0"
    assert oldest in SpecifierSet(taken)
    needs = {found.name: found.metadata.get("Requires-Python") or "" for found in distributions()}
    assert len(needs) > 100
    assert {name: need for name, need in needs.items() if oldest not in SpecifierSet(need)} == {}
