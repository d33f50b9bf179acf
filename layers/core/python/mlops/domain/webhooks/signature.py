"""Secrets and signatures of Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks (version 1)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """Return a new secret: 32 random bytes as base64, after `whsec_`."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def headers(message_id: str, timestamp: int, body: bytes, signing: Iterable[str]) -> dict[str, str]:
    """Return the headers of a message. Each secret of `signing` makes one signature; a receiver needs to know one.

    Args:
        message_id: The same for each try of the message.
        timestamp: The Unix time of this try, in seconds. Receivers refuse old ones.
        body: What is sent.
        signing: The secrets.
    """
    signatures = " ".join(f"v1,{_signature(secret, message_id, timestamp, body)}" for secret in signing)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


def _signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
