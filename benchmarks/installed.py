"""The packages of an image as a folder: those of its pins, as they are installed here, after the image's own removals.

A container engine is not needed. The files are links to those of this environment, so the folder takes no space.
"""

import os
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from infra.artifacts import unused_by_tracking
from infra.local.settings import ROOT

PIN = re.compile(r"^([\w.-]+)==", re.M)
REMOVALS = ROOT / "training_container" / "remove_unused.sh"


def training_packages() -> set[str]:
    """Return the names of the training image's packages that this platform has."""
    return _pinned(ROOT / "training_container") | {"torch"}


def tracking_packages() -> set[str]:
    """Return the names of the tracking image's packages that this platform has, without those that it removes."""
    return _pinned(ROOT / "functions" / "tracking") - unused_by_tracking()


def _pinned(folder: Path) -> set[str]:
    found = set()
    for name in PIN.findall((folder / "packages.txt").read_text()):
        try:
            distribution(name)
        except PackageNotFoundError:  # for another platform, such as pywin32
            continue
        found.add(name)
    return found


def link(packages: set[str], folder: Path) -> None:
    """Make the folder `site-packages` of an image. It has to be on the file system of this environment."""
    for name in sorted(packages):
        for file in distribution(name).files or ():
            source, target = Path(str(file.locate())), folder / file
            if ".." not in file.parts and source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(source.resolve(), target)


def remove_unused(folder: Path) -> None:
    """Remove what the training image's build removes."""
    subprocess.run(["sh", REMOVALS, folder], check=True)


def remove_tests(folder: Path) -> None:
    """Remove what the tracking image's build removes, beside whole packages: the tests of the others."""
    for name in ("tests", "test"):
        for found in [path for path in folder.rglob(name) if path.is_dir()]:
            shutil.rmtree(found, ignore_errors=True)  # it may have been in another one


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
