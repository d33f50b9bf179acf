"""`make deploy DRY=1`: what a deployment would make, what can be checked before it, and what cannot.

It only reads. A check that the caller may not make, or that AWS does not answer, is named as one that was not made.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import stacks
from infra.deploy.environments import ROOT, DeployEnvironment
from infra.deploy.errors import DeployError
from infra.deploy.images import images_of
from infra.deploy.service_roles import missing_roles
from infra.local.packaging import read_template

Client = Callable[[str], Any]
UNCHECKED = (
    "whether your role may make everything in the template",
    "whether Fargate has Spot capacity",
    "whether a service control policy of your organisation forbids something",
    "what it will cost: docs/cost.md has the arithmetic",
)

# By the first letter of the instance types. A new account may run none of them.
GPU_QUOTAS = {
    "g": ("L-DB2E81BA", "vCPUs of EC2's instances G and VT on demand"),
    "p": ("L-417A185B", "vCPUs of EC2's instances P on demand"),
}


@dataclass(frozen=True)
class Quota:
    """A quota of Service Quotas, and how much of it this deployment needs."""

    service: str
    code: str
    name: str
    needed: float


def quotas(parameters: dict[str, str]) -> list[Quota]:
    """Return the quotas that a new account is known to have too low. The vCPUs are those of all queues together."""
    on_demand = float(parameters["MaxTrainingVcpus"]) + float(parameters["MaxScoringVcpus"]) + 1  # one migrates
    types = list(filter(None, parameters["GpuInstanceTypes"].split(",")))
    of_gpus = [quota for family, quota in GPU_QUOTAS.items() if any(each.startswith(family) for each in types)]
    return [
        # Of fewer than this many, one busy function leaves none for the others.
        Quota("lambda", "L-B99A9384", "concurrent executions of Lambda", 100),
        Quota("fargate", "L-3032A538", "vCPUs of Fargate on demand", on_demand),
        Quota("fargate", "L-36FBB829", "vCPUs of Fargate Spot", float(parameters["MaxTrainingVcpus"])),
        *(Quota("ec2", code, name, float(parameters["MaxGpuVcpus"])) for code, name in of_gpus),
    ]


def print_plan(target: DeployEnvironment, client: Client, say: Callable[[str], None] = print) -> None:
    """Say what would be made, and check what can be.

    Raises:
        DeployError: At the end, if the deployment would fail.
    """
    say("would make:")
    for line in _made(target, client):
        say(f"  {line}")
    say("checked:")
    failed = 0
    for label, check in _checks(target, client):
        try:
            say(f"  ✔ {label}: {check()}")
        except DeployError as error:
            failed += 1
            say(f"  ✘ {label}: {error}")
        except (BotoCoreError, ClientError) as error:
            say(f"  ? {label}: not checked, {' '.join(str(error).split())}")
    say("cannot be checked:")
    for line in UNCHECKED:
        say(f"  {line}")
    if failed:
        raise DeployError(f"{failed} of the checks above failed; nothing was made")
    say("nothing was made")


def _made(target: DeployEnvironment, client: Client) -> Iterator[str]:
    template = read_template(ROOT / "template.yaml")
    types = Counter(each["Type"] for each in template["Resources"].values())
    yield f"the stack {target.stack}, or its changes: of up to {types.total()} resources and three nested stacks"
    names = {"Serverless::Function": "functions", "DynamoDB::Table": "tables", "SQS::Queue": "queues"}
    yield ", ".join(f"{types[f'AWS::{kind}']} {name}" for kind, name in names.items())
    yield f"a database {target.parameters['DatabaseInstanceClass']}, most of what an idle stack costs"
    for name, _ in images_of(target.parameters).values():
        yield f"an image in the repository {target.stack}/{name}, and the repository if it is missing"
    try:
        for service in missing_roles(client("iam")):
            yield f"the service-linked role of {service}, which the account does not have"
    except (BotoCoreError, ClientError) as error:
        yield f"service-linked roles, if they are missing: {' '.join(str(error).split())}"


def _checks(target: DeployEnvironment, client: Client) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "Docker", _docker
    yield "the stack", lambda: stacks.check_state(client("cloudformation"), target.stack, target.name) or "is new"
    for quota in quotas(dict(target.parameters)):
        yield quota.name, partial(_quota, client, quota)


def _docker() -> str:
    if shutil.which("docker") is None:
        raise DeployError("is not installed; it builds the two images")
    return "is installed"


def _quota(client_of: Client, quota: Quota) -> str:
    """Compare the account's quota. One that was never raised is only in the list of defaults."""
    client = client_of("service-quotas")
    asked = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        value = client.get_service_quota(**asked)["Quota"]["Value"]
    except client.exceptions.NoSuchResourceException:
        value = client.get_aws_default_service_quota(**asked)["Quota"]["Value"]
    if value < quota.needed:
        raise DeployError(
            f"{value:g} of the {quota.needed:g} that are needed at full load; ask for more: aws service-quotas "
            f"request-service-quota-increase --service-code {quota.service} --quota-code {quota.code} "
            f"--desired-value {quota.needed:g}"
        )
    return f"{value:g}, and {quota.needed:g} are needed at full load"
