"""Pack a folder of code into an archive whose bytes depend on its files only, so that its hash is its name.

In a git repository, the files are those that git tracks or does not ignore. Elsewhere hidden files and folders, and
Python's caches are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_client.errors import BadInput

MAX_ARCHIVE_BYTES = 50_000_000
"""The API's limit."""
MAX_PACKED_BYTES = 1_000_000_000
"""Bytes of files that are packed at all: packed code is held in memory."""
LARGEST = 5
"""Files that the error about the size names."""


@dataclass(frozen=True)
class Archive:
    """A packed folder.

    Attributes:
        content: The .tar.gz.
        left_out: Names of folders that are not packed: submodules, and links to folders.
    """

    content: bytes
    left_out: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def pack(folder: Path, needed: Sequence[str]) -> Archive:
    """Pack a folder.

    Args:
        folder: The folder.
        needed: Paths in it that have to be packed, such as the script.

    Raises:
        BadInput: The folder or a needed file is not there or not packed, a file cannot be read, or it is all too large.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder; --folder names the one that has the script")
    names = _names(folder)
    files = [name for name in names if (folder / name).is_file()]
    for name in needed:
        if name not in files:
            raise BadInput(_why_missing(folder, name))
    sizes = {name: (folder / name).stat().st_size for name in files}
    if sum(sizes.values()) > MAX_PACKED_BYTES:
        raise BadInput(_too_large(folder, sizes))
    content = _packed(folder, files)
    if len(content) > MAX_ARCHIVE_BYTES:
        raise BadInput(_too_large(folder, sizes))
    return Archive(content, tuple(name for name in names if (folder / name).is_dir()))


def _names(folder: Path) -> list[str]:
    """Return the paths of what belongs to a folder, sorted, also of files that were deleted since."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:  # git is not installed
        return _names_without_git(folder)
    if done.returncode != 0:  # the folder is in no repository
        return _names_without_git(folder)
    return sorted({os.fsdecode(name) for name in done.stdout.split(b"\0") if name})


def _names_without_git(folder: Path) -> list[str]:
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        names += [(Path(parent) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    return sorted(names)


def _packed(folder: Path, files: Sequence[str]) -> bytes:
    """Return the .tar.gz: no times, owners or other modes than whether a file is executable. Links are packed as what
    they lead to."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in files:
            try:
                content = (folder / name).read_bytes()
                executable = os.access(folder / name, os.X_OK)
            except OSError as error:
                raise BadInput(f"{name} cannot be read: {error.strerror}") from None
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if executable else 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _why_missing(folder: Path, name: str) -> str:
    path = folder / name
    if not path.exists():
        return f"there is no {name} in {folder}; paths are relative to the folder that is packed (--folder)"
    if not path.is_file():
        return f"{name} is no file"
    return f"{name} is not packed, because git ignores it or it is hidden; change .gitignore, or move the file"


def _too_large(folder: Path, sizes: dict[str, int]) -> str:
    largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST]
    named = ", ".join(f"{name} ({sizes[name] / 1e6:.1f} MB)" for name in largest)
    return (
        f"the code in {folder} has more than {MAX_ARCHIVE_BYTES // 1_000_000} MB packed. Its largest files are "
        f"{named}: upload data sets (mlops upload), and add to .gitignore what the script does not need"
    )
