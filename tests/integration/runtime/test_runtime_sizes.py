"""Each function with its layers, unzipped, as Lambda counts it, within its budget; benchmarks/results has the table."""

from pathlib import Path

import pytest

from infra import artifacts
from infra.artifacts import CannotBuild, Runtime
from infra.local.localstack.build import with_built_layers
from infra.local.packaging import read_template
from tools.runtime.functions import BUILT_LAYERS, MB, Artifact

pytestmark = pytest.mark.slow
LAMBDA_TAKES = 250 * 1024 * 1024
FIRST_PARTY = MB
"""Our own code is small; what is not is somebody's package in the wrong place."""
FUNCTIONS = [
    Path(properties["CodeUri"]).name
    for resource in read_template(artifacts.ROOT / "template.yaml")["Resources"].values()
    if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in (properties := resource["Properties"])
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_within_its_budget(functions: dict[str, Artifact], name: str) -> None:
    function = functions[name]
    assert function.size() <= function.budget < LAMBDA_TAKES
    assert artifacts.size(function.folder) <= FIRST_PARTY


def test_layers_hold_nothing_that_lambda_brings(built: Path) -> None:
    """boto3 is the runtime's; MLflow belongs into no zip."""
    found = {path.name for layer in BUILT_LAYERS for path in (built / layer / "python").iterdir()}
    assert found & {"boto3", "botocore", "mlflow", "torch", "pandas", "sqlalchemy"} == set()


def test_layers_are_of_the_runtimes_platform(built: Path, lambda_runtime: Runtime) -> None:
    tag = f"cpython-{lambda_runtime.version.replace('.', '')}-x86_64-linux-gnu.so"
    modules = [path.name for path in built.rglob("*.so") if ".cpython-" in path.name]
    assert modules
    assert [name for name in modules if not name.endswith(tag)] == []


def test_layers_bring_bytecode_of_the_runtime(built: Path, lambda_runtime: Runtime) -> None:
    """Lambda cannot write any, so that each cold start would compile; and of another version it is dead weight."""
    tag = f".cpython-{lambda_runtime.version.replace('.', '')}.pyc"
    compiled = [path.name for path in built.rglob("*.pyc")]
    assert len(compiled) > 1000
    assert [name for name in compiled if not name.endswith(tag)] == []


def test_the_tracking_images_content(lambda_runtime: Runtime) -> None:
    """A cold start pays for what is imported, the registry for what is there."""
    try:
        sizes = artifacts.content(artifacts.tracking_tree(lambda_runtime))
    except CannotBuild as reason:
        pytest.skip(str(reason))
    assert {"mlflow", "psycopg2", "mangum", "sqlalchemy"} <= sizes.keys()
    assert {"torch", "tensorflow", "nvidia"} & sizes.keys() == set()
    assert sum(sizes.values()) < 450 * MB


def test_a_stack_on_localstack_gets_the_layers_as_they_are_built(built: Path) -> None:
    """There a function is a process with its own packages alone; in `make up` they come from the stack's Python."""
    template = read_template(artifacts.ROOT / "template.yaml")
    layers = {
        name: resource["Properties"]["ContentUri"]
        for name, resource in with_built_layers(template)["Resources"].items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    }
    assert {name: folder for name, folder in layers.items() if name in BUILT_LAYERS} == {
        name: str(built / name) for name in BUILT_LAYERS
    }
    assert layers["CoreLayer"] == "layers/core"
    assert (Path(layers["InferenceLayer"]) / "python/onnxruntime").is_dir()
