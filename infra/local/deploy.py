"""Deploys the platform's template into the local AWS through CloudFormation's own API."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.environment import aws_environment
from infra.local.errors import LocalStackError
from infra.local.localstack.build import with_built_layers
from infra.local.packaging import package, read_template
from infra.local.processes import write_atomically
from infra.local.settings import LOCALSTACK, STACK_NAME, Settings

CODE_BUCKET = "mlops-local-code"
_SECONDS = 600.0
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
# What a stack that never came to stand has to be cleared from before it is made anew.
_BROKEN = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """The stack as it stands: its status and its outputs."""

    status: str
    outputs: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether the last operation did what it was asked to."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")

    @property
    def stands(self) -> bool:
        """Whether all of the stack is there, if only as it was before an update that failed."""
        return self.complete or self.status == "UPDATE_ROLLBACK_COMPLETE"


def client(settings: Settings, service: str) -> Any:
    """A boto3 client of the local AWS, whatever account this shell is logged in to."""
    environment = aws_environment(settings)
    make: Any = _session().client
    return make(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 2}, proxies={}),
    )


@cache
def _session() -> boto3.Session:
    """A session without the caller's profile, files and AWS_… variables: each would win over what the stack says."""
    own = {
        name: (in_file, None, default, convert)
        for name, (in_file, _variable, default, convert) in botocore.session.Session.SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        own[name] = (None, None, os.devnull, None)
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=own))


def describe(settings: Settings) -> Deployed | None:
    """The stack, or None when there is none. Raises LocalStackError when the local AWS refuses to say."""
    try:
        stacks = client(settings, "cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise LocalStackError(
            f"the local AWS does not answer what is deployed ({_one_line(error)}); see `make logs NAME=aws`"
        ) from error
    if not stacks or stacks[0]["StackStatus"] == "DELETE_COMPLETE":
        return None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    return Deployed(stacks[0]["StackStatus"], outputs)


def physical_ids(settings: Settings) -> dict[str, str]:
    """What the resources of the stack, which is up, are called in AWS, by their logical ids."""
    resources = client(settings, "cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    # LocalStack lists those of a false Condition too, without an id.
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources if "PhysicalResourceId" in each}


def deploy(settings: Settings, parameters: Mapping[str, str], say: Say) -> Deployed:
    """Bring the stack to what template.yaml and the folders say; at once when it is that already.

    `parameters` that the template does not declare are left out. Raises LocalStackError with the reason of the
    resource that failed.
    """
    template = read_template(settings.root / "template.yaml")
    if settings.emulator == LOCALSTACK:
        template = with_built_layers(template)
    packaged, archives = package(template, settings.root, CODE_BUCKET)
    declared = packaged.get("Parameters", {})
    values = {name: value for name, value in parameters.items() if name in declared}
    wanted = hashlib.sha256(json.dumps([packaged, values], sort_keys=True).encode()).hexdigest()
    stamp = settings.home / "deployed"
    objects = {**archives, f"{wanted}.json": json.dumps(packaged).encode()}
    try:
        present = describe(settings)
        if present is not None and present.stands and stamp.exists() and stamp.read_text() == wanted:
            return present
        stamp.unlink(missing_ok=True)
        s3 = client(settings, "s3")
        stale = _upload(s3, objects)
        deployed = _apply(settings, f"{settings.aws_url}/{CODE_BUCKET}/{wanted}.json", values, present, say)
        # Only now: an update that is rolled back needs the code it came from.
        for key in stale:
            s3.delete_object(Bucket=CODE_BUCKET, Key=key)
    except (ClientError, BotoCoreError) as error:
        raise LocalStackError(f"the deployment failed: {_one_line(error)}") from error
    write_atomically(stamp, wanted)
    return deployed


def _upload(s3: Any, objects: Mapping[str, bytes]) -> set[str]:
    """Put the objects that are not there yet; returns the keys of others, which earlier deployments left."""
    s3.create_bucket(Bucket=CODE_BUCKET)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=CODE_BUCKET)
    present = {item["Key"] for page in pages for item in page.get("Contents", [])}
    for key in objects.keys() - present:
        s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=objects[key])
    return present - objects.keys()


def _apply(
    settings: Settings, template_url: str, values: Mapping[str, str], present: Deployed | None, say: Say
) -> Deployed:
    cloudformation = client(settings, "cloudformation")
    if present is not None and present.status in _BROKEN:
        say(f"deleting the stack of an earlier deployment ({present.status})")
        delete_stack(settings, say)
        present = None
    request = {
        "StackName": STACK_NAME,
        "TemplateURL": template_url,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        "Capabilities": _CAPABILITIES,
    }
    since = time.time()
    if present is None:
        cloudformation.create_stack(**request, DisableRollback=True)
    else:
        try:
            cloudformation.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            return present
    _follow(settings, "UPDATE" if present else "CREATE", say)
    deployed = describe(settings)
    if deployed is None or not deployed.complete:
        reason = next(_failures(cloudformation, since), "no resource gives a reason")
        raise LocalStackError(f"the deployment ended {deployed.status if deployed else 'without a stack'}: {reason}")
    return deployed


def delete_stack(settings: Settings, say: Say) -> None:
    """Delete the stack, and wait for its end. Raises LocalStackError when that takes too long."""
    client(settings, "cloudformation").delete_stack(StackName=STACK_NAME)
    _follow(settings, "DELETE", say)


def _follow(settings: Settings, verb: str, say: Say) -> None:
    """Wait for the operation's end, saying how many resources are done."""
    cloudformation = client(settings, "cloudformation")
    deadline = time.monotonic() + _SECONDS
    pause, say_at = 0.1, 0.0
    while True:
        present = describe(settings)
        if present is None or not present.status.endswith("IN_PROGRESS"):
            return
        if time.monotonic() >= deadline:
            raise LocalStackError(f"the deployment is still {present.status} after {_SECONDS:.0f} s; see `make logs`")
        if (began := time.monotonic()) > say_at:
            resources = cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
            done = sum(each["ResourceStatus"] == f"{verb}_COMPLETE" for each in resources)
            say(f"{verb.lower()}: {done} resources done")
            # LocalStack takes a second of the deployment for the answer.
            say_at = time.monotonic() + 2 + 10 * (time.monotonic() - began)
        time.sleep(pause)
        pause = min(1.0, pause * 1.5)


def _failures(cloudformation: Any, since: float) -> Iterator[str]:
    """`LogicalId (Type): reason` of each resource that failed since, the first one first."""
    events = [
        event
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=STACK_NAME)
        for event in page["StackEvents"]
    ]
    for event in sorted(events, key=lambda each: each["Timestamp"]):
        failed = event["ResourceStatus"].endswith("_FAILED")
        if failed and event["Timestamp"].timestamp() >= since - 1 and event["LogicalResourceId"] != STACK_NAME:
            reason = " ".join(event.get("ResourceStatusReason", "no reason given").split())
            yield f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"


def _one_line(error: Exception) -> str:
    if isinstance(error, ClientError):
        return " ".join(str(error.response.get("Error", {}).get("Message", error)).split())
    return " ".join(str(error).split())
