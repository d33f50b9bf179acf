"""Chromium for the console's tests, and axe-core; each found, or fetched, or the test skipped with a reason.

Debian's chromium is installed only when MLOPS_INSTALL_BROWSER is 1, as CI sets it: a test run changes nobody's machine.
"""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from infra.screenshots.browser import find_browser

AXE = "axe-core@4.14.1"
INSTALL = ["install", "--yes", "--no-install-recommends", "chromium"]
PATIENCE = 300.0
"""Seconds that fetching and unpacking a browser may take in all."""


def find_chromium() -> str:
    """The machine's own Chromium; skips the test where there is none."""
    found = find_browser()
    if found:
        return found
    if os.environ.get("MLOPS_INSTALL_BROWSER") != "1":
        pytest.skip("no Chromium here: apt-get install chromium, or set MLOPS_INSTALL_BROWSER=1 where apt can")
    problem = _install()
    found = find_browser()
    if found is None:
        pytest.skip(f"no Chromium here, and apt did not bring it: {problem}")
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


def _install() -> str:
    """Install Debian's chromium within PATIENCE, asking nobody anything; why it is not there if it is not."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "this is not root on a machine with apt"
    deadline = time.monotonic() + PATIENCE
    problem = ""
    # The lists of packages may be absent or old: then they are fetched, and it is tried once more.
    for arguments in (INSTALL, ["update"], INSTALL):
        problem = _apt(arguments, max(1.0, deadline - time.monotonic()))
        if arguments is INSTALL and not problem:
            return ""
    return problem


def _apt(arguments: list[str], seconds: float) -> str:
    """Run apt-get; the last line of its complaint, or nothing when it did what it should."""
    options = ["-q", "-o", "DPkg::Lock::Timeout=60", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::http::Timeout=20"]
    # A file, not a pipe: a child of apt's that is left over would hold a pipe open, and us with it.
    with tempfile.TemporaryFile("w+") as complaints:
        ran = subprocess.run(
            ["timeout", "--kill-after=10", f"{seconds:.0f}", "apt-get", *options, *arguments],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            check=False,
        )
        complaints.seek(0)
        said = complaints.read().strip().splitlines()
    if ran.returncode in (124, 137):
        return f"apt-get {arguments[0]} was not done after {PATIENCE:.0f} s"
    return "" if ran.returncode == 0 else said[-1] if said else "it failed without a word"
