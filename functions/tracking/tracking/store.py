"""The address of MLflow's database, and the login of its SQLAlchemy engine."""

from typing import Any
from urllib.parse import quote, urlencode

import psycopg2.extensions
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine

from mlops.registry.sql.database import DatabaseSettings, connection_parameters, login_token
from tracking.lock import WITH_OTHERS

# Less than API Gateway waits. A caller then hears that the database does not answer, and may try again.
MIGRATION_SECONDS = 20


def store_uri() -> str:
    """Return the address of MLflow's store.

    It names `psycopg2`, because SQLAlchemy 2.1 uses psycopg 3 for plain `postgresql://`, and that breaks MLflow's
    archive_existing_versions (mlflow issue 24592).
    """
    parameters = connection_parameters(DatabaseSettings.from_environment())
    user, database = parameters.pop("user"), parameters.pop("dbname")
    return f"postgresql+psycopg2://{quote(user)}@/{quote(database)}?{urlencode(parameters)}"


@event.listens_for(Engine, "do_connect")
def _log_in(dialect: Dialect, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> None:
    """Give each new connection a new token: a token is valid for 15 minutes, and a pool lives longer."""
    if dialect.name == "postgresql":
        parameters["password"] = login_token(DatabaseSettings.from_environment())


@event.listens_for(Engine, "connect")
def _wait_for_a_migration(connection: Any, record: Any) -> None:
    """Let a new connection wait while the database is migrated. If it takes too long, an OperationalError is raised."""
    if isinstance(connection, psycopg2.extensions.connection):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{MIGRATION_SECONDS}s'")
            cursor.execute(WITH_OTHERS)
        connection.commit()
