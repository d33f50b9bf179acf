"""The stack's database, prepared as Amazon RDS prepares one, and its migration."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from infra.local.environment import child_environment
from infra.local.errors import LocalStackError
from infra.local.postgres import PORT, PostgresServer
from infra.local.processes import Process, ProcessFile, last_words, write_atomically
from infra.local.settings import REGION, Settings

DATABASE = "mlflow"
# RDS's master user: may create roles and give them rds_iam, and is no superuser.
OWNER = "mlops_owner"
_MIGRATION = "functions/tracking/tracking"
_MIGRATION_SOURCES = ("layers/core/python", "functions/tracking")
# Safe to run again: it makes what is missing.
_ROLES_AND_DATABASE = f"""
select 'create role rds_iam nologin' where not exists (select from pg_roles where rolname = 'rds_iam') \\gexec
select 'create role {OWNER} login createrole createdb'
    where not exists (select from pg_roles where rolname = '{OWNER}') \\gexec
grant rds_iam to {OWNER} with admin option;
select 'create database {DATABASE} owner {OWNER}'
    where not exists (select from pg_database where datname = '{DATABASE}') \\gexec
"""


@dataclass(frozen=True)
class Address:
    """Where the server listens: the folder of its socket."""

    host: str

    def environment(self, user: str) -> dict[str, str]:
        """The variables database code reads. The server trusts whoever reaches its socket."""
        return {
            "DATABASE_HOST": self.host,
            "DATABASE_PORT": str(PORT),
            "DATABASE_NAME": DATABASE,
            "DATABASE_USER": user,
            # Read only where the server is reached over TLS.
            "DATABASE_CA_BUNDLE": "none",
        }


class Database:
    """The database of one stack; its files lie in the stack's folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = PostgresServer(settings.database_dir, settings.log_dir / "database.log")

    def process(self) -> Process | None:
        """The running server, or None."""
        return self._server.process()

    def address(self) -> Address:
        """Where the server listens now. Raises LocalStackError when it does not run."""
        return Address(str(self._server.socket_folder()))

    def start(self) -> bool:
        """Start the server unless it runs; True if it was started. Recovers what a crash left."""
        if not self._server.start():
            return False
        self._server.execute(_ROLES_AND_DATABASE)
        return True

    def stop(self) -> bool:
        """Stop the server, ending its sessions; False if it was not running."""
        return self._server.stop()

    def remove(self) -> None:
        """Remove the data of the stopped server where it lies outside the stack's folder."""
        self._server.remove()

    def migration_is_due(self) -> bool:
        """Whether the migration, its schema or MLflow have changed since it was run."""
        return not self._stamp.exists() or self._stamp.read_text() != self._version()

    def migrate(self) -> None:
        """Run the platform's own migration, as the database's owner."""
        log = self._settings.log_dir / "migrate.log"
        environment = {
            **child_environment(),
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
        return self._settings.home / "migrated"

    def _version(self) -> str:
        digest = hashlib.sha256(version("mlflow").encode())
        for file in sorted((self._settings.root / _MIGRATION).glob("*")):
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()
