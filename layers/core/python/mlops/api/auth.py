"""Decide who may do what. API Gateway checks the key; a table has its name, its owner, its role and its models."""

import os
import time
from functools import cache
from typing import Any

import boto3

from mlops.domain.access import ALL_MODELS as ALL_MODELS
from mlops.domain.access import Caller as Caller
from mlops.domain.access import Role as Role
from mlops.domain.access import require as require
from mlops.domain.access import require_all as require_all
from mlops.domain.access import require_name as require_name
from mlops.domain.access import require_patterns as require_patterns
from mlops.domain.access import require_unexpired
from mlops.domain.errors import Forbidden

CACHE_SECONDS = 60.0


class AccessKeys:
    """Adapter of the table `ACCESS_KEYS_TABLE`. Its key `key_id` is API Gateway's id of an API key, not its value.

    It calls boto3's table itself, because `mlops.api` does not import `mlops.aws`.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self._known: dict[str, tuple[float, Caller]] = {}

    @classmethod
    def from_environment(cls) -> "AccessKeys":
        return _keys_of(os.environ["ACCESS_KEYS_TABLE"])

    def caller(self, key_id: str) -> Caller:
        """Return whose key it is, and what it may do.

        Raises:
            Forbidden: The key is valid, but has no role.
            SessionExpired: It is a personal key that has ended.
        """
        checked, caller = self._known.get(key_id, (0.0, None))
        if caller is None or time.monotonic() - checked > CACHE_SECONDS:
            item = self._table.get_item(Key={"key_id": key_id}).get("Item")
            if item is None:
                raise Forbidden(
                    "This API key has no role. Ask an operator for a key with a role: make key NAME=… OWNER=… ROLE=…"
                )
            caller = Caller.from_record(item)
            self._known[key_id] = (time.monotonic(), caller)
        require_unexpired(caller.until, time.time())
        return caller

    def add(
        self, key_id: str, name: str, role: Role, models: tuple[str, ...] = ALL_MODELS, owner: str | None = None
    ) -> None:
        """Give a key a name, a role, the models that it is for, and an owner, by default its name."""
        item = {"key_id": key_id, "name": name, "role": role, "models": list(models), "owner": owner or name}
        self._table.put_item(Item=item)


def authorise(caller: Caller, method: str, changes: Role = "admin") -> None:
    """Check that a role allows a method: GET needs `read`, and any other one needs `changes`.

    Every role may call the predict routes, which do not use this function.

    Raises:
        Forbidden: The role does not allow it. Names the roles that do.
    """
    require(caller, "read" if method in ("GET", "HEAD") else changes)


def authorise_own(caller: Caller, actor: str | None, what: str) -> None:
    """Check that a caller may stop what `actor` has started: only an admin's key stops what others have started.

    Raises:
        Forbidden: Another key has started it.
    """
    if caller.role != "admin" and caller.name != actor:
        raise Forbidden(
            f"{what} was started by {actor or 'another key'!r}; the key {caller.name!r} has the role {caller.role!r}, "
            "which can cancel only what it has started itself. Ask an admin"
        )


@cache
def _keys_of(name: str) -> AccessKeys:
    return AccessKeys(boto3.resource("dynamodb").Table(name))
