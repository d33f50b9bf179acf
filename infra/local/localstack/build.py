"""What a stack on LocalStack needs first: LocalStack's environment, the functions' Python, and their layers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from infra import artifacts
from infra.local.errors import LocalStackError
from infra.local.localstack.environment import venv
from infra.local.processes import write_atomically
from infra.local.settings import Settings

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
T = TypeVar("T")


def install(settings: Settings) -> bool:
    """Make LocalStack's environment from the pinned requirements, unless it is there; say whether it was made.

    Raises LocalStackError: there is no Python 3.13, or a package cannot be installed.
    """
    folder, wanted = venv(settings), REQUIREMENTS.read_text()
    stamp = folder / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    python = artifacts.lambda_python()
    if python is None:
        raise LocalStackError("LocalStack needs Python 3.13: install it, or set PYTHON313 to its program")
    _run([str(python), "-m", "venv", "--clear", str(folder)], "its environment cannot be made")
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--requirement", str(REQUIREMENTS)], "its packages cannot be installed")
    # Last: an installation that is interrupted is made anew.
    write_atomically(stamp, wanted)
    return True


def function_python() -> Path:
    """The interpreter with the packages of Lambda's runtime. Raises LocalStackError."""
    return _built(artifacts.runtime, "the functions have no Python").python


def with_built_layers(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with the folders of its built layers: functions have packages of their own there.

    Raises LocalStackError.
    """
    built = _built(lambda: artifacts.layers(artifacts.runtime()), "the layers of the functions cannot be built")
    resources = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion" and (built / name).is_dir():
            resource = {**resource, "Properties": {**resource["Properties"], "ContentUri": str(built / name)}}
        resources[name] = resource
    return {**template, "Resources": resources}


def _built(build: Callable[[], T], problem: str) -> T:
    try:
        return build()
    except artifacts.CannotBuild as reason:
        raise LocalStackError(f"{problem}: {reason}") from reason


def _run(command: list[str], problem: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
        raise LocalStackError(f"LocalStack cannot be installed, {problem}: {lines[-1] if lines else 'no reason given'}")
