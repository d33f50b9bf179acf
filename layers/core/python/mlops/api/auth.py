"""Who may do what. API Gateway says whose key it is; the table says the key's name and role."""

import os
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import boto3

from mlops.domain.errors import Forbidden

Role = Literal["predict", "read", "admin"]
CACHE_SECONDS = 60.0


@dataclass(frozen=True)
class Caller:
    name: str
    role: Role


class AccessKeys:
    """Adapter of the table `ACCESS_KEYS_TABLE` (key `key_id`: API Gateway's id of the key, never its value).

    It calls boto3's table itself, because `mlops.api` does not import `mlops.aws`.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self._known: dict[str, tuple[float, Caller]] = {}

    @classmethod
    def from_environment(cls) -> "AccessKeys":
        return _keys_of(os.environ["ACCESS_KEYS_TABLE"])

    def caller(self, key_id: str) -> Caller:
        """Raises Forbidden for a key that API Gateway knows but the platform does not."""
        checked, caller = self._known.get(key_id, (0.0, None))
        if caller is None or time.monotonic() - checked > CACHE_SECONDS:
            item = self._table.get_item(Key={"key_id": key_id}).get("Item")
            if item is None:
                raise Forbidden("This API key has no role; make one with `make key NAME=… ROLE=…`")
            caller = Caller(name=str(item["name"]), role=item["role"])
            self._known[key_id] = (time.monotonic(), caller)
        return caller

    def add(self, key_id: str, name: str, role: Role) -> None:
        self._table.put_item(Item={"key_id": key_id, "name": name, "role": role})


def authorise(caller: Caller, method: str) -> None:
    """`read` may GET, `admin` may do all; the predict routes, which every role may call, do not come here.

    Raises:
        Forbidden: names the role it takes.
    """
    if caller.role == "admin" or (caller.role == "read" and method in ("GET", "HEAD")):
        return
    needed = "read or admin" if method in ("GET", "HEAD") else "admin"
    raise Forbidden(f"The key {caller.name!r} has the role {caller.role!r}; this request takes the role {needed}")


@cache
def _keys_of(name: str) -> AccessKeys:
    return AccessKeys(boto3.resource("dynamodb").Table(name))
