"""Chromium for the console's tests, and axe-core; each found, or fetched, or the test skipped with a reason.

Debian's chromium is installed only where `tests.debian` may: a test run changes nobody's machine.
"""

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests import debian
from tools.screenshots.browser import find_browser

AXE = "axe-core@4.14.1"


def find_chromium() -> str:
    """The machine's own Chromium; skips the test where there is none."""
    found = find_browser()
    if found:
        return found
    problem = debian.install("chromium")
    found = find_browser()
    if found is None:
        pytest.skip(f"no Chromium here (Debian: apt-get install chromium): {problem}")
    return found


def fetch_axe(folder: Path) -> str:
    """axe-core's source, from the npm registry; skips the test where that cannot be reached."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here to fetch axe-core with")
    packed = subprocess.run(
        ["npm", "pack", "--json", AXE], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    if packed.returncode != 0:
        pytest.skip(f"npm cannot fetch {AXE}: {packed.stderr.strip()[-200:]}")
    with tarfile.open(folder / json.loads(packed.stdout)[0]["filename"]) as archive:
        member: Any = archive.extractfile("package/axe.min.js")
        source: str = member.read().decode()
    return source
