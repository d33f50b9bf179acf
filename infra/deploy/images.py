"""The container images: their repositories, their builds, and the digests of what was pushed."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from infra.deploy.environments import ROOT
from infra.deploy.errors import DeployError

# Name and Dockerfile of an image, by the parameter of the template. The first runs on Fargate, the second on Lambda.
IMAGES = {
    "TrainingImage": ("training", "training_container/Dockerfile"),
    "TrackingImage": ("tracking", "functions/tracking/Dockerfile"),
}
# The first one again, with PyTorch for CUDA: for jobs with a GPU, if the stack has some.
GPU_IMAGE = {"GpuTrainingImage": ("training-gpu", "training_container/Dockerfile")}
# By image: an argument of its Dockerfile, and the environment variable that sets it.
BUILD_ARGUMENTS = {
    "training": {"TORCH_INDEX": "EXTRA_INDEX_URL", "PYTHON_IMAGE": "PYTHON_IMAGE"},
    "training-gpu": {"TORCH_INDEX": "CUDA_INDEX_URL", "PYTHON_IMAGE": "PYTHON_IMAGE"},
    "tracking": {"LAMBDA_BASE": "LAMBDA_BASE"},
}
DEFAULTS = {"training-gpu": {"TORCH_INDEX": ""}}
"""Arguments that an image has instead of the defaults of its Dockerfile: pip's own index has PyTorch for CUDA."""
# Lambda refuses an image with a provenance attestation. Only buildx makes one, and it alone knows --provenance=false;
# Debian's Docker and podman build without it.
NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
KEPT_IMAGES = 10
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Keep the latest images, for rollbacks",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
            "action": {"type": "expire"},
        }
    ]
}
LAMBDA_READS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "LambdaReadsImages",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        }
    ],
}
"""Lambda would add it by itself, if whoever deploys may set policies of repositories."""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def images_of(parameters: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the images that a stack with these parameters has: name and Dockerfile, by the template's parameter."""
    return IMAGES | (GPU_IMAGE if parameters.get("GpuInstanceTypes") else {})


class Images:
    """Builds and pushes with Docker, or a program of that name, into repositories of the account's registry."""

    def __init__(self, ecr: Any, stack: str, run: Run = subprocess.run, say: Callable[[str], None] = print) -> None:
        self._ecr, self._stack, self._run, self._say = ecr, stack, run, say

    def check(self) -> None:
        """Check that images can be built. Raises DeployError."""
        try:
            done = self._run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True)
        except FileNotFoundError:
            raise DeployError("docker is not installed; it builds the training and the tracking image") from None
        if done.returncode:
            raise DeployError("the Docker engine does not answer; start it: it builds the two images")

    def push_all(self, parameters: Mapping[str, str]) -> dict[str, str]:
        """Build and push the images that the parameters ask for.

        Returns:
            `repository@sha256:…` by parameter.

        Raises:
            DeployError: One could not be built or pushed.
        """
        self._log_in()
        return {parameter: self._push(*image) for parameter, image in images_of(parameters).items()}

    def model_types(self) -> bytes:
        """Return the model types that the built training image has, as it prints them. Raises DeployError."""
        image = f"{self.repository('training')}:latest"
        command = ["docker", "run", "--rm", image, "python", "-m", "trainer", "types"]
        done = self._run(command, capture_output=True, text=True)
        if done.returncode:
            raise DeployError(f"the training image does not list its model types: {_last_line(done.stderr)}")
        return done.stdout.encode()

    def repository(self, name: str) -> str:
        """Return the address of a repository, and create it if there is none."""
        full_name = f"{self._stack}/{name}"
        try:
            repository = self._ecr.describe_repositories(repositoryNames=[full_name])["repositories"][0]
        except self._ecr.exceptions.RepositoryNotFoundException:
            self._say(f"creating the repository {full_name}")
            repository = self._ecr.create_repository(
                repositoryName=full_name,
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration={"encryptionType": "AES256"},
            )["repository"]
            self._ecr.put_lifecycle_policy(repositoryName=full_name, lifecyclePolicyText=json.dumps(LIFECYCLE))
        if name == "tracking":
            self._ecr.set_repository_policy(repositoryName=full_name, policyText=json.dumps(LAMBDA_READS))
        uri: str = repository["repositoryUri"]
        return uri

    def _push(self, name: str, dockerfile: str) -> str:
        uri = self.repository(name)
        self._say(f"building the {name} image")
        usual = DEFAULTS.get(name, {})
        given = {each: os.environ.get(variable) or usual.get(each) for each, variable in BUILD_ARGUMENTS[name].items()}
        arguments = [f"--build-arg={argument}={value}" for argument, value in given.items() if value is not None]
        options = ["--platform", "linux/amd64", *arguments, "-f", dockerfile, "-t", f"{uri}:latest"]
        self._docker(f"the {name} image could not be built", "build", *options, ".")
        self._say(f"pushing the {name} image")
        self._docker(f"the {name} image could not be pushed", "push", f"{uri}:latest")
        # The registry knows the digest; Docker may have that of the same image in another registry.
        pushed = self._ecr.describe_images(repositoryName=f"{self._stack}/{name}", imageIds=[{"imageTag": "latest"}])
        return f"{uri}@{pushed['imageDetails'][0]['imageDigest']}"

    def _log_in(self) -> None:
        granted = self._ecr.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
        done = self._run(
            ["docker", "login", "--username", user, "--password-stdin", granted["proxyEndpoint"]],
            input=password,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise DeployError(f"docker cannot log in to the registry: {_last_line(done.stderr)}")

    def _docker(self, problem: str, *arguments: str) -> None:
        if self._run(["docker", *arguments], cwd=ROOT, env={**os.environ, **NO_ATTESTATIONS}).returncode:
            raise DeployError(f"{problem}; Docker says why above")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
