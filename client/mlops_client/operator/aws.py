"""boto3, and the outputs of the platform's CloudFormation stack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlops_client.errors import MlopsError


def session() -> Any:
    """Return a boto3 session.

    boto3 reads AWS_DEFAULT_REGION only. As in AWS's other tools, AWS_REGION comes first here.

    Raises:
        MlopsError: boto3 is not installed, or AWS_PROFILE names no profile.
    """
    try:
        import boto3
    except ImportError:
        raise MlopsError("this command needs boto3: pip install 'mlops-client[aws]'") from None
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    except BotoCoreError as error:
        raise MlopsError(f"AWS: {error}") from None


@contextmanager
def translated_errors() -> Iterator[None]:
    """Convert errors of boto3 to MlopsError, with AWS's message."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise MlopsError(f"AWS refused {error.operation_name}: {error.response['Error']['Message']}") from None
    except BotoCoreError as error:
        raise MlopsError(
            f"AWS cannot be reached: {error} Sign in to AWS first (AWS_PROFILE, AWS_REGION); "
            "for the local stack: set -a; . .local/env; set +a"
        ) from None


def stack_outputs(stack: str) -> dict[str, str]:
    """Return the outputs of a deployed stack by name.

    Raises:
        MlopsError: There is no such stack, or AWS cannot be reached.
    """
    current = session()
    try:
        with translated_errors():
            description = current.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except MlopsError as error:
        raise MlopsError(f"stack {stack}: {error}; choose a stack with --stack") from None
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
