"""Decide who may do what. API Gateway checks the key; a table has the key's name and role."""

import os
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import boto3

from mlops.domain.errors import Forbidden

Role = Literal["predict", "read", "feedback", "train", "admin"]
RANK: dict[Role, int] = {role: rank for rank, role in enumerate(get_args(Role))}
"""Each role may do what the roles before it may do."""
CACHE_SECONDS = 60.0


@dataclass(frozen=True)
class Caller:
    name: str
    role: Role


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
        """Return the name and role of a key.

        Raises:
            Forbidden: The key is valid, but has no role.
        """
        checked, caller = self._known.get(key_id, (0.0, None))
        if caller is None or time.monotonic() - checked > CACHE_SECONDS:
            item = self._table.get_item(Key={"key_id": key_id}).get("Item")
            if item is None:
                raise Forbidden(
                    "This API key has no role. Ask an operator for a key with a role: make key NAME=… ROLE=…"
                )
            caller = Caller(name=str(item["name"]), role=item["role"])
            self._known[key_id] = (time.monotonic(), caller)
        return caller

    def add(self, key_id: str, name: str, role: Role) -> None:
        """Give a key a name and a role."""
        self._table.put_item(Item={"key_id": key_id, "name": name, "role": role})


def authorise(caller: Caller, method: str, changes: Role = "admin") -> None:
    """Check that a role allows a method: GET needs `read`, and any other one needs `changes`.

    Every role may call the predict routes, which do not use this function.

    Raises:
        Forbidden: The role does not allow it. Names the roles that do.
    """
    require(caller, "read" if method in ("GET", "HEAD") else changes)


def require(caller: Caller, needed: Role, what: str = "this request") -> None:
    """Check that a caller has the role `needed`, or one that may do more.

    Raises:
        Forbidden: It has not. Names the roles that may do `what`.
    """
    # A role of a later version of the platform has no rank here, and allows nothing.
    if RANK.get(caller.role, -1) >= RANK[needed]:
        return
    *others, last = [role for role, rank in RANK.items() if rank >= RANK[needed]]
    enough = f"{', '.join(others)} or {last}" if others else last
    raise Forbidden(f"The key {caller.name!r} has the role {caller.role!r}; {what} needs the role {enough}")


def authorise_own(caller: Caller, actor: str | None, what: str) -> None:
    """Check that a caller may stop what `actor` has started: a key with the role `train` stops its own only.

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
