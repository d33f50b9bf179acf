"""What the emulator's side reaches of ministack's private names is looked up at start-up."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from infra.local.aws import internals
from infra.local.aws.patches import functions, gateway, services
from infra.local.settings import ROOT


def private_names(path: Path) -> Iterator[tuple[str, str]]:
    """(module of ministack, private name) of every use in a file: `module._name` and `from module import _name`."""
    tree = ast.parse(path.read_text())
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack"):
            for alias in node.names:
                if alias.name.startswith("_"):
                    yield str(node.module), alias.name
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module is not None:
                yield module, node.attr


def test_every_private_name_that_is_used_is_looked_up() -> None:
    used = {pair for path in (ROOT / "infra/local").rglob("*.py") for pair in private_names(path)}
    looked_up = {(module, name) for module, names in internals.REACHED.items() for name in names}
    assert used, "the walk finds something"
    assert used - looked_up == set()
    assert looked_up - used == set(), "names that nothing uses any more"


def test_this_version_has_them_all() -> None:
    internals.check()


def test_one_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(internals.REACHED, "ministack.app", ("_no_such_name",))
    with pytest.raises(RuntimeError, match=r"has no ministack\.app\._no_such_name: use the pinned version"):
        internals.check()


def test_the_readme_is_of_this_version() -> None:
    page = (ROOT / "infra/local/aws/README.md").read_text()
    assert f"## What ministack {version('ministack')} lacks" in page
    patches = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in (functions, gateway, services)
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and not name.startswith("_")
    }
    for path in re.findall(r"^\| `([\w/.]+)` \|", page, re.MULTILINE):
        assert (ROOT / "infra/local/aws" / path).exists(), path
    present = {str(path.relative_to(ROOT / "infra/local/aws")) for path in (ROOT / "infra/local/aws").rglob("*.py")}
    named = set(re.findall(r"`([\w/]+\.py)`", page))
    assert named <= present, "files that are gone"
    assert {path for path in present if "__" not in path} <= named, "files that the page does not name"
    assert len(patches) >= 12
    assert set(re.findall(r"`((?:functions|gateway|services)\.(?!py)\w+)`", page)) == patches
