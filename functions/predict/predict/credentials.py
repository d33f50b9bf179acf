"""Read the function's AWS credentials from the environment, or from the container endpoint that SnapStart provides."""

import http.client
import json
import os
import time
from calendar import timegm
from dataclasses import dataclass
from urllib.parse import urlsplit

REFRESH_BEFORE_SECONDS = 300
SAFE_HOSTS = ("127.0.0.1", "localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23")
"""Hosts that may give credentials without TLS: this machine and AWS's link-local addresses."""


class CredentialsUnavailable(Exception):
    """Neither the environment nor the endpoint has credentials."""


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str
    token: str | None
    expires: float | None = None  # seconds since 1970


class CredentialsSource:
    """Reads credentials, and caches them until five minutes before they expire.

    A normal Lambda environment has keys in AWS_ACCESS_KEY_ID and the related variables, valid as long as it lives. One
    that was restored from a SnapStart snapshot has AWS_CONTAINER_CREDENTIALS_FULL_URI instead, and its keys expire.
    """

    def __init__(self) -> None:
        self._kept: Credentials | None = None

    def get(self, seconds: float) -> Credentials:
        """Return credentials that are valid now. Reading them takes at most `seconds`.

        Raises:
            CredentialsUnavailable: There are none.
        """
        kept = self._kept
        if kept is None or (kept.expires is not None and kept.expires - time.time() < REFRESH_BEFORE_SECONDS):
            try:
                kept = _from_endpoint(seconds) or _from_environment()
            except CredentialsUnavailable:
                if kept is None or (kept.expires or 0) <= time.time():
                    raise
            self._kept = kept
        return kept

    def forget(self) -> None:
        """Read the credentials again at the next call."""
        self._kept = None


def _from_environment() -> Credentials:
    try:
        return Credentials(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN") or None,
        )
    except KeyError as error:
        raise CredentialsUnavailable(f"the environment variable {error.args[0]} is not set") from error


def _from_endpoint(seconds: float) -> Credentials | None:
    address = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in SAFE_HOSTS):
        raise CredentialsUnavailable(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither an https address nor on this machine"
        )
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.netloc, timeout=seconds)
    try:
        headers = {"accept": "application/json"}
        if authorization := _authorization():
            headers["authorization"] = authorization
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target or "/", headers=headers)
        response = connection.getresponse()
        body = response.read(1 << 16)
        if response.status != 200:
            raise CredentialsUnavailable(f"the credentials endpoint answered {response.status}")
        document = json.loads(body)
        expiration = document.get("Expiration")
        return Credentials(
            document["AccessKeyId"],
            document["SecretAccessKey"],
            document.get("Token"),
            timegm(time.strptime(expiration[:19], "%Y-%m-%dT%H:%M:%S")) if expiration else None,
        )
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsUnavailable(type(error).__name__) from error
    finally:
        connection.close()


def _authorization() -> str | None:
    file = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if file:  # read every time, because it is rotated
        with open(file, encoding="ascii") as handle:
            return handle.read().strip()
    return os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
