"""What a key may do: its role, and the models that it is for.

Imports only the standard library, because predict reads the rules at its cold start.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from mlops.domain.errors import Forbidden, SessionExpired
from mlops.domain.manifest import SERVING_PREFIX

Role = Literal["predict", "read", "feedback", "train", "approve", "admin"]
RANK: dict[Role, int] = {role: rank for rank, role in enumerate(get_args(Role))}
"""Each role may do what the roles before it may do."""
ALL_MODELS = ("*",)
ACCESS_KEY = f"{SERVING_PREFIX}_access.json"
"""The file that tells predict what each key may do. A model's name cannot begin with an underscore."""
MAX_ACCESS_BYTES = 8 << 20


@dataclass(frozen=True)
class Grant:
    """What a key may do.

    Attributes:
        role: One of `Role`. A role of a later version of the platform has no rank here, and allows nothing.
        models: Names of models and of experiments. One that ends in `*` stands for all names with this beginning.
        until: When it ends, in seconds since 1970: of a personal key. None is never.
    """

    role: str
    models: tuple[str, ...] = ALL_MODELS
    until: int | None = None

    @property
    def is_for_all(self) -> bool:
        return "*" in self.models

    def has(self, needed: Role) -> bool:
        """Return whether the role is `needed`, or one that may do more."""
        return RANK.get(self.role, -1) >= RANK[needed]  # type: ignore[call-overload,no-any-return]

    def covers(self, name: str) -> bool:
        """Return whether the key is for the model or experiment of this name."""
        return name in self.models or name.startswith(self._beginnings)

    @cached_property
    def _beginnings(self) -> tuple[str, ...]:
        return tuple(pattern[:-1] for pattern in self.models if pattern.endswith("*"))

    def covers_pattern(self, pattern: str) -> bool:
        """Return whether the key is for all names of a pattern, which is a name or ends in `*`."""
        return any(own == pattern or (own[-1:] == "*" and pattern.startswith(own[:-1])) for own in self.models)


@dataclass(frozen=True)
class Caller:
    """The key of a request: the name that the history shows, its owner, and what it may do."""

    name: str
    role: str
    models: tuple[str, ...] = ALL_MODELS
    owner: str = ""
    key_id: str = ""
    until: int | None = None

    @property
    def grant(self) -> Grant:
        return Grant(self.role, self.models, self.until)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Caller":
        """Read an item of the table of keys. One of an earlier version has no models, and is its own owner."""
        name = str(record["name"])
        return cls(
            name=name,
            role=str(record["role"]),
            models=tuple(map(str, record.get("models") or ALL_MODELS)),
            owner=str(record.get("owner") or name),
            key_id=str(record["key_id"]),
            until=None if record.get("until") is None else int(record["until"]),
        )


def require_unexpired(until: int | None, now: float) -> None:
    """Check that a key holds at a time, both in seconds since 1970.

    Raises:
        SessionExpired: It is a personal key that has ended.
    """
    if until is not None and now >= until:
        raise SessionExpired("This personal key has ended; sign in again: POST /session with a new token")


def require(caller: Caller, needed: Role, what: str = "this request") -> None:
    """Check that a caller has the role `needed`, or one that may do more.

    Raises:
        Forbidden: It has not. Names the roles that may do `what`.
    """
    if caller.grant.has(needed):
        return
    *others, last = [role for role, rank in RANK.items() if rank >= RANK[needed]]
    enough = f"{', '.join(others)} or {last}" if others else last
    raise Forbidden(f"The key {caller.name!r} has the role {caller.role!r}; {what} needs the role {enough}")


def require_name(caller: Caller, name: str, kind: Literal["model", "experiment"] = "model") -> None:
    """Check that a caller's key is for a model or an experiment.

    Raises:
        Forbidden: It is not. Says for which names it is.
    """
    if not caller.grant.covers(name):
        raise Forbidden(
            f"The key {caller.name!r} is for {', '.join(caller.models)}, and not for the {kind} {name!r}; ask an "
            f"operator for a key whose models include it"
        )


def require_all(caller: Caller, what: str) -> None:
    """Check that a caller's key is for all models.

    Raises:
        Forbidden: It is not. Says that `what` needs it.
    """
    if not caller.grant.is_for_all:
        raise Forbidden(
            f"The key {caller.name!r} is for {', '.join(caller.models)}; {what} needs a key for all models ('*')"
        )


def require_patterns(caller: Caller, patterns: Iterable[str], what: str) -> None:
    """Check that a caller's key is for all names of some patterns.

    Raises:
        Forbidden: It is not. Says for which names it is, and that `what` has others.
    """
    for pattern in patterns:
        if not caller.grant.covers_pattern(pattern):
            raise Forbidden(
                f"The key {caller.name!r} is for {', '.join(caller.models)}, and {what} has {pattern!r}; ask an "
                "operator for a key whose models include it"
            )


class AccessError(ValueError):
    """The file of grants cannot be read."""


def grants_to_json(grants: Mapping[str, Grant]) -> bytes:
    """Return the file of grants, by the id of the key."""
    keys = {
        key_id: {field: value for field, value in asdict(grant).items() if value is not None}
        for key_id, grant in sorted(grants.items())
    }
    return json.dumps({"keys": keys}, separators=(",", ":")).encode()


def grants_from_json(data: bytes) -> dict[str, Grant]:
    """Read the file of grants. Unknown fields are ignored.

    Raises:
        AccessError: It is not such a file.
    """
    try:
        keys = json.loads(data)["keys"]
        return {str(key_id): Grant(str(entry["role"]), _models(entry), _until(entry)) for key_id, entry in keys.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise AccessError(f"the file of grants cannot be read: {error!r}") from error


def _models(entry: Mapping[str, Any]) -> tuple[str, ...]:
    models: Iterable[Any] = entry["models"]
    if isinstance(models, str):
        raise TypeError("models is a text")
    return tuple(map(str, models))


def _until(entry: Mapping[str, Any]) -> int | None:
    return None if entry.get("until") is None else int(entry["until"])
