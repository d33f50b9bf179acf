"""Personal API keys: keys of API Gateway that end by themselves."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from boto3.dynamodb.conditions import Attr

from mlops.aws.dynamodb import DynamoTable, table_named
from mlops.aws.grants_file import GrantsFile
from mlops.domain.access import Caller, Grant
from mlops.domain.errors import Conflict
from mlops.domain.timestamps import from_milliseconds

HOLDS_SECONDS = 12 * 3600
MOST_KEYS = 10
"""Personal keys that one person may have at a time: API Gateway has a limit for the whole account."""

logger = Logger(child=True)


@dataclass(frozen=True)
class PersonalKey:
    """A key with its value, which nobody can read again."""

    value: str
    caller: Caller


class PersonalKeys:
    """Makes and ends them.

    Args:
        table: The table of keys.
        grants: The file that tells predict of them.
        stack: The stack's name, with which the names of its keys in API Gateway begin.
        usage_plan: Returns the id of the stack's usage plan.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        table: DynamoTable,
        grants: GrantsFile,
        stack: str,
        usage_plan: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._grants, self._stack, self._usage_plan, self._clock = table, grants, stack, usage_plan, clock
        self._gateway: Any = boto3.client("apigateway")

    @classmethod
    def from_environment(cls) -> "PersonalKeys":
        return _personal_keys()

    def make(self, owner: str, grant: Grant) -> PersonalKey:
        """Make a key that holds from now on.

        What it may do is written before it opens anything. If the process dies before the item is written, a key
        remains in API Gateway that is in no usage plan, and so opens nothing. If it dies later, the key ends as others.

        Raises:
            Conflict: The person has too many keys that hold.
            DependencyUnavailable: What predict knows of the keys cannot be written.
        """
        now, plan = int(self._clock()), self._usage_plan()
        ends = sorted(self._ends(owner, now))
        if len(ends) >= MOST_KEYS:
            raise Conflict(
                f"{owner} has {MOST_KEYS} personal keys, which is the limit; end one with DELETE /session, or wait "
                f"until {from_milliseconds(ends[0] * 1000)}"
            )
        made = self._gateway.create_api_key(name=f"{self._stack}-{owner}", description="personal", enabled=True)
        caller = Caller(owner, grant.role, grant.models, owner, made["id"], now + HOLDS_SECONDS)
        self._table.put(
            {
                "key_id": caller.key_id,
                "name": owner,
                "role": grant.role,
                "models": list(grant.models),
                "owner": owner,
                "until": caller.until,
            },
            Attr("key_id").not_exists(),
        )
        self._grants.write()
        self._gateway.create_usage_plan_key(usagePlanId=plan, keyId=caller.key_id, keyType="API_KEY")
        logger.info("personal key made", key_id=caller.key_id, owner=owner, role=grant.role)
        return PersonalKey(made["value"], caller)

    def end(self, caller: Caller) -> Caller:
        """Let a key end now. `reconcile` removes it.

        Raises:
            Conflict: It is no personal key.
        """
        if caller.until is None:
            raise Conflict(f"The key {caller.name!r} is not a personal one and does not end; an operator can revoke it")
        until = int(self._clock())
        self._table.update({"key_id": caller.key_id}, {"until": until}, condition=Attr("until").gt(until))
        self._grants.write()
        return replace(caller, until=until)

    def _ends(self, owner: str, now: int) -> list[int]:
        """Return when the personal keys of a person end that hold now."""
        return [
            int(item["until"])
            for item in self._table.scan()
            if item.get("owner") == owner and item.get("until") is not None and int(item["until"]) > now
        ]


@cache
def _usage_plan() -> str:
    """Return the id of the usage plan. It cannot be a variable: the plan needs the API, and that this function."""
    found = boto3.client("ssm").get_parameter(Name=os.environ["USAGE_PLAN_PARAMETER"])
    return str(found["Parameter"]["Value"])


@cache
def _personal_keys() -> PersonalKeys:
    table = table_named(os.environ["ACCESS_KEYS_TABLE"])
    grants = GrantsFile(table, os.environ["ARTIFACT_BUCKET"])
    return PersonalKeys(table, grants, os.environ["STACK_NAME"], _usage_plan)
