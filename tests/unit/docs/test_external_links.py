"""Links of the documentation to other sites: their form always, and what `make docs-links` says of them."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.support.steps import free_ports
from tools import external_links
from tools.external_links import follow, pages

LINKS = external_links.external_links(pages())


@pytest.mark.parametrize("link", LINKS)
def test_a_link_to_another_site_is_a_whole_address(link: str) -> None:
    parts = urlsplit(link)
    assert parts.scheme == "https", LINKS[link]
    assert parts.hostname is not None
    assert "." in parts.hostname
    assert not parts.hostname.endswith(("example.com", "example.org")), f"{LINKS[link]}: it is made up"
    assert parts.port is None
    assert parts.username is None


def test_links_are_found_in_the_text_and_not_in_code(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[a](https://a.org/x) and <https://b.org>, `[c](https://c.org)`, <http://127.0.0.1:8000/console>\n"
        "```bash\ncurl <https://d.org>\n```\n![e](https://e.org/e.png)\n"
    )
    assert external_links.external_links([page]) == {
        "https://a.org/x": ["page.md"],
        "https://b.org": ["page.md"],
        "https://e.org/e.png": ["page.md"],
    }


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path.strip("/") or 200)
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/200")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_pages_that_are_gone_are_told(site: str) -> None:
    wrong = follow(f"{site}/{status}" for status in (200, 302, 403, 404, 410, 429))
    assert {link.rpartition("/")[2]: problem for link, problem in wrong.items()} == {
        "200": None,
        "302": None,
        "403": None,
        "404": "answers 404",
        "410": "answers 410",
        "429": None,
    }


def test_a_site_that_is_away_is_told_and_without_any_there_is_no_network(
    site: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"http://127.0.0.1:{free_ports(1)[0]}/"
    assert "does not answer" in str(follow([site, away])[away])
    with pytest.raises(urllib3.exceptions.HTTPError):
        follow([away])
    for links, code in (([site], 0), ([site, away], 1), ([away], 2)):
        monkeypatch.setattr(external_links, "external_links", lambda _, links=links: {link: ["a.md"] for link in links})
        assert external_links.main() == code
    assert "none of the 1 links was followed, there is no network here" in capsys.readouterr().err
