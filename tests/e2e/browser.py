"""Chromium for the console's tests, and axe-core; each found, or fetched, or the test skipped with a reason.

Debian's chromium is installed only when MLOPS_INSTALL_BROWSER is set, as CI does: a test run changes nobody's machine.
"""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
AXE = "axe-core@4.14.1"
# Without these a headless Chromium talks to its maker's hosts at every start.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str:
    """The machine's own Chromium; skips the test where there is none."""
    found = _which()
    if found is None and os.environ.get("MLOPS_INSTALL_BROWSER") and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "chromium"], capture_output=True, timeout=300, check=False)
        found = _which()
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, or set MLOPS_INSTALL_BROWSER=1 where apt can")
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


def _which() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)
