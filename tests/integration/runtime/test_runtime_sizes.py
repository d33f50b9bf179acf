"""Each function with its layers, unzipped, as Lambda counts it, within its budget; `-s` shows the table."""

from pathlib import Path

import pytest

from tests.integration.runtime import artifacts
from tests.integration.runtime.artifacts import CannotBuild, Runtime
from tests.integration.runtime.conftest import Artifact

pytestmark = pytest.mark.slow
MB = 1_000_000
BUDGET = {"predict": 170 * MB, "promotion": 215 * MB}
CONTROL_PLANE = 60 * MB
LAMBDA_TAKES = 250 * 1024 * 1024
FIRST_PARTY = MB
"""Our own code is small; what is not is somebody's package in the wrong place."""


def test_every_function_is_within_its_budget(functions: dict[str, Artifact]) -> None:
    sizes = {
        name: artifacts.size(each.folder) + sum(artifacts.size(layer) for layer in each.layers)
        for name, each in functions.items()
    }
    for name, size in sorted(sizes.items(), key=lambda pair: -pair[1]):
        print(f"| {name} | {size / MB:.1f} MB | {BUDGET.get(name, CONTROL_PLANE) / MB:.0f} MB |")
    assert {name: size for name, size in sizes.items() if size > BUDGET.get(name, CONTROL_PLANE)} == {}
    assert max(sizes.values()) < LAMBDA_TAKES


def test_our_own_code_is_small(functions: dict[str, Artifact]) -> None:
    assert {name for name, each in functions.items() if artifacts.size(each.folder) > FIRST_PARTY} == set()


def test_layers_hold_nothing_that_lambda_brings(built: Path) -> None:
    """boto3 is the runtime's; MLflow belongs into no zip."""
    found = {path.name for layer in ("WebLayer", "InferenceLayer") for path in (built / layer / "python").iterdir()}
    assert found & {"boto3", "botocore", "mlflow", "torch", "pandas", "sqlalchemy"} == set()


def test_layers_are_of_the_runtimes_platform(built: Path, lambda_runtime: Runtime) -> None:
    tag = f"cpython-{lambda_runtime.version.replace('.', '')}-x86_64-linux-gnu.so"
    modules = [path.name for path in built.rglob("*.so") if ".cpython-" in path.name]
    assert modules
    assert [name for name in modules if not name.endswith(tag)] == []


def test_the_tracking_images_content(lambda_runtime: Runtime) -> None:
    """What its packages take, the largest first. A cold start pays for what is imported."""
    try:
        tree = artifacts.tracking_tree(lambda_runtime)
    except CannotBuild as reason:
        pytest.skip(str(reason))
    sizes = {path.name: artifacts.size(path) for path in tree.iterdir() if path.is_dir()}
    for name, size in sorted(sizes.items(), key=lambda pair: -pair[1])[:12]:
        print(f"| {name} | {size / MB:.1f} MB |")
    total = sum(sizes.values())
    print(f"| all | {total / MB:.0f} MB |")
    assert {"mlflow", "psycopg2", "mangum", "sqlalchemy"} <= sizes.keys()
    assert {"torch", "tensorflow", "nvidia"} & sizes.keys() == set()
    assert total < 1000 * MB
