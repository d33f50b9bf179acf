"""Find or create the account that runs PostgreSQL, and check what it can reach.

PostgreSQL refuses to run as root, so another account runs it if root starts the stack. That account may have no access
to the checkout (/root is closed on most systems). No permissions are changed for it: its files are then below /var/lib.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import LocalStackError

_NAME = "pgserver"
_OUTSIDE = Path("/var/lib/mlops-local")


@dataclass(frozen=True)
class Account:
    """A user and a group, by their numbers."""

    uid: int
    gid: int

    @classmethod
    def for_data(cls, folder: Path) -> Account | None:
        """The account that runs PostgreSQL on the data in `folder`; None for the caller's own.

        Data that is there goes on with the account that owns it. Raises LocalStackError when root has no such account.
        """
        if os.geteuid() != 0:
            return None
        if folder.exists() and folder.stat().st_uid != 0:
            return cls(folder.stat().st_uid, folder.stat().st_gid)
        try:
            found = pwd.getpwnam(_NAME)
        except KeyError:
            found = _make()
        return cls(found.pw_uid, found.pw_gid)

    def popen(self) -> dict[str, Any]:
        """The arguments with which `subprocess` runs a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_use(self, *paths: Path) -> bool:
        """Whether the account can enter these folders and run these programs."""
        test = 'for path; do test -x "$path" || exit 1; done'
        command = ["/bin/sh", "-c", test, "sh", *map(str, paths)]
        ran = subprocess.run(command, cwd="/", capture_output=True, **self.popen())
        return ran.returncode == 0

    def own(self, folder: Path) -> None:
        """Give the account a folder with all that is in it."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def move_outside(self, folder: Path) -> None:
        """Move a folder to a place that the account can enter; a link stays where it was."""
        _OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="postgres-", dir=_OUTSIDE))
        if folder.exists():
            place.rmdir()
            shutil.move(folder, place)
        self.own(place)
        folder.unlink(missing_ok=True)  # a link to a place that is gone
        folder.symlink_to(place)

    def copy_outside(self, folders: Sequence[Path], name: str) -> Path:
        """Copy folders, under the names that they have beside each other, to a place that every account can use."""
        copy = _OUTSIDE / name
        if not copy.exists():
            _OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix="part-", dir=_OUTSIDE))
            for folder in folders:
                shutil.copytree(folder, part / folder.name, symlinks=True)
            for path in (part, *part.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o555)
            part.rename(copy)
        return copy


def _make() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", _NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        return pwd.getpwnam(_NAME)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise LocalStackError(
            f"PostgreSQL does not run as root, and the account {_NAME} could not be created "
            f"({' '.join(reason.split())}): create this account, or start the stack as another user"
        ) from error
