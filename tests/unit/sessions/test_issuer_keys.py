"""The issuer's keys: when they are read again, and what is no document of an issuer."""

import gzip
import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey

from mlops.domain.errors import DependencyUnavailable
from sessions import https
from sessions.https import Unreadable, read_json
from sessions.issuer_keys import AWAY_SECONDS, DISCOVERY, FRESH_SECONDS, UNKNOWN_SECONDS, IssuerKeys
from tests.support.oidc_issuer import Issuer, rsa_key

ISSUER = "https://id.example.com/realms/one"
FIRST, SECOND = rsa_key("first"), rsa_key("second")


class Published:
    """What an issuer publishes, and when it was asked."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.keys: list[Any] = [FIRST.as_dict(private=False)]
        self.issuer: Any = ISSUER
        self.asked: list[float] = []
        self.is_away = False

    def read(self, url: str) -> dict[str, Any]:
        if self.is_away:
            self.asked.append(self.now)
            raise Unreadable("away")
        if url == ISSUER + DISCOVERY:
            return {"issuer": self.issuer, "jwks_uri": "https://keys.example.com/"}
        assert url == "https://keys.example.com/"
        self.asked.append(self.now)
        return {"keys": self.keys}


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def keys(published: Published) -> IssuerKeys:
    return IssuerKeys(ISSUER, published.read, lambda: published.now)


def test_keys_are_read_once_and_again_after_an_hour(published: Published, keys: IssuerKeys) -> None:
    for _ in range(3):
        assert keys.find("first") is not None
    published.now += FRESH_SECONDS - 1
    assert keys.find("first") is not None
    assert len(published.asked) == 1
    published.now += 1
    published.keys = [SECOND.as_dict(private=False)]
    assert keys.find("first") is None, "it is withdrawn"
    assert keys.find("second") is not None
    assert len(published.asked) == 2


def test_an_unknown_key_id_reads_them_again_at_most_once_a_minute(published: Published, keys: IssuerKeys) -> None:
    assert keys.find("first") is not None
    published.keys.append(SECOND.as_dict(private=False))
    published.now += UNKNOWN_SECONDS - 1
    for number in range(100):
        assert keys.find(f"made up {number}") is None
    assert len(published.asked) == 1
    published.now += 1
    assert keys.find("second") is not None, "the issuer has changed its keys"
    for number in range(100):
        assert keys.find(f"made up {number}") is None
    assert len(published.asked) == 2


def test_an_issuer_that_is_away_is_left_alone_for_some_seconds(published: Published, keys: IssuerKeys) -> None:
    published.is_away = True
    for _ in range(10):
        with pytest.raises(DependencyUnavailable, match=ISSUER) as refused:
            keys.find("first")
        assert refused.value.retry_after == AWAY_SECONDS
    assert len(published.asked) == 1
    published.is_away, published.now = False, published.now + AWAY_SECONDS
    assert keys.find("first") is not None


def test_known_keys_hold_while_the_issuer_is_away_and_not_longer_than_an_hour(
    published: Published, keys: IssuerKeys
) -> None:
    assert keys.find("first") is not None
    published.is_away, published.now = True, published.now + UNKNOWN_SECONDS
    with pytest.raises(DependencyUnavailable):
        keys.find("unknown")
    assert keys.find("first") is not None
    published.now += FRESH_SECONDS
    with pytest.raises(DependencyUnavailable):
        keys.find("first")


@pytest.mark.parametrize("other", [None, "https://evil.example.com", ISSUER + "/", [ISSUER]])
def test_a_document_of_another_issuer_is_not_taken(published: Published, keys: IssuerKeys, other: Any) -> None:
    published.issuer = other
    with pytest.raises(DependencyUnavailable):
        keys.find("first")
    assert published.asked == []


def test_keys_that_verify_no_signatures_are_left_out(published: Published, keys: IssuerKeys) -> None:
    curve = ECKey.generate_key("P-256", {"kid": "curve"}, private=True)
    published.keys = [
        *({**FIRST.as_dict(private=False), "kid": "for encryption", "use": "enc"}, {"kty": "RSA", "kid": "half a key"}),
        *("text", None, {"kty": "unknown", "kid": "unknown"}, {**FIRST.as_dict(private=False), "kid": 7}),
        OctKey.generate_key(256, {"kid": "a password"}).as_dict(private=True),
        OKPKey.generate_key("X25519", {"kid": "x25519"}, private=True).as_dict(private=False),
        *(FIRST.as_dict(private=False), curve.as_dict(private=False)),
    ]
    for absent in ("for encryption", "half a key", "unknown", "7", "a password", "x25519"):
        assert keys.find(absent) is None, absent
    assert keys.find("first") is not None
    assert keys.find("curve") is not None


@pytest.mark.parametrize("listed", [[], {}, None, ["text"]])
def test_an_issuer_without_keys_is_away(published: Published, keys: IssuerKeys, listed: Any) -> None:
    published.keys = listed
    with pytest.raises(DependencyUnavailable):
        keys.find("first")


def test_a_document_is_read_over_https(issuer: Issuer) -> None:
    assert read_json(issuer.issuer + DISCOVERY)["issuer"] == issuer.issuer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, {"location": "/keys"}, b""), "status 302"),
        ((500, {}, b"{}"), "status 500"),
        ((200, {}, b"<html>"), "JSON"),
        ((200, {}, b"[1]"), "object"),
        ((200, {}, b"[" * 100_000), "JSON"),
        ((200, {}, b" " * (https.MAX_BYTES + 1)), "bytes"),
    ],
    ids=["redirect", "error", "page", "list", "nested", "huge"],
)
def test_what_is_no_document_is_not_read(issuer: Issuer, answer: Any, said: str) -> None:
    issuer.answers["/somewhere"] = answer
    with pytest.raises(Unreadable, match=said):
        read_json(f"{issuer.issuer}/somewhere")
    assert issuer.asked == ["/somewhere"]


def test_a_bomb_is_not_unpacked(issuer: Issuer) -> None:
    packed = gzip.compress(json.dumps({"a": "0" * 50 * https.MAX_BYTES}).encode())
    issuer.answers["/bomb"] = (200, {"content-encoding": "gzip"}, packed)
    assert len(packed) < https.MAX_BYTES
    with pytest.raises(Unreadable, match="bytes"):
        read_json(f"{issuer.issuer}/bomb")


@pytest.mark.parametrize("url", ["http://localhost/keys", "file:///etc/passwd", "None", "", "HTTPS:/x"])
def test_other_addresses_are_not_asked(url: str) -> None:
    with pytest.raises(Unreadable, match="not an https"):
        read_json(url)


def test_an_answer_that_comes_slowly_is_given_up(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "WHOLE_SECONDS", 0.3)

    original = BaseHTTPRequestHandler.end_headers

    def end_headers(self: BaseHTTPRequestHandler) -> None:
        original(self)
        for _ in range(20):
            self.wfile.write(b" " * 20_000)
            self.wfile.flush()
            time.sleep(0.1)

    monkeypatch.setattr(BaseHTTPRequestHandler, "end_headers", end_headers)
    issuer.answers["/slow"] = (200, {"content-length": "500000"}, b"")
    began = time.monotonic()
    with pytest.raises(Unreadable, match="not answered within"):
        read_json(f"{issuer.issuer}/slow")
    assert time.monotonic() - began < 2


def test_a_certificate_that_is_not_trusted_is_refused(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unreadable, match="does not answer"):
        read_json(issuer.issuer + DISCOVERY.replace("openid", "other"))
    assert issuer.asked == []
