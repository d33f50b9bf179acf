"""Functions as they are built, with the configuration that the session's stack deployed them with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local import deploy
from infra.local.environment import without_proxy
from infra.local.packaging import read_template
from infra.local.settings import STACK_NAME
from tests.integration.runtime import artifacts
from tests.integration.runtime.artifacts import CannotBuild, Runtime
from tests.integration.runtime.emulated import Emulated

BUILT_LAYERS = ("WebLayer", "InferenceLayer")


@dataclass(frozen=True)
class Artifact:
    """A function of the template: its own folder and those of its layers, in the template's order."""

    logical_id: str
    folder: Path
    layers: tuple[Path, ...]

    @property
    def name(self) -> str:
        return self.folder.name


@pytest.fixture(scope="session")
def lambda_runtime() -> Runtime:
    """Lambda's Python, or the host's, which is then said."""
    return _or_skip(artifacts.runtime)


@pytest.fixture(scope="session")
def built(lambda_runtime: Runtime) -> Path:
    """`sam build`'s folder."""
    return _or_skip(lambda: artifacts.layers(lambda_runtime.version))


@pytest.fixture(scope="session")
def functions(built: Path) -> dict[str, Artifact]:
    """The zip functions of the template by the name of their folder."""
    resources = read_template(artifacts.ROOT / "template.yaml")["Resources"]
    found = {}
    for logical_id, resource in resources.items():
        if resource["Type"] != "AWS::Serverless::Function" or "CodeUri" not in resource["Properties"]:
            continue
        layers = [each["Ref"] for each in resource["Properties"].get("Layers", [])]
        folders = [
            built / name if name in BUILT_LAYERS else artifacts.ROOT / resources[name]["Properties"]["ContentUri"]
            for name in layers
        ]
        artifact = Artifact(logical_id, artifacts.ROOT / resource["Properties"]["CodeUri"], tuple(folders))
        found[artifact.name] = artifact
    return found


@pytest.fixture(scope="session")
def physical(stack: Any) -> dict[str, str]:
    """What the stack's resources are called, by logical id."""
    client = deploy.client(stack.settings, "cloudformation")
    resources = client.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}


@pytest.fixture
def emulate(
    stack: Any, physical: dict[str, str], lambda_runtime: Runtime, functions: dict[str, Artifact], tmp_path: Path
) -> Iterator[Callable[..., Emulated]]:
    """Start a function by the name of its folder; it is ended with the test."""
    emulator = _or_skip(artifacts.emulator)
    running: list[Emulated] = []
    lambdas = deploy.client(stack.settings, "lambda")

    def start(name: str) -> Emulated:
        artifact = functions[name]
        variables = {**_aws(stack)}
        if artifact.logical_id in physical:
            configuration = lambdas.get_function_configuration(FunctionName=physical[artifact.logical_id])
            variables |= configuration["Environment"]["Variables"]
        layers = [layer / "python" for layer in artifact.layers]
        emulated = Emulated(
            emulator, lambda_runtime.python, artifact.folder, layers, variables, tmp_path / f"{name}.log"
        )
        running.append(emulated)
        return emulated

    yield start
    for emulated in running:
        _report(emulated)
        emulated.stop()


@pytest.fixture
def emulate_tracking(
    stack: Any, physical: dict[str, str], outputs: dict[str, str], lambda_runtime: Runtime, tmp_path: Path
) -> Iterator[Callable[[], Emulated]]:
    """Start the tracking server as its image holds it: the packages of its group and our files, without the image."""
    emulator, tree = _or_skip(artifacts.emulator), _or_skip(lambda: artifacts.tracking_tree(lambda_runtime))
    running: list[Emulated] = []

    def start() -> Emulated:
        lambdas = deploy.client(stack.settings, "lambda")
        models = lambdas.get_function_configuration(FunctionName=physical["ModelsFunction"])
        database = {name: value for name, value in models["Environment"]["Variables"].items() if "DATABASE" in name}
        variables = {
            **_aws(stack),
            **database,
            "DATABASE_USER": "mlflow_rw",
            "ARTIFACT_BUCKET": outputs["ArtifactBucketName"],
            "MLFLOW_SERVER_ALLOWED_HOSTS": "*.execute-api.us-east-1.amazonaws.com",
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "1",
            "HOME": str(tmp_path),
        }
        packages = [artifacts.ROOT / "layers" / "core" / "python", tree]
        folder = artifacts.ROOT / "functions" / "tracking"
        emulated = Emulated(emulator, lambda_runtime.python, folder, packages, variables, tmp_path / "tracking.log")
        running.append(emulated)
        return emulated

    yield start
    for emulated in running:
        _report(emulated)
        emulated.stop()


def _report(emulated: Emulated) -> None:
    """A row of the table of first answers, which `-s` shows."""
    if emulated.first_seconds is not None:
        print(f"| {emulated.name} | first answer after {emulated.first_seconds:.2f} s |")


def _aws(stack: Any) -> dict[str, str]:
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    own = {name: stack.env[name] for name in names}
    return {**own, "AWS_REGION": own["AWS_DEFAULT_REGION"], "POWERTOOLS_TRACE_DISABLED": "true", **without_proxy()}


def _or_skip(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except CannotBuild as reason:
        pytest.skip(str(reason))
