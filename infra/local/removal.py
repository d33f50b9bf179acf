"""Take a stack out of a LocalStack that goes on running: its jobs, and all that it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.deploy import CODE_BUCKET, client, delete_stack, describe
from infra.local.errors import LocalStackError
from infra.local.settings import STACK_NAME, Settings

_UNDER_WAY = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")

# Where Batch, which LocalStack's free edition has not, writes what jobs print.
_JOB_LOGS = "/aws/batch/job"


def end_jobs(settings: Settings) -> None:
    """End the jobs that wait or run: the database and the tracking server, which they need, are about to stop.

    Raises LocalStackError when the LocalStack refuses.
    """
    batch = client(settings, "batch")
    with _told():
        for queue in batch.describe_job_queues()["jobQueues"]:
            for status in _UNDER_WAY:
                for job in batch.list_jobs(jobQueue=queue["jobQueueArn"], jobStatus=status)["jobSummaryList"]:
                    batch.terminate_job(jobId=job["jobId"], reason="The stack was stopped")


def remove(settings: Settings, say: Callable[[str], None]) -> None:
    """Delete the stack, and what CloudFormation does not: keys, what the template retains, and the code.

    Raises LocalStackError when the stack cannot be deleted.
    """
    with _told():
        _remove(settings, say)


@contextmanager
def _told() -> Iterator[None]:
    """Raise what AWS answers as LocalStackError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise LocalStackError(
            f"the stack cannot be taken out of the LocalStack: {' '.join(str(error).split())}"
        ) from error


def _remove(settings: Settings, say: Callable[[str], None]) -> None:
    s3, made = client(settings, "s3"), []
    if describe(settings) is not None:
        cloudformation = client(settings, "cloudformation")
        made = cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        gateway = client(settings, "apigateway")
        for key in gateway.get_api_keys(nameQuery=f"{STACK_NAME}-")["items"]:
            gateway.delete_api_key(apiKey=key["id"])
        delete_stack(settings, say)
    for name in [*_named(made, "AWS::S3::Bucket"), CODE_BUCKET]:
        remove_bucket(s3, name)
    tables = client(settings, "dynamodb")
    for name in _named(made, "AWS::DynamoDB::Table"):
        if name in tables.list_tables()["TableNames"]:
            tables.delete_table(TableName=name)
    logs = client(settings, "logs")
    with suppress(logs.exceptions.ResourceNotFoundException):
        logs.delete_log_group(logGroupName=_JOB_LOGS)
    parameters = client(settings, "ssm")
    for page in parameters.get_paginator("get_parameters_by_path").paginate(Path=f"/{STACK_NAME}/", Recursive=True):
        for parameter in page["Parameters"]:
            parameters.delete_parameter(Name=parameter["Name"])


def _named(resources: list[dict[str, Any]], kind: str) -> list[str]:
    return [
        each["PhysicalResourceId"]
        for each in resources
        if each["ResourceType"] == kind and "PhysicalResourceId" in each
    ]


def remove_bucket(s3: Any, bucket: str) -> None:
    """Delete a bucket with all versions of its objects, if it is there."""
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.NoSuchBucket:
        pass
