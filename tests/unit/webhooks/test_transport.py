"""A request goes to a public address with the host's certificate, or nowhere. The https server is a real one."""

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.https_receiver import Receiver, receiving
from tests.unit.webhooks.conftest import HOST, PUBLIC, Road
from webhook_delivery.transport import NotSent, Transport

URL = f"https://{HOST}/in/a%20b?c=d"


def test_a_request_arrives_with_name_path_and_headers(receiver: Receiver, road: Road) -> None:
    assert road.transport(receiver.authority).post(URL, {"x-a": "1"}, b"{}") == 204
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/in/a%20b?c=d", b"{}")
    assert request.headers["host"] == HOST
    assert (request.headers["x-a"], request.headers["content-length"]) == ("1", "2")
    assert road.connected == [(PUBLIC, 443)]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["169.254.169.254"], [PUBLIC, "10.0.0.1"], ["::1", PUBLIC]])
def test_nothing_is_sent_if_one_address_is_not_public(receiver: Receiver, road: Road, addresses: list[str]) -> None:
    road.names[HOST] = addresses
    with pytest.raises(NotSent, match="not a public one"):
        road.transport(receiver.authority).post(URL, {}, b"{}")
    assert road.connected == []


def test_the_real_resolver_is_not_trusted_either() -> None:
    """Unlike in the other tests nothing is given to the transport: it resolves and refuses as on AWS."""
    for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "017700000001"):
        with pytest.raises(NotSent, match=r"not a public one|cannot be resolved"):
            Transport().post(f"https://{host}/", {}, b"{}")


def test_a_name_that_changes_its_address_gains_nothing(receiver: Receiver, road: Road) -> None:
    """DNS rebinding: the first answer is public, each later one is this machine."""
    answers = iter([[PUBLIC]])
    resolved = []

    def rebinding(host: str) -> list[str]:
        resolved.append(host)
        return next(answers, ["127.0.0.1"])

    transport = road.transport(receiver.authority)
    transport._resolve = rebinding
    assert transport.post(URL, {}, b"{}") == 204
    assert resolved == [HOST]
    assert road.connected == [(PUBLIC, 443)], "connected to the address that was checked, not to the name"
    with pytest.raises(NotSent, match=r"127.0.0.1"):
        transport.post(URL, {}, b"{}")
    assert len(road.connected) == 1


def test_the_next_address_is_tried(receiver: Receiver, road: Road) -> None:
    road.names[HOST], road.away = ["2606:2800:21f:cb07::1", PUBLIC], {"2606:2800:21f:cb07::1"}
    assert road.transport(receiver.authority).post(URL, {}, b"{}") == 204
    assert [address for address, _ in road.connected] == ["2606:2800:21f:cb07::1", PUBLIC]
    road.away.add(PUBLIC)
    with pytest.raises(NotSent, match="refused"):
        road.transport(receiver.authority).post(URL, {}, b"{}")


def test_a_certificate_of_another_name_is_refused(receiver: Receiver, road: Road) -> None:
    road.names["other.example.com"] = [PUBLIC]
    with pytest.raises(NotSent, match=r"certificate of other.example.com is not valid"):
        road.transport(receiver.authority).post("https://other.example.com/", {}, b"{}")
    assert receiver.requests == []


def test_a_certificate_that_has_expired_is_refused(tmp_path: Path) -> None:
    with receiving(tmp_path, HOST, valid_days=-1) as receiver:
        with pytest.raises(NotSent, match="certificate has expired"):
            Road(receiver.port).transport(receiver.authority).post(URL, {}, b"{}")
        assert receiver.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(receiver: Receiver, road: Road) -> None:
    with pytest.raises(NotSent, match="certificate"):
        Transport(road.resolve, road.connect).post(URL, {}, b"{}")
    assert receiver.requests == []


def test_redirects_are_not_followed(receiver: Receiver, road: Road) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("location", f"https://{HOST}/elsewhere")
        handler.end_headers()

    receiver.answers = [elsewhere]
    assert road.transport(receiver.authority).post(URL, {}, b"{}") == 302
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert road.transport(receiver.authority).post(URL, {}, b"{}") == 204


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Send a header for ever, one character at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-a: ")
    while True:
        handler.wfile.write(b"a")
        handler.wfile.flush()
        time.sleep(0.05)


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(5)


@pytest.mark.parametrize("answer", [dripping, silent])
def test_an_answer_that_takes_too_long_is_none(
    receiver: Receiver, road: Road, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    receiver.answers = [answer]
    began = time.monotonic()
    with pytest.raises(NotSent, match=r"within 0.6 s"):
        road.transport(receiver.authority, seconds=0.6).post(URL, {}, b"{}")
    assert time.monotonic() - began < 2


def test_a_server_that_never_shakes_hands_is_given_up(receiver: Receiver, road: Road) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        road.port = listening.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(NotSent, match=r"within 0.5 s"):
            road.transport(receiver.authority, seconds=0.5).post(URL, {}, b"{}")
        assert time.monotonic() - began < 2


def test_a_large_answer_is_not_read(receiver: Receiver, road: Road) -> None:
    sent = threading.Event()
    written = 0

    def large(handler: BaseHTTPRequestHandler) -> None:
        nonlocal written
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while written < 100_000_000:
                handler.wfile.write(bytes(1_000_000))
                written += 1_000_000
        except OSError:
            pass
        finally:
            sent.set()

    receiver.answers = [large]
    assert road.transport(receiver.authority).post(URL, {}, b"{}") == 200
    assert sent.wait(10)
    assert written < 20_000_000, "the connection was closed when the headers were there"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n" + b"x: " + 70_000 * b"a" + b"\r\n\r\n", b"SSH-2.0-x\r\n", b"", 200 * b"x: a\r\n"]
)
def test_what_is_no_answer_of_http_is_refused(receiver: Receiver, road: Road, answer: bytes) -> None:
    receiver.answers = [lambda handler: void(handler.wfile.write(answer))]
    with pytest.raises(NotSent):
        road.transport(receiver.authority).post(URL, {}, b"{}")


def void(_: object) -> None:
    return None


def test_a_name_that_does_not_resolve_is_said(receiver: Receiver, road: Road) -> None:
    with pytest.raises(NotSent, match=r"nowhere.example.com cannot be resolved"):
        road.transport(receiver.authority).post("https://nowhere.example.com/", {}, b"{}")


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://hooks.example.com:8443/", "ftp://x/", "https:///"]
)
def test_other_addresses_are_not_sent_to(receiver: Receiver, road: Road, url: str) -> None:
    with pytest.raises(NotSent, match="https:// on port 443"):
        road.transport(receiver.authority).post(url, {}, b"{}")
    assert road.resolved == []
