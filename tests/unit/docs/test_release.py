"""One version everywhere, and the notes that a release gets."""

import json
import re
import subprocess
import sys
import tomllib

import pytest

from infra.local.settings import ROOT
from mlops import __version__
from tools.release_notes import notes

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = """# Changelog

## [Unreleased]

- not yet

## [1.10.0] - 2026-02-03

### Added

- the new thing

## [1.1.0] - 2026-01-02

- the old thing
"""


def test_one_version() -> None:
    client = (ROOT / "client/mlops_client/version.py").read_text()
    published = json.loads((ROOT / "functions/portal/portal/openapi.json").read_text())
    assert re.search(r'__version__ = "(.+)"', client)[1] == VERSION  # type: ignore[index]
    assert __version__ == VERSION
    assert published["info"]["version"] == VERSION, "make openapi"


def test_the_present_version_has_notes() -> None:
    ran = subprocess.run(
        [sys.executable, "tools/release_notes.py", f"v{VERSION}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "### Added" in ran.stdout
    assert "## [" not in ran.stdout


def test_a_tag_of_another_version_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "tools/release_notes.py", "v99.0.0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"the tag is v99.0.0 and pyproject.toml says {VERSION}" in ran.stderr


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.10.0", "### Added\n\n- the new thing\n"), ("1.1.0", "- the old thing\n")],
)
def test_the_notes_are_the_versions_own(version: str, expected: str) -> None:
    assert notes(f"v{version}", version, CHANGELOG) == expected


@pytest.mark.parametrize("version", ["1.1.1", "1.1", "Unreleased"])
def test_a_version_without_notes_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"no notes below a heading `## [{version}] - ")):
        notes(f"v{version}", version, CHANGELOG)
