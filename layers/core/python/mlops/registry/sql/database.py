"""Connect to PostgreSQL: IAM login over verified TLS, with a token that is signed without a call."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import boto3

from mlops.settings import Settings


@dataclass(frozen=True)
class DatabaseSettings(Settings):
    """Settings. `database_host` is a host name, or the folder of a Unix socket, where libpq does not use TLS."""

    database_host: str
    database_port: str
    database_name: str
    database_user: str
    database_ca_bundle: str


def connection_parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """Return libpq's parameters without the password: each new connection needs a `login_token`."""
    return {
        "host": settings.database_host,
        "port": settings.database_port,
        "dbname": settings.database_name,
        "user": settings.database_user,
        "sslmode": "verify-full",
        "sslrootcert": settings.database_ca_bundle,
        "connect_timeout": 3,
        "application_name": "mlops",
        # Lambda freezes between requests, so the server notices a lost connection, not the function.
        "keepalives_idle": 30,
    }


def login_token(settings: DatabaseSettings) -> str:
    """Return a password that is valid for 15 minutes, signed with the function's credentials, without a call."""
    token: str = _signer().generate_db_auth_token(
        # Percent-encoded, as a socket's folder in libpq's URIs; a host name is not changed by it.
        DBHostname=quote(settings.database_host, safe=""),
        Port=int(settings.database_port),
        DBUsername=settings.database_user,
    )
    return token


@cache
def _signer() -> Any:
    return boto3.client("rds")
