"""Principals of AWS IAM: who has signed a request, as API Gateway says."""

import re

from mlops.domain.errors import Forbidden
from sessions.person import Person, owner_of

_ASSUMED = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/(?P<session>[^/]+)"
)
_USER = re.compile(r"arn:[^:]+:iam::\d{12}:user/(?:[^/]+/)*(?P<name>[^/]+)")
IDENTITY_CENTER = "AWSReservedSSO_"
"""How roles begin that only IAM Identity Center gives out, with the person's own name for the session."""


def person_of(arn: str) -> Person:
    """Return who a principal is, from the ARN of a signed request.

    Whoever may assume a role chooses the name of the session. So all who use one role are one owner, and cannot approve
    for each other, except with roles of IAM Identity Center.

    Raises:
        Forbidden: It is neither a role nor a user.
    """
    if found := _ASSUMED.fullmatch(arn):
        own = found["session"] if found["role"].startswith(IDENTITY_CENTER) else found["role"]
        role = f"arn:{found['partition']}:iam::{found['account']}:role/{found['role']}"
        return Person(owner_of(own, "The name of the role or of its session"), (role,))
    if found := _USER.fullmatch(arn):
        return Person(owner_of(found["name"], "The name of the IAM user"), (arn,))
    raise Forbidden(f"{arn} is neither a role nor a user of IAM; sign the request as one of them")
