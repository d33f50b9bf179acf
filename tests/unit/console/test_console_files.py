"""How the portal serves the console's files."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mlops.domain.errors import NotFound

(SOURCE,) = (Path(__file__).parents[3] / "functions" / "portal").rglob("console_files.py")


@pytest.fixture
def files(monkeypatch, tmp_path) -> ModuleType:
    """The module, with what lies below `tmp_path` as the layer."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    importlib.invalidate_caches()
    spec = importlib.util.spec_from_file_location("console_files_tested", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def layer(tmp_path) -> Path:
    folder = tmp_path / "mlops_console"
    folder.mkdir()
    for name in ("index.html", "index-aB3_-678.js", "index-12345678.css", "icon.svg", "notes.txt"):
        (folder / name).write_text(name)
    return folder


def test_the_page_is_asked_for_each_time_and_the_files_that_it_names_never_again(layer, files):
    page = files.console_file(files.PAGE, None)
    assert (page.status_code, page.body, page.headers["cache-control"]) == (200, b"index.html", "no-cache")
    for name in ("index-aB3_-678.js", "index-12345678.css"):
        assert files.console_file(name, None).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert files.console_file("icon.svg", None).headers["cache-control"] == "no-cache"
    for name in ("index.html", "index-aB3_-678.js"):
        assert "require-trusted-types-for 'script'" in files.console_file(name, None).headers["content-security-policy"]


def test_who_has_it_already_is_told_so(layer, files):
    tag = files.console_file(files.PAGE, None).headers["etag"]
    assert files.console_file(files.PAGE, tag).status_code == 304
    assert files.console_file(files.PAGE, '"another"').status_code == 200


def test_nothing_else_is_served(layer, files):
    for name in ("notes.txt", "../secret.html", "unknown.js"):
        with pytest.raises(NotFound):
            files.console_file(name, None)
