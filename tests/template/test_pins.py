"""What runs on AWS is installed by hash: the files that `make pins` writes, and pip, which refuses any other file."""

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import pins
from tools.pins import FILE, PLACES, ROOT

GROUPS = pytest.mark.parametrize("group", PLACES)


def pinned(group: str) -> dict[str, str]:
    """The packages of a file, each with its version; each has hashes."""
    text = (ROOT / PLACES[group] / FILE).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        requirement, *hashes = line.split(" --hash=sha256:")
        parsed = Requirement(requirement.strip())
        assert hashes, f"{parsed.name} has no hash"
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest.strip()) for digest in hashes)
        (version,) = parsed.specifier
        assert version.operator == "=="
        found[canonicalize_name(parsed.name)] = version.version
    return found


@GROUPS
def test_each_file_has_what_its_group_asks_for(group: str) -> None:
    found = pinned(group)
    for each in pins.wanted(group):
        assert each.specifier.contains(found[canonicalize_name(each.name)]), f"{each}: run `make pins`"


@GROUPS
def test_the_versions_are_those_that_were_tested(group: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines) if version
    }
    others = {name: version for name, version in pinned(group).items() if tested.get(name, version) != version}
    assert not others, "run `make pins`"


def test_what_is_built_is_installed_from_these_files() -> None:
    for built in ("layers/packages.mk", "functions/tracking/Dockerfile", "training_container/Dockerfile"):
        installs = re.findall(r"^[^#\n]*pip\b[^\n]* install (?:[^\n]*\\\n)*[^\n]*", (ROOT / built).read_text(), re.M)
        assert installs, built
        for line in installs:
            by_hash = "--require-hashes" in line and FILE in line
            assert by_hash or "-r torch.txt" in line, f"{built}: {line}"


@pytest.mark.parametrize(("replaced", "installed"), [(False, True), (True, False)], ids=["the file", "another file"])
def test_pip_refuses_another_file_of_the_same_version(tmp_path: Path, replaced: bool, installed: bool) -> None:
    """An index that was broken into serves a wheel of its own under the name of a package that is pinned."""
    folder = tmp_path / "index"
    folder.mkdir()
    honest = wheel(folder, "ANSWER = 42")
    digest = hashlib.sha256(honest.read_bytes()).hexdigest()
    if replaced:
        wheel(folder, "import os  # and worse")
    requirements = tmp_path / FILE
    requirements.write_text(f"answers==1.0 \\\n    --hash=sha256:{digest}\n")
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--find-links", str(folder)]
    options = ["--target", str(target), "--require-hashes", "--requirement", str(requirements)]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert (done.returncode == 0, (target / "answers.py").exists()) == (installed, installed), done.stderr
    if replaced:
        assert "DO NOT MATCH THE HASHES" in done.stderr


def wheel(folder: Path, source: str) -> Path:
    """A wheel of the package `answers`, version 1.0."""
    path = folder / "answers-1.0-py3-none-any.whl"
    info = "answers-1.0.dist-info"
    files = {
        "answers.py": source,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: answers\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in files.items()]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
