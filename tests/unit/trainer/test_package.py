"""The package as a whole: its modules stand alone, import each other one way, and stay small."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import mlops
import mlops_conversion
import trainer

ROOT = Path(trainer.__file__).parent
PACKAGES = (mlops, mlops_conversion, trainer)
LONGEST_FILE = 300


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imported(name: str) -> Iterator[str]:
    """The package's modules that `name` imports anywhere: at its top, within functions and for types."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                if submodule in MODULES:
                    yield submodule
                elif source in MODULES:
                    yield source


def test_no_modules_import_each_other_in_a_circle():
    graph = {name: set(imported(name)) for name in MODULES}
    assert graph["trainer.job"] >= {"trainer.data", "trainer.models", "trainer.report"}, "the walk sees the imports"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' → '.join(error.args[1])}")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported_alone(name: str):
    """In an interpreter of its own, where no other module has prepared the way."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        env={"PYTHONPATH": ":".join(str(Path(package.__path__[0]).parent) for package in PACKAGES)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_a_file_stays_small(path: Path):
    assert len(path.read_text().splitlines()) < LONGEST_FILE
