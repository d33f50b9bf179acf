"""Install the packages of a requirements file beside those of the image, of which none is replaced.

pip first resolves the file against the installed packages, whose versions are constraints, and reports what is missing.
This is then installed into a folder of its own. With `--target` alone pip would download all dependencies again, those
that the image has too, such as torch.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainer.errors import TrainingError
from trainer.log import log_event

LAST_LINES = 12
_QUIET = ("--disable-pip-version-check", "--no-input", "--no-cache-dir", "--progress-bar=off")


def install(requirements: Path, target: Path, scratch: Path, environment: Mapping[str, str]) -> list[str]:
    """Install what the image lacks into `target`, and return it as `name==version`.

    Args:
        requirements: The file. Its own paths and `--find-links` are relative to its folder.
        target: The folder, which is made.
        scratch: A folder for temporary files.
        environment: Variables of pip, such as PIP_INDEX_URL.

    Raises:
        TrainingError: A requirement conflicts with a package of the image, or cannot be found. Has pip's own words.
    """
    constraints, report = scratch / "constraints.txt", scratch / "report.json"
    constraints.write_text("".join(f"{line}\n" for line in sorted(installed())), encoding="utf-8")
    resolve = ("--dry-run", "--report", str(report), "-r", requirements.name, "-c", str(constraints))
    _pip((*resolve, "--quiet"), requirements, environment)
    found = json.loads(report.read_text(encoding="utf-8"))["install"]
    target.mkdir()
    if found:
        missing = [_located(item) for item in found]
        _pip(("--no-deps", "--target", str(target), *missing), requirements, environment)
    names = [f"{item['metadata']['name']}=={item['metadata']['version']}" for item in found]
    log_event("requirements.installed", packages=names)
    return names


def installed() -> set[str]:
    """Return the packages of this interpreter as `name==version`."""
    return {f"{each.metadata['Name']}=={each.version}" for each in distributions() if each.metadata["Name"]}


def _located(item: Mapping[str, Any]) -> str:
    """Return one entry of pip's report as a requirement: the very file that was found, with its hash."""
    info = item["download_info"]
    hashes = info.get("archive_info", {}).get("hashes", {})
    return f"{item['metadata']['name']} @ {info['url']}" + (f"#sha256={hashes['sha256']}" if "sha256" in hashes else "")


def _pip(arguments: Sequence[str], requirements: Path, environment: Mapping[str, str]) -> None:
    command = [*_program(), "install", *_QUIET, *arguments]
    done = subprocess.run(
        command,
        cwd=requirements.parent,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        raise TrainingError(
            f"the requirements of {requirements.name} cannot be installed beside the packages of the image, of which "
            f"none is replaced. pip says: {' / '.join(lines[-LAST_LINES:])[:1200]}"
        )


def _program() -> list[str]:
    """Return pip for this interpreter. The image's environment has none of its own, but its base has."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    program = shutil.which("pip")
    if program is None:
        raise TrainingError("there is no pip in the training image; add it to install requirements")
    return [program, "--python", sys.executable]
