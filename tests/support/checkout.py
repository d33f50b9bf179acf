"""The files of the checkout, and copies of it in other folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.settings import ROOT

# What git ignores, by the names of folders; used only where there is no git, as in an unpacked archive.
_IGNORED = {"node_modules", "build", "dist", "mlruns", "__pycache__"}


def is_checkout() -> bool:
    """Whether git is here, and this folder is one of its own, not a part of another one."""
    try:
        return (ROOT / ".git").exists() and subprocess.run(
            ["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False
        ).returncode == 0
    except OSError:
        return False


def checkout_files() -> list[Path]:
    """What belongs to the checkout, committed or about to be, relative to its root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        return sorted(_walk())
    return sorted(Path(name) for name in listed if name and (ROOT / name).is_file())


def copy_checkout(folder: Path) -> None:
    """Copy the checkout into `folder`, with this environment as its .venv."""
    for path in checkout_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    # A folder of links and no link: what make writes into .venv stays in the copy.
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    prefix = Path(sys.prefix)
    for path in (*prefix.iterdir(), *(prefix / "bin").iterdir()):
        if path.name not in ("bin", "mlops"):
            (binaries if path.parent.name == "bin" else binaries.parent).joinpath(path.name).symlink_to(path)


def _walk() -> list[Path]:
    found = []
    for parent, folders, names in os.walk(ROOT):
        ignored = {name for name in folders if name in _IGNORED or (name.startswith(".") and name != ".github")}
        folders[:] = [name for name in folders if name not in ignored]
        found += [(Path(parent) / name).relative_to(ROOT) for name in names]
    return found
