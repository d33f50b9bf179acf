"""Migrate the database to this version of the platform. The owner of the database runs this once per deployment, before
the functions change. It can be run again: MLflow records its migrations, and the platform's schema replaces what is
there.

MLflow asks for a backup, and that nobody writes meanwhile. The backup is that of Amazon RDS, which restores any minute.
Tracking servers hold a lock while they are connected, and the migration ends their connections and takes it for itself
alone. New ones wait until its own connection ends, in whatever way it does.

    DATABASE_HOST=… DATABASE_USER=<owner> DATABASE_PASSWORD=… python -m tracking.migrate
"""

import os
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg2

from mlops.registry.sql.database import DatabaseSettings, connection_parameters
from tracking.lock import ALONE

SCHEMA = Path(__file__).with_name("schema.sql")
# The database's owner may end connections of roles that it belongs to. Before the first migration there is none.
MAY_END_TRACKING = """DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'mlflow_rw') THEN
        GRANT mlflow_rw TO CURRENT_USER WITH INHERIT TRUE, SET FALSE;
    END IF;
END $$"""
END_TRACKING = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'mlflow_rw'"
PAUSE_SECONDS = 0.2


def main() -> None:
    parameters = connection_parameters(DatabaseSettings.from_environment())
    os.environ["PGPASSWORD"] = os.environ["DATABASE_PASSWORD"]
    query = {name: value for name, value in parameters.items() if name not in ("user", "dbname")}
    uri = f"postgresql+psycopg2://{quote(parameters['user'])}@/{quote(parameters['dbname'])}?{urlencode(query)}"
    with closing(psycopg2.connect(**parameters)) as connection:
        connection.autocommit = True
        be_alone(connection.cursor())
        started = datetime.now(UTC).isoformat(timespec="seconds")
        print(f"migrating; to go back behind it, restore the database to {started}", flush=True)
        subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", uri], check=True)
        connection.autocommit = False
        with connection, connection.cursor() as cursor:
            cursor.execute(SCHEMA.read_text())


def be_alone(cursor: Any) -> None:
    """Take the lock, for as long as this connection lasts. Another migration is waited for: two at once crash.

    Args:
        cursor: Of a connection of the database's owner that commits by itself.
    """
    cursor.execute(MAY_END_TRACKING)
    while True:
        # First of all: a tracking server of an older version holds no lock.
        cursor.execute(END_TRACKING)
        cursor.execute(ALONE)
        if cursor.fetchone()[0]:
            return
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
