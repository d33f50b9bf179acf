"""An OpenID Connect provider for tests: an https server on this machine that publishes keys, and signs tokens."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64encode

from tests.support.https_receiver import certificates, serving

AUDIENCE = "mlops"
HOST = "localhost"
SigningKey = RSAKey | ECKey


def encoded(part: Any) -> str:
    """A part of a token."""
    return urlsafe_b64encode(json.dumps(part).encode()).decode()


def rsa_key(key_id: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": key_id, "use": "sig"}, private=True)


@dataclass
class Issuer:
    """A provider.

    Attributes:
        issuer: Its address.
        authority: The file of the authority that has signed its certificate.
        keys: What it publishes, the first of which signs.
        answers: What it answers in place of a document, by path: a status and a body.
        asked: The paths that were asked for.
    """

    issuer: str = ""
    authority: Path = Path()
    keys: list[SigningKey] = field(default_factory=lambda: [rsa_key("first")])
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def documents(self) -> dict[str, Any]:
        keys = [key.as_dict(private=False) for key in self.keys]
        return {
            "/.well-known/openid-configuration": {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"},
            "/keys": {"keys": keys},
        }

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a token that holds, with changes; None takes a claim away."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "subject-1",
            "email": "Ann@example.com",
            "email_verified": True,
            "groups": ["data-science"],
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, key: Any = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign a token. `headers` replaces algorithm and key id."""
        signer = key or self.keys[0]
        protected = {"alg": "RS256", "kid": self.keys[0].kid} if headers is None else headers
        signed = f"{encoded(protected)}.{encoded(self.claims(**changes))}"
        # The algorithm itself, because the library makes no token with headers that are wrong.
        signature = jws.JWSRegistry.algorithms[protected["alg"]].sign(signed.encode(), signer)
        return f"{signed}.{urlsafe_b64encode(signature).decode()}"


@contextmanager
def issuing(folder: Path) -> Iterator[Issuer]:
    """Run a provider; whoever asks it has to trust its `authority`."""
    authority, chain = certificates(folder, HOST)
    issuer = Issuer(authority=authority)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            found = issuer.documents().get(self.path)
            document = (
                (200, {"content-type": "application/json"}, json.dumps(found).encode()) if found else (404, {}, b"")
            )
            status, headers, body = issuer.answers.get(self.path, document)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with serving(Handler, chain) as port:
        issuer.issuer = f"https://{HOST}:{port}"
        yield issuer
