"""Sign in as a person: from a token of OpenID Connect to a personal API key for some hours."""

from __future__ import annotations

from typing import Any

from mlops_client.models import Session
from mlops_client.records import decode
from mlops_client.transport import Transport


def sign_in(url: str, token: str, role: str | None = None) -> Session:
    """Return a personal key for whoever the token is of.

    Args:
        url: The API's address.
        token: An ID token of the provider that the stack trusts.
        role: A role that is enough; by default the highest one that the person may have.

    Raises:
        ApiError: The API refuses the token, or knows no group of the person.
        Unreachable: The API does not answer.
    """
    return decode(Session, Transport(url, None).call("POST", "/session", {"token": token, **asked(role)}))


def asked(role: str | None) -> dict[str, Any]:
    """Return the fields of a request that asks for a role, or for the highest one."""
    return {} if role is None else {"role": role}
