"""OIDC tokens: who they are of, once signature, issuer, audience and times are verified."""

import json
import time
from collections.abc import Callable
from typing import Any

from joserfc import jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwt import JWTClaimsRegistry

from mlops.domain.errors import Forbidden, InvalidToken
from sessions.issuer_keys import IssuerKeys
from sessions.person import Person, owner_of

ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
"""Asymmetric ones only: with HS256 a public key would be a password."""
LEEWAY_SECONDS = 60
"""How far the clocks of the issuer and of the platform may be apart."""
_MALFORMED = (JoseError, ValueError, TypeError, AttributeError, KeyError, RecursionError)


class _Headers(jws.JWSRegistry):
    """The headers that a token may have: other than critical ones, those that are not known are ignored."""

    max_header_length = 4096


_headers = _Headers(algorithms=ALGORITHMS, strict_check_header=False)


class Tokens:
    """Verifies tokens.

    Args:
        issuer: Who must have issued them.
        audience: Whom they must be for.
        groups_claim: The claim with the names of a person's groups.
        owner_claim: The claim that names a person.
        keys: The issuer's keys.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        groups_claim: str,
        owner_claim: str,
        keys: IssuerKeys,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._groups_claim, self._owner_claim, self._keys = groups_claim, owner_claim, keys
        self._claims = JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def person(self, token: str) -> Person:
        """Return whose token it is.

        Raises:
            InvalidToken: It is not a token for this stack that holds now. Says what is wrong.
            Forbidden: A claim does not name a person.
            DependencyUnavailable: The issuer's keys cannot be read.
        """
        claims = self._verified(token)
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise InvalidToken("The token has expired; get a new one from your identity provider") from None
        except MissingClaimError as error:
            raise InvalidToken(f"The token has no claim {error.claim!r}; send an ID token of OpenID Connect") from None
        except InvalidClaimError as error:
            raise InvalidToken(_wrong_claim(str(error.claim), claims)) from None
        groups = claims.get(self._groups_claim)
        listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        return Person(self._owner(claims), tuple(each for each in listed if isinstance(each, str)))

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            parsed = jws.extract_compact(token.encode("ascii"), registry=_headers)
            header: dict[str, Any] = dict(parsed.headers())
        except _MALFORMED:
            raise InvalidToken("The token is not a signed token (three parts with dots between them)") from None
        if header.get("alg") not in ALGORITHMS:
            raise InvalidToken(
                f"The token's algorithm is {_shown(header.get('alg'))}; use one of {', '.join(ALGORITHMS)}"
            )
        if not isinstance(header.get("kid"), str):
            raise InvalidToken("The token does not say which key has signed it: its header has no kid")
        key = self._keys.find(header["kid"])
        if key is None:
            raise InvalidToken(
                f"The token is signed with the key {_shown(header['kid'])}, which its issuer does not publish. If the "
                "issuer has just changed its keys, try again in a minute"
            )
        try:
            jws.deserialize_compact(token.encode("ascii"), key, algorithms=ALGORITHMS, registry=_headers)
            claims = json.loads(parsed.payload)
        except _MALFORMED:
            raise InvalidToken("The token's signature or content is not valid") from None
        if not isinstance(claims, dict):
            raise InvalidToken("The token's signature or content is not valid")
        return claims

    def _owner(self, claims: dict[str, Any]) -> str:
        name = claims.get(self._owner_claim)
        if not isinstance(name, str):
            raise Forbidden(
                f"The token has no claim {self._owner_claim!r}, which names a person (the stack's parameter "
                "OidcOwnerClaim); ask for it, or let an operator choose another claim"
            )
        # Else people could choose another name for themselves, and approve what they have asked for.
        if self._owner_claim == "email" and claims.get("email_verified") is not True:
            raise Forbidden(
                "The token does not say that the address is verified (the claim email_verified); an operator can "
                "name people by another claim: the stack's parameter OidcOwnerClaim"
            )
        return owner_of(name, f"The token's claim {self._owner_claim}")


def _wrong_claim(claim: str, claims: dict[str, Any]) -> str:
    shown = _shown(claims.get(claim))
    return {
        "iss": f"The token's issuer is {shown}, and not the one of the stack's parameter OidcIssuer",
        "aud": f"The token is for {shown}, and not for the audience of the stack's parameter OidcAudience",
        "nbf": "The token is not valid yet; check the clock of the identity provider",
        "iat": "The token was issued in the future; check the clock of the identity provider",
    }.get(claim, f"The token's claim {claim!r} is not valid")


def _shown(value: Any) -> str:
    return repr(value)[:200]
