"""The public keys of an OIDC issuer: found by its discovery document, and kept while the environment lives."""

import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from mlops.domain.errors import DependencyUnavailable
from sessions.https import Unreadable, read_json

FRESH_SECONDS = 3600.0
"""Keys that are older are not used: an issuer withdraws a key by no longer publishing it."""
UNKNOWN_SECONDS = 60.0
"""For an unknown key id the keys are read again, but not more often than this: whoever sends tokens chooses the id."""
AWAY_SECONDS = 5.0
"""After a failure the issuer is left alone for so long."""
DISCOVERY = "/.well-known/openid-configuration"

PublicKey = RSAKey | ECKey
Read = Callable[[str], dict[str, Any]]

logger = Logger(child=True)


class IssuerKeys:
    """The keys of an issuer by their ids.

    Args:
        issuer: Its address, as in the tokens.
        read: Returns the JSON object at an address; raises Unreadable.
        clock: The time in seconds.
    """

    def __init__(self, issuer: str, read: Read = read_json, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._read_json, self._clock = issuer, read, clock
        self._keys: dict[str, PublicKey] = {}
        self._read_at = self._tried_at = self._failed_at = float("-inf")

    def find(self, key_id: str) -> PublicKey | None:
        """Return the key with this id, or None if the issuer does not publish it.

        Raises:
            DependencyUnavailable: The issuer's keys are needed, and cannot be read.
        """
        now = self._clock()
        is_stale = now - self._read_at >= FRESH_SECONDS
        if is_stale or (key_id not in self._keys and now - self._tried_at >= UNKNOWN_SECONDS):
            self._refresh(now)
        return self._keys.get(key_id)

    def _refresh(self, now: float) -> None:
        if now - self._failed_at < AWAY_SECONDS:
            raise self._unavailable()
        self._tried_at = now
        try:
            self._keys = self._published()
        except Unreadable as error:
            self._failed_at = now
            logger.warning("the issuer's keys cannot be read", reason=str(error))
            raise self._unavailable() from error
        self._read_at = now

    def _published(self) -> dict[str, PublicKey]:
        address = self._issuer.rstrip("/") + DISCOVERY
        document = self._read_json(address)
        if document.get("issuer") != self._issuer:
            raise Unreadable(f"{address} is of the issuer {document.get('issuer')!r}, and not of {self._issuer!r}")
        listed = self._read_json(str(document.get("jwks_uri"))).get("keys")
        keys = dict(filter(None, map(_key, listed if isinstance(listed, list) else [])))
        if not keys:
            raise Unreadable(f"{document.get('jwks_uri')} has no key for signatures that has an id")
        return keys

    def _unavailable(self) -> DependencyUnavailable:
        return DependencyUnavailable(
            f"The keys of the issuer {self._issuer} cannot be read; try again", retry_after=int(AWAY_SECONDS)
        )


def _key(jwk: Any) -> tuple[str, PublicKey] | None:
    """Return a published key with its id; None for one that verifies no signatures here."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
        return None
    kind: type[PublicKey] | None = {"RSA": RSAKey, "EC": ECKey}.get(str(jwk.get("kty")))  # type: ignore[assignment]
    if kind is None:
        return None
    try:
        return jwk["kid"], kind.import_key(jwk)
    except (JoseError, ValueError, TypeError):
        return None
