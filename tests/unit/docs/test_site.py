"""The documentation as a site: it builds without a broken link, loads nothing from other hosts, has every route."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from infra.local.settings import ROOT

SOURCE = "https://example.com/mlops/blob/main"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make docs` builds, with an address for links that leave docs/."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DOCS_SOURCE_URL": SOURCE}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_pages_load_nothing_from_another_host(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) > 10
    for page in pages:
        loads = re.findall(r"<(?:script|img|iframe|link)\b[^>]*", page.read_text())
        assert len(loads) > 4
        assert [each for each in loads if "//" in each] == [], page.name


def test_every_route_is_in_the_reference(site: Path) -> None:
    document = json.loads((ROOT / "functions/portal/portal/openapi.json").read_text())
    text = re.sub(r"<[^>]+>", "", (site / "api.html").read_text())
    routes = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert len(routes) >= 30
    assert [route for route in routes if not re.search(rf"{re.escape(route)}(?![\w/{{])", text)] == []


def test_every_link_of_the_built_pages_leads_to_a_page_and_a_place(site: Path) -> None:
    texts = {path.name: path.read_text() for path in site.glob("*.html")}
    places = {name: set(re.findall(r"\bid=\"?([^\s\">]+)", text)) for name, text in texts.items()}
    followed = 0
    for name, text in texts.items():
        if name == "404.html":
            continue
        for link in re.findall(r"href=\"?([^\s\">]+)", text):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, place = unquote(link).partition("#")
            target = target or name
            assert (site / target).is_file() or (site / target / "index.html").is_file(), f"{name}: {link}"
            if place and target in places:
                assert place in places[target], f"{name}: {link}: there is no such place"
            followed += 1
    assert followed > 1000


def test_links_that_leave_the_pages_lead_to_the_repository(site: Path) -> None:
    page = (site / "index.html").read_text()
    assert re.search(rf"href=\"?{re.escape(SOURCE)}/CONTRIBUTING\.md", page)
    for path in site.glob("*.html"):
        for link in re.findall(rf"href=\"?{re.escape(SOURCE)}/([^\s\">#]+)", path.read_text()):
            assert (ROOT / link).exists(), f"{path.name}: {link}"


def test_without_an_address_of_the_repository_they_are_names_of_files(tmp_path: Path) -> None:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DOCS_SOURCE_URL": ""}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    page = (tmp_path / "index.html").read_text()
    assert "<code>CONTRIBUTING.md</code>" in page
    assert [path.name for path in tmp_path.glob("*.html") if re.search(r"href=\"?\.\./", path.read_text())] == []
