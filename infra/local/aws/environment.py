"""The variables of the process that is the local AWS, and of the jobs that it runs."""

from __future__ import annotations

from infra.local.environment import aws_environment, stack_credentials, without_proxy
from infra.local.settings import HOST, REGION, Settings


def server_environment(settings: Settings) -> dict[str, str]:
    """What the process gets beside its caller's variables; ministack reads them at import, and functions inherit them.

    PYTHONPATH is not among them: a function must find its packages in its layers, as on AWS.
    """
    return {
        **settings.to_environment(),
        **without_proxy(),
        **stack_credentials(settings).to_environment(),
        "GATEWAY_PORT": str(settings.aws_port),
        "BIND_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.aws_dir / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.aws_dir / "s3"),
        "TMPDIR": str(settings.aws_tmp_dir),
        # Both would listen on every interface.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # ministack looks for no container engine, even where there is one.
        "DOCKER_HOST": f"unix://{settings.run_dir}/no-docker.sock",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }


def job_environment(settings: Settings) -> dict[str, str]:
    """What ECS gives a task: credentials and a region; and the address of this process in place of AWS's."""
    return {**without_proxy(), **aws_environment(settings), "AWS_REGION": REGION}
