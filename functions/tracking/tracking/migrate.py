"""Migrate the database to this version of the platform. The owner of the database runs this once per deployment, before
the functions change. It can be run again: MLflow records its migrations, and the platform's schema replaces what is
there.

    DATABASE_HOST=… DATABASE_USER=<owner> DATABASE_PASSWORD=… python -m tracking.migrate
"""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg2

from mlops.registry.sql.database import DatabaseSettings, connection_parameters

SCHEMA = Path(__file__).with_name("schema.sql")


def main() -> None:
    parameters = connection_parameters(DatabaseSettings.from_environment())
    os.environ["PGPASSWORD"] = os.environ["DATABASE_PASSWORD"]
    query = {name: value for name, value in parameters.items() if name not in ("user", "dbname")}
    uri = f"postgresql+psycopg2://{quote(parameters['user'])}@/{quote(parameters['dbname'])}?{urlencode(query)}"
    # Concurrent migrations crash in MLflow, so a second one waits for the first.
    with psycopg2.connect(**parameters) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('mlops.migrate'))")
        subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", uri], check=True)
        cursor.execute(SCHEMA.read_text())
    connection.close()


if __name__ == "__main__":
    main()
