"""An address that opens the console signed in: with a one-time token and half of the key, in the part of the address
that no server sees."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from mlops_client.errors import NotFound
from mlops_client.models import OneTimeToken
from mlops_client.records import decode

if TYPE_CHECKING:
    from mlops_client.client import Client


def signed_in(client: Client, address: str) -> str | None:
    """Return an address of the console that takes the client's key over, once and within a minute.

    Whoever opens it first has the key. The platform keeps the other half of the key for that minute, and a half says
    nothing.

    Args:
        client: Signed in with the key.
        address: Of a view of the console.

    Returns:
        The address, or None if the platform is of a version without one-time tokens.

    Raises:
        ApiError: The API refuses the key.
        Unreachable: The API does not answer.
    """
    key = (client.transport.key or "").encode()
    pad = secrets.token_bytes(len(key))
    share = bytes(ours ^ theirs for ours, theirs in zip(key, pad, strict=True))
    try:
        answer = client.transport.call("POST", "/session/tokens", {"share": _text(share)}, safe=True)
    except NotFound:
        return None
    start = address if "#" in address else f"{address}#/"
    return f"{start}{'&' if '?' in start else '?'}once={decode(OneTimeToken, answer).token}.{_text(pad)}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
