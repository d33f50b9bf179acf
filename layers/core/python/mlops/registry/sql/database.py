"""Connections to PostgreSQL: IAM login over verified TLS, the token signed locally, one connection an environment."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import boto3

from mlops.settings import Settings


@dataclass(frozen=True)
class DatabaseSettings(Settings):
    """`database_host` is a host name, or the folder of a Unix socket (libpq then leaves TLS out by itself)."""

    database_host: str
    database_port: str
    database_name: str
    database_user: str
    database_ca_bundle: str


def connection_parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """What libpq needs to log in, the password left out: `login_token` is due at each new connection."""
    return {
        "host": settings.database_host,
        "port": settings.database_port,
        "dbname": settings.database_name,
        "user": settings.database_user,
        "sslmode": "verify-full",
        "sslrootcert": settings.database_ca_bundle,
        "connect_timeout": 3,
        "application_name": "mlops",
        # Lambda freezes between requests, so a vanished peer is noticed by the server, not by us.
        "keepalives_idle": 30,
    }


def login_token(settings: DatabaseSettings) -> str:
    """A password good for 15 minutes, signed with the function's own credentials, without any call."""
    token: str = _signer().generate_db_auth_token(
        # Percent-encoded as libpq's own URIs spell a socket's folder; a host name stays as it is.
        DBHostname=quote(settings.database_host, safe=""),
        Port=int(settings.database_port),
        DBUsername=settings.database_user,
    )
    return token


@cache
def _signer() -> Any:
    return boto3.client("rds")
