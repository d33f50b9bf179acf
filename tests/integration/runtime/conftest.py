"""Functions as they are built, with the configuration that the session's stack deployed them with."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra import artifacts
from infra.artifacts import CannotBuild, Runtime
from tools.runtime.deployed import Deployed
from tools.runtime.emulated import Emulated
from tools.runtime.functions import Artifact, zip_functions


@pytest.fixture(scope="session")
def lambda_runtime() -> Runtime:
    """Lambda's Python, or the host's: then a warning says so, which the summary shows from any worker."""
    found: Runtime = _or_skip(artifacts.runtime)
    if found.version != artifacts.LAMBDA_PYTHON:
        instead = f"on Python {found.version}, as there is no Python {artifacts.LAMBDA_PYTHON} here"
        warnings.warn(f"functions run under AWS's runtime emulator {instead}", stacklevel=1)
    return found


@pytest.fixture(scope="session")
def built(lambda_runtime: Runtime) -> Path:
    """`sam build`'s folder."""
    return _or_skip(lambda: artifacts.layers(lambda_runtime))


@pytest.fixture(scope="session")
def functions(built: Path) -> dict[str, Artifact]:
    """The zip functions of the template by the name of their folder."""
    return zip_functions(built)


@pytest.fixture(scope="session")
def deployed(stack: Any, lambda_runtime: Runtime) -> Deployed:
    """The session's stack, whose configuration the functions get."""
    return _or_skip(lambda: Deployed(stack.settings, stack.env, lambda_runtime))


@pytest.fixture
def emulate(deployed: Deployed, functions: dict[str, Artifact], tmp_path: Path) -> Iterator[Callable[..., Emulated]]:
    """Start a function by the name of its folder; it is ended with the test."""
    with ExitStack() as running:

        def start(name: str) -> Emulated:
            emulated = deployed.function(functions[name], tmp_path / f"{name}.log")
            running.callback(emulated.stop)
            return emulated

        yield start


@pytest.fixture
def emulated_tracking(deployed: Deployed, lambda_runtime: Runtime, tmp_path: Path) -> Iterator[Emulated]:
    """The tracking server as its image holds it."""
    tree = _or_skip(lambda: artifacts.tracking_tree(lambda_runtime))
    emulated = deployed.tracking(tree, tmp_path / "tracking.log")
    yield emulated
    emulated.stop()


def _or_skip(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except CannotBuild as reason:
        pytest.skip(str(reason))
