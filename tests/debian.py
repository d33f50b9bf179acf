"""Programs that a test needs and Debian has: fetched by apt within a time limit, and only when MLOPS_APT is 1.

Each function returns why the program is still not there, or nothing once it is.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 300.0
"""Seconds that fetching and unpacking one package may take in all."""


def install(package: str) -> str:
    """Install a package and what it needs; for root alone."""
    if os.geteuid() != 0:
        return "only root can install it"
    return _fetch(["install", "--yes", "--no-install-recommends", package])


def unpack(package: str, folder: Path) -> str:
    """Put a package's files below `folder`, installing nothing and starting nothing."""
    problem = _fetch(["download", package], folder)
    if not problem:
        for archive in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)
    return problem


def _fetch(arguments: list[str], folder: Path | None = None) -> str:
    if os.environ.get("MLOPS_APT") != "1":
        return "MLOPS_APT=1 lets a test run fetch it by apt"
    if shutil.which("apt-get") is None:
        return "there is no apt here"
    deadline = time.monotonic() + PATIENCE
    problem = ""
    # The lists of packages may be absent or old: then they are fetched, and it is tried once more.
    for step in (arguments, ["update"], arguments):
        problem = _apt(step, max(1.0, deadline - time.monotonic()), folder)
        if step is arguments and not problem:
            break
    return problem


def _apt(arguments: list[str], seconds: float, folder: Path | None) -> str:
    """Run apt-get; the last line of its complaint, or nothing when it did what it should."""
    options = ["-q", "-o", "DPkg::Lock::Timeout=60", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::http::Timeout=20"]
    # A file, not a pipe: a child of apt's that is left over would hold a pipe open, and us with it.
    with tempfile.TemporaryFile("w+") as complaints:
        ran = subprocess.run(
            ["timeout", "--kill-after=10", f"{seconds:.0f}", "apt-get", *options, *arguments],
            cwd=folder,
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
