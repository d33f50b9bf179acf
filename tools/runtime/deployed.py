"""Run functions under the emulator, with the configuration that a local stack deployed them with."""

from collections.abc import Mapping
from pathlib import Path

from infra import artifacts
from infra.artifacts import ROOT, Runtime
from infra.local import deploy
from infra.local.environment import without_proxy
from infra.local.settings import Settings
from tools.runtime.emulated import Emulated
from tools.runtime.functions import Artifact


class Deployed:
    """A running local stack; `env` has the variables of its `.local/env`."""

    def __init__(self, settings: Settings, env: Mapping[str, str], runtime: Runtime) -> None:
        names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
        own = {name: env[name] for name in names}
        self._aws = {**own, "AWS_REGION": own["AWS_DEFAULT_REGION"], "POWERTOOLS_TRACE_DISABLED": "true"}
        self._aws |= without_proxy()
        self._lambda = deploy.client(settings, "lambda")
        self._physical = deploy.physical_ids(settings)
        self._runtime, self._emulator = runtime, artifacts.emulator()

    def function(self, artifact: Artifact, log: Path) -> Emulated:
        """Start a zip function of the template; one that the local stack lacks gets only the variables of AWS."""
        variables = {**self._aws, **self._variables(artifact.logical_id)}
        layers = [layer / "python" for layer in artifact.layers]
        return Emulated(self._emulator, self._runtime.python, artifact.folder, layers, variables, log)

    def tracking(self, tree: Path, log: Path) -> Emulated:
        """Start the tracking server from the packages and files of its image, without the image."""
        database = {name: value for name, value in self._variables("ModelsFunction").items() if "DATABASE" in name}
        variables = {
            **self._aws,
            **database,
            "DATABASE_USER": "mlflow_rw",
            "ARTIFACT_BUCKET": self._physical["ArtifactBucket"],
            "TRAINER_ROLE": self._physical["TrainerRole"],
            "MLFLOW_SERVER_ALLOWED_HOSTS": "*.execute-api.us-east-1.amazonaws.com",
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "1",
            "HOME": str(log.parent),
        }
        packages = [ROOT / "layers" / "core" / "python", tree]
        folder = ROOT / "functions" / "tracking"
        return Emulated(self._emulator, self._runtime.python, folder, packages, variables, log)

    def _variables(self, logical_id: str) -> dict[str, str]:
        if logical_id not in self._physical:
            return {}
        configuration = self._lambda.get_function_configuration(FunctionName=self._physical[logical_id])
        return dict(configuration["Environment"]["Variables"])
