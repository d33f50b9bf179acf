"""Where LocalStack's own Python environment is, and the variables of its process."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.local.environment import stack_credentials, without_proxy
from infra.local.settings import HOST, REGION, Settings

HEALTH = "/_localstack/health"
ABOUT = "/_localstack/mlops"
"""The path at which a LocalStack with the plug-ins says on which port it serves the deployed API."""
FUNCTION_PYTHON, JOB_PYTHON = "MLOPS_FUNCTION_PYTHON", "MLOPS_JOB_PYTHON"
"""The variables with the interpreters of functions and of jobs: neither is that of LocalStack."""


def venv(settings: Settings) -> Path:
    """The folder of the environment."""
    return settings.root / ".venv-localstack"


def server_environment(settings: Settings, function_python: Path) -> dict[str, str]:
    """What the process gets beside its caller's variables; LocalStack reads them at import.

    Args:
        settings: Those of the stack.
        function_python: The interpreter of the functions, with the packages of Lambda's runtime.
    """
    return {
        **settings.to_environment(),
        **without_proxy(),
        **stack_credentials(settings).to_environment(),
        FUNCTION_PYTHON: str(function_python),
        JOB_PYTHON: sys.executable,
        "AWS_DEFAULT_REGION": REGION,
        "GATEWAY_LISTEN": f"{HOST}:{settings.aws_port}",
        "LOCALSTACK_HOST": f"{HOST}:{settings.aws_port}",
        "GATEWAY_SERVER": "mlops",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        "PROVIDER_OVERRIDE_S3": "folder",
        # The newer engine resolves a resource again for each reference, and did not finish this template in 10 minutes.
        "PROVIDER_OVERRIDE_CLOUDFORMATION": "engine-legacy",
        # Its own clients skip the port, which refuses what is not signed with the key of the stack.
        "IN_MEMORY_CLIENT": "1",
        # The guards of the ports refuse pages of other sites.
        "DISABLE_CORS_CHECKS": "1",
        "DISABLE_CORS_HEADERS": "1",
        "SQS_ENDPOINT_STRATEGY": "path",
        # In a container, which it takes some hosts for, it writes below /var/lib instead.
        "OVERRIDE_IN_DOCKER": "0",
        "FILESYSTEM_ROOT": str(settings.home / "localstack"),
        "TMPDIR": str(settings.aws_tmp_dir),
        # It asks no server of its maker, and no server of names.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
    }
