"""Custom::Migration: run the database migration as a Batch job while CloudFormation waits.

The job uses the tracking server's image, so that schema and server have the same version. If it fails, the deployment
fails before anything that uses the database has changed. Before it, the database's log groups get their retention.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.request import Request, urlopen

import boto3
from botocore.exceptions import ClientError

POLL_SECONDS = 5.0
# Seconds that are left to end the job and to answer.
RESERVE_SECONDS = 20.0
# New permissions of a role take a while to be valid everywhere.
PERMISSION_SECONDS = 60.0

T = TypeVar("T")


class MigrationFailed(Exception):
    """The migration failed. The deployment's events show the message."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Handle a custom resource's request, and always answer: otherwise CloudFormation would wait for an hour."""
    try:
        if event["RequestType"] != "Delete" and not rolling_back(event["StackId"]):
            keep_logs(event["ResourceProperties"])
            migrate(event["ResourceProperties"], context)
    except Exception as error:
        reason = str(error) if isinstance(error, MigrationFailed) else f"{type(error).__name__}: {error}"
        print(f"migration failed: {reason}")
        answer(event, "FAILED", reason)
    else:
        answer(event, "SUCCESS", "")


def rolling_back(stack_id: str) -> bool:
    """Return whether the stack is being rolled back.

    Then no migration runs: migrations cannot be undone, and the older image would fail on the newer schema.
    """
    stack = boto3.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"][0]
    return "ROLLBACK" in stack["StackStatus"]


def keep_logs(properties: dict[str, Any]) -> None:
    """Say how long the lines of the database's logs are kept, and with which key.

    RDS makes a log group of its own, with lines that are kept for ever, at the first line. So the groups are made here
    if RDS has not made them yet. They stay when the stack is deleted, as the database's last snapshot does.

    Args:
        properties: `LogGroups`, names; `LogRetentionDays`, a number as text; `KmsKeyArn`, empty for AWS's own key.
    """
    logs = boto3.client("logs")
    for name in properties["LogGroups"]:
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            permitted(partial(logs.create_log_group, logGroupName=name))
        days = int(properties["LogRetentionDays"])
        permitted(partial(logs.put_retention_policy, logGroupName=name, retentionInDays=days))
        if key := properties["KmsKeyArn"]:
            permitted(partial(logs.associate_kms_key, logGroupName=name, kmsKeyId=key))


def migrate(properties: dict[str, Any], context: Any) -> None:
    """Run the job and wait until it has ended.

    Args:
        properties: `JobQueue` and `JobDefinition`, ARNs.
        context: Lambda's context. Its remaining time limits the job.

    Raises:
        MigrationFailed: The job failed, or did not end in time and was stopped.
    """
    batch = boto3.client("batch")
    job_id = submit(batch, properties)
    while context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000:
        # The list can be empty right after the job was submitted.
        for job in batch.describe_jobs(jobs=[job_id])["jobs"]:
            if job["status"] == "SUCCEEDED":
                return
            if job["status"] == "FAILED":
                raise MigrationFailed(f"the job {job_id} failed: {why(job)}")
        time.sleep(POLL_SECONDS)
    batch.terminate_job(jobId=job_id, reason="The time limit of the deployment was reached")
    raise MigrationFailed(f"the job {job_id} did not end in time and was stopped; is its image in the registry?")


def submit(batch: Any, properties: dict[str, Any]) -> str:
    """Submit the job and return its id."""
    answered = permitted(
        lambda: batch.submit_job(
            jobName="migration", jobQueue=properties["JobQueue"], jobDefinition=properties["JobDefinition"]
        )
    )
    job_id: str = answered["jobId"]
    return job_id


def permitted(call: Callable[[], T]) -> T:
    """Return what a call answers, once its permission is known; raise any other error of AWS at once."""
    deadline = time.monotonic() + PERMISSION_SECONDS
    while True:
        try:
            return call()
        except ClientError as error:
            denied = error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
            if not denied or time.monotonic() >= deadline:
                raise
            time.sleep(POLL_SECONDS)


def why(job: dict[str, Any]) -> str:
    """Return why Batch says that the job failed, and where its log is."""
    container = job.get("container", {})
    said = [job.get("statusReason"), container.get("reason")]
    if stream := container.get("logStreamName"):
        said.append(f"log stream {stream}")
    return "; ".join(text for text in said if text) or "Batch gives no reason"


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Send the result to CloudFormation. The physical id never changes: a new one would mean a replacement."""
    body = {
        "Status": status,
        # An answer may be 4 KB at most.
        "Reason": reason[:1000],
        "PhysicalResourceId": "migration",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        # Passed on, so that resources that need the database's address wait for the migration.
        "Data": {"DatabaseHost": event["ResourceProperties"].get("DatabaseHost", "")},
    }
    # The address is signed without a content type, and would be refused with one.
    request = Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
    with urlopen(request, timeout=10):
        pass
