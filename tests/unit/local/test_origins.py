"""Which headers of a browser or a program let a request in."""

import pytest

from infra.local.guard.origins import refusal

HOST = "localhost:8000"


def reason(method="GET", host=HOST, **headers):
    sent = {} if host is None else {"host": host}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(method, [(name.encode(), value.encode()) for name, value in sent.items()])


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:4566", "[::1]:9"])
def test_programs_that_ask_this_machine_are_let_in(host):
    assert reason(host=host) is None
    assert reason("POST", host) is None


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", "attacker.example:8000", "localhost.attacker.example", "127.0.0.1.nip.io:8000", "127.0.0.2"),
        *("localhost:", "localhost:8000@attacker.example", "[::1", "bucket.localhost:4566", "0.0.0.0:8000"),
    ],
)
def test_a_foreign_name_for_this_machine_is_refused(host):
    assert "Host" in reason(host=host)


def test_two_hosts_are_refused():
    assert refusal("GET", [(b"host", b"localhost"), (b"host", b"attacker.example")])


def test_its_own_pages_are_let_in():
    assert reason("POST", origin="http://localhost:8000", sec_fetch_site="same-origin") is None
    assert reason(sec_fetch_site="none", sec_fetch_mode="navigate", sec_fetch_dest="document") is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://attacker.example",
        "null",
        "http://localhost:3000",
        "https://localhost:8000",
        "http://127.0.0.1:8000",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_pages_of_other_servers_are_refused(method, origin):
    assert "page" in reason(method, origin=origin)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "something-new"])
def test_a_page_elsewhere_may_link_here_and_no_more(site):
    visit = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert reason(**visit) is None
    assert reason("POST", **visit)
    assert reason(sec_fetch_site=site)
    assert reason(**visit | {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"})
    assert reason(**visit | {"sec_fetch_dest": "iframe"})
