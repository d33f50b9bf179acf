"""A stack as CloudFormation describes it: its state, its resources, and its end."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.deploy.errors import DeployError

DELETE_ATTEMPTS = 240
"""Looks at a stack that is being deleted, 30 s apart: two hours."""
# States that take no update, and what to do in them.
REMEDIES = {
    "ROLLBACK_COMPLETE": "its first deployment failed: make destroy ENV={name}, then deploy again",
    "ROLLBACK_FAILED": "its first deployment failed: make destroy ENV={name}, then deploy again",
    "CREATE_FAILED": "its first deployment failed: make destroy ENV={name}, then deploy again",
    "DELETE_FAILED": "its deletion failed: make destroy ENV={name} says what is left",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name {stack}, then deploy again",
}


def state(client: Any, stack: str) -> str | None:
    """Return the status of a stack, or None if there is none."""
    try:
        found: str = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return None if found in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS") else found


def check_state(client: Any, stack: str, name: str) -> str | None:
    """Return the status of a stack that can be deployed to; `name` is its environment.

    Raises:
        DeployError: CloudFormation would refuse an update.
    """
    found = state(client, stack)
    if found in REMEDIES:
        raise DeployError(f"the stack {stack} is in {found}; {REMEDIES[found].format(name=name, stack=stack)}")
    if found and found.endswith("_IN_PROGRESS"):
        raise DeployError(f"the stack {stack} is in {found}; wait until that has ended, then deploy again")
    return found


def resources(client: Any, stack: str) -> Iterator[dict[str, Any]]:
    """Yield the summaries of the resources that a stack has. A stack that is gone has none."""
    try:
        for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
            for each in page["StackResourceSummaries"]:
                if "PhysicalResourceId" in each and each["ResourceStatus"] != "DELETE_COMPLETE":
                    yield each
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise


def protected_databases(client: Any, rds: Any, stack: str) -> list[str]:
    """Return the identifiers of the databases in a stack and its nested stacks that RDS refuses to delete.

    RDS is asked, and no parameter: after a failed deployment the nested stack may be gone, and its database not.
    """
    found: list[str] = []
    for each in resources(client, stack):
        if each["ResourceType"] == "AWS::CloudFormation::Stack":
            found += protected_databases(client, rds, each["PhysicalResourceId"])
        elif each["ResourceType"] == "AWS::RDS::DBInstance":
            found += [each["PhysicalResourceId"]] if _protected(rds, each["PhysicalResourceId"]) else []
    return found


def _protected(rds: Any, database: str) -> bool:
    try:
        described = rds.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"][0]
    except rds.exceptions.DBInstanceNotFoundFault:
        return False
    return bool(described["DeletionProtection"])


def revoke_keys(client: Any, gateway: Any, stack: str) -> int:
    """Delete the API keys of a stack's usage plan, which CloudFormation knows nothing of; return their number."""
    plans = [each for each in resources(client, stack) if each["ResourceType"] == "AWS::ApiGateway::UsagePlan"]
    keys = [
        key["id"]
        for plan in plans
        for page in gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan["PhysicalResourceId"])
        for key in page["items"]
    ]
    for key in keys:
        gateway.delete_api_key(apiKey=key)
    return len(keys)


def delete(client: Any, rds: Any, stack: str, protected: list[str]) -> None:
    """Lift the protection of the databases, delete the stack, and wait until it is gone.

    Whatever stops it, the same call goes on from there.

    Raises:
        DeployError: Something could not be deleted; the message names it.
    """
    for database in protected:
        rds.modify_db_instance(DBInstanceIdentifier=database, DeletionProtection=False, ApplyImmediately=True)
    client.delete_stack(StackName=stack)
    try:
        waiter = client.get_waiter("stack_delete_complete")
        waiter.wait(StackName=stack, WaiterConfig={"MaxAttempts": DELETE_ATTEMPTS})
    except WaiterError:
        left = [
            f"{each['LogicalResourceId']} ({each.get('ResourceStatusReason', each['ResourceStatus'])})"
            for each in resources(client, stack)
        ]
        raise DeployError(
            f"the stack {stack} is not deleted; left, and perhaps not free: {', '.join(left)}. Remove the cause, then "
            "repeat make destroy"
        ) from None
