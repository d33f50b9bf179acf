"""The key of a stack's local AWS: made for each stack, and asked for in every request."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# Not AWS's own AKIA, so that nobody takes one for the key of a real account; and no twelve digits, which the local AWS
# would take for the number of an account.
_KEY_ID = re.compile(rf"LOCAL[{_LETTERS}]{{15}}")
_SECRET_LENGTH = 40


@dataclass(frozen=True)
class Credentials:
    """An access key id and its secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def generate(cls) -> Credentials:
        """Make a new random key."""
        key_id = "LOCAL" + "".join(secrets.choice(_LETTERS) for _ in range(15))
        return cls(key_id, secrets.token_urlsafe(30))

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Credentials | None:
        """The key in AWS's variables; None where there is none, or one that `generate` did not make."""
        key_id = variables.get("AWS_ACCESS_KEY_ID", "")
        secret = variables.get("AWS_SECRET_ACCESS_KEY", "")
        return cls(key_id, secret) if _KEY_ID.fullmatch(key_id) and len(secret) == _SECRET_LENGTH else None

    def to_environment(self) -> dict[str, str]:
        """The variables in which AWS clients look for a key."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
