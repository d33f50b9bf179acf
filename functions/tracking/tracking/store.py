"""Where MLflow's tables are, and how its SQLAlchemy engine logs in there."""

from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine

from mlops.registry.sql.database import DatabaseSettings, connection_parameters, login_token


def store_uri() -> str:
    """MLflow's store address. `psycopg2` is named because plain `postgresql://` means psycopg 3 to SQLAlchemy 2.1,
    which breaks MLflow's archive_existing_versions (mlflow issue 24592)."""
    parameters = connection_parameters(DatabaseSettings.from_environment())
    user, database = parameters.pop("user"), parameters.pop("dbname")
    return f"postgresql+psycopg2://{quote(user)}@/{quote(database)}?{urlencode(parameters)}"


@event.listens_for(Engine, "do_connect")
def _log_in(dialect: Dialect, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> None:
    """Give each new connection a token of its own: one lives 15 minutes, a pool longer."""
    if dialect.name == "postgresql":
        parameters["password"] = login_token(DatabaseSettings.from_environment())
