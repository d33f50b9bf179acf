"""The stack's folder: made, marked, locked for one `up` at a time, and removed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from infra.local.errors import LocalStackError
from infra.local.settings import Settings

_NEEDED_BYTES = 300 * 1024 * 1024
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def prepare(settings: Settings) -> None:
    """Make the folder and what lies in it. Raises LocalStackError when it cannot hold the stack's state."""
    home = settings.home
    try:
        fresh = not home.exists()
        home.mkdir(parents=True, exist_ok=True)
        if not fresh and not settings.marker.exists() and any(home.iterdir()):
            raise LocalStackError(f"{home} contains other files: set MLOPS_LOCAL_DIR to an empty folder")
        settings.marker.write_text("State of the local stack. `make reset` removes this folder.\n")
        for folder in (settings.log_dir, settings.run_dir, settings.aws_tmp_dir, settings.tracking_tmp_dir):
            folder.mkdir(parents=True, exist_ok=True)
        settings.aws_dir.mkdir(exist_ok=True)
        # The API keys' values, what functions and jobs print, and their code.
        for folder in (settings.aws_dir, settings.log_dir, settings.aws_tmp_dir, settings.tracking_tmp_dir):
            folder.chmod(0o700)
        (home / ".gitignore").write_text("*\n")
    except OSError as error:
        raise _cannot_write(settings, error) from error
    free = shutil.disk_usage(home).free
    if free < _NEEDED_BYTES:
        raise LocalStackError(
            f"{home} has {free // 1024**2} MB of free space and the stack needs {_NEEDED_BYTES // 1024**2} MB: "
            "free some space, or set MLOPS_LOCAL_DIR to another disk"
        )


def forget(settings: Settings) -> None:
    """Remove the state of a stopped stack whose AWS has kept none; what was made from the sources stays."""
    for path in (settings.aws_dir, settings.aws_tmp_dir, settings.database_dir):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("deployed", "migrated"):
        (settings.home / name).unlink(missing_ok=True)
    for path in (settings.aws_dir, settings.aws_tmp_dir):
        path.mkdir(mode=0o700, exist_ok=True)


def remove(settings: Settings) -> bool:
    """Remove the folder and say whether there was one.

    Raises:
        LocalStackError: the stack did not make the folder, or something in it cannot be removed.
    """
    home = settings.home
    if not home.exists():
        return False
    try:
        contents = [path for path in home.iterdir() if path != settings.marker]
        if contents and not settings.marker.exists():
            raise LocalStackError(
                f"{home} was not created by the stack ({settings.marker.name} is missing): remove it by hand"
            )
        # The marker goes last: a removal that fails or is interrupted half-way can be run again.
        for path in contents:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        settings.marker.unlink(missing_ok=True)
        home.rmdir()
    except OSError as error:
        raise LocalStackError(
            f"{error.filename or home} cannot be removed ({error.strerror}): "
            "change its owner or permissions, then run `make reset` again"
        ) from error
    return True


@contextmanager
def locked(settings: Settings, command: str, *, max_wait: float = 0.0) -> Iterator[None]:
    """Hold the stack's lock. Raises LocalStackError naming who holds it when it is not free in time."""

    def write_holder(descriptor: int) -> None:
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"`{command}` (pid {os.getpid()})".encode(), 0)

    path = settings.run_dir / "lock"
    lock = FileLock(path, timeout=max_wait, mode=0o600, on_acquired=write_holder, is_singleton=False)
    try:
        lock.acquire()
    except Timeout:
        holder = path.read_text(errors="replace").strip()
        raise LocalStackError(f"another {holder or 'command'} is running: wait for it, or end it") from None
    except OSError as error:
        # `down` has to work on a disk that has become read-only, too. Nobody starts a stack there.
        if error.errno != errno.EROFS:
            raise _cannot_write(settings, error) from error
    try:
        yield
    finally:
        lock.release()


def _cannot_write(settings: Settings, error: OSError) -> LocalStackError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LocalStackError(f"{settings.home} is full: free some space, or set MLOPS_LOCAL_DIR to another disk")
    if error.errno in _UNWRITABLE:
        return LocalStackError(
            f"{settings.home} cannot be written ({error.strerror}): change its permissions, or set MLOPS_LOCAL_DIR"
        )
    return LocalStackError(f"{settings.home}: {error.strerror}")
