"""The service-linked roles that a fresh account lacks.

Batch, ECS and RDS make theirs at the first resource. A stack makes several at the same time, and all but the first may
fail.
"""

from typing import Any

SERVICES = ("batch.amazonaws.com", "ecs.amazonaws.com", "rds.amazonaws.com")


def missing_roles(iam: Any) -> list[str]:
    """Return the services whose role the account does not have."""
    return [each for each in SERVICES if not iam.list_roles(PathPrefix=f"/aws-service-role/{each}/")["Roles"]]


def make_roles(iam: Any) -> list[str]:
    """Make the roles that are missing, and return their services. One that somebody makes meanwhile is no error."""
    missing = missing_roles(iam)
    for service in missing:
        try:
            iam.create_service_linked_role(AWSServiceName=service)
        except iam.exceptions.InvalidInputException as error:
            if "has been taken" not in str(error):
                raise
    return missing
