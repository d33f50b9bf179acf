"""The service-linked roles that a fresh account lacks.

Batch, ECS and RDS make theirs at the first resource. A stack makes several at the same time, and all but the first
may fail.
"""

from typing import Any

ROLES = {
    "AWSServiceRoleForBatch": "batch.amazonaws.com",
    "AWSServiceRoleForECS": "ecs.amazonaws.com",
    "AWSServiceRoleForRDS": "rds.amazonaws.com",
}


def missing_roles(iam: Any) -> list[str]:
    """Return the names of the roles that the account does not have."""
    return [name for name in ROLES if not _exists(iam, name)]


def make_roles(iam: Any) -> list[str]:
    """Make the roles that are missing, and return their names. One that somebody else makes meanwhile is no error."""
    missing = missing_roles(iam)
    for name in missing:
        try:
            iam.create_service_linked_role(AWSServiceName=ROLES[name])
        except iam.exceptions.InvalidInputException as error:
            if "has been taken" not in str(error):
                raise
    return missing


def _exists(iam: Any, name: str) -> bool:
    try:
        iam.get_role(RoleName=name)
    except iam.exceptions.NoSuchEntityException:
        return False
    return True
