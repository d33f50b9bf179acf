"""API keys: a key in API Gateway, in the stack's usage plan; whose it is and what it may do, in the table of keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, get_args

from mlops_client.errors import BadInput
from mlops_client.operator import aws
from mlops_client.operator.grants import GrantsFile

Role = Literal["predict", "read", "feedback", "train", "approve", "admin"]
MAX_NAME_LENGTH = 100
ALL_MODELS = ("*",)
_PATTERN = re.compile(r"\*|[^*\x00-\x1f\x7f-\x9f]{1,200}\*?")


class UnknownKey(BadInput):
    """There is no such key in the stack's usage plan."""


class ApiKey(TypedDict):
    """A key without its value, which is shown only when it is created; `until` is when a personal key ends."""

    id: str
    name: str
    role: str
    models: list[str]
    owner: str
    until: str | None


class Keys:
    """The keys of one deployed stack. Other keys of the AWS account are not changed.

    Args:
        outputs: The stack's outputs by name.
    """

    def __init__(self, outputs: dict[str, str]) -> None:
        session = aws.session()
        self._outputs = outputs
        self._gateway: Any = session.client("apigateway")
        self._table: Any = session.resource("dynamodb").Table(outputs["AccessKeysTableName"])
        self._grants = GrantsFile(session.client("s3"), outputs["ArtifactBucketName"], self._table)

    @classmethod
    def of(cls, stack: str) -> Keys:
        """Return the keys of a stack. Raises as `aws.stack_outputs`."""
        return cls(aws.stack_outputs(stack))

    @aws.translated_errors()
    def create(self, name: str, role: str, owner: str, models: Sequence[str] = ALL_MODELS) -> tuple[str, str]:
        """Create a key, and return its ID and its value.

        What it may do is written before the key becomes valid, so that no key works without a role.

        Args:
            name: The name that the history shows.
            role: One of `Role`.
            owner: The person or team that the key belongs to. It cannot be changed later.
            models: The models and experiments that it is for, by name. A name that ends in `*` stands for all names
                with this beginning.

        Raises:
            BadInput: An argument is not valid.
        """
        if role not in get_args(Role):
            raise BadInput(f"there is no role {role!r}; choose one of {', '.join(get_args(Role))}")
        _check_text("name", name)
        _check_text("owner", owner)
        if not models:
            raise BadInput("a key needs at least one model; '*' stands for all")
        for pattern in models:
            if not _PATTERN.fullmatch(pattern):
                raise BadInput(f"{pattern!r} is not the name of a model, or its beginning followed by one '*'")
        key = self._gateway.create_api_key(name=f"{self._outputs['StackName']}-{name}", enabled=True)
        self._table.put_item(
            Item={"key_id": key["id"], "name": name, "role": role, "owner": owner, "models": list(models)},
            ConditionExpression="attribute_not_exists(key_id)",
        )
        self._grants.write()
        self._gateway.create_usage_plan_key(usagePlanId=self._plan, keyId=key["id"], keyType="API_KEY")
        return key["id"], key["value"]

    @aws.translated_errors()
    def all(self) -> list[ApiKey]:
        """Return the keys, ordered by name."""
        keys: list[ApiKey] = []
        for page in self._gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=self._plan):
            for key in page["items"]:
                item = self._table.get_item(Key={"key_id": key["id"]}).get("Item", {})
                name = str(item.get("name", key.get("name", "")))
                keys.append(
                    {
                        "id": key["id"],
                        "name": name,
                        "role": str(item.get("role", "none")),
                        "models": list(map(str, item.get("models") or ALL_MODELS)),
                        "owner": str(item.get("owner") or name),
                        "until": _moment(item.get("until")),
                    }
                )
        return sorted(keys, key=lambda key: (key["name"], key["id"]))

    @aws.translated_errors()
    def rotate(self, name: str) -> tuple[str, list[str]]:
        """Create a new key with the name, owner, role and models of an existing one, which is no personal key.

        Returns:
            The new key's value, and the IDs of the old keys. Revoke them when nobody uses them any more.

        Raises:
            UnknownKey: No key has that name.
        """
        old = [key for key in self.all() if key["name"] == name and key["until"] is None]
        if not old:
            raise UnknownKey(f"there is no key with the name {name!r}; list the keys: `mlops keys list` or `make keys`")
        latest = old[0]
        value = self.create(name, latest["role"], latest["owner"], latest["models"])[1]
        return value, [key["id"] for key in old]

    @aws.translated_errors()
    def revoke(self, key_id: str) -> None:
        """Delete a key. API Gateway refuses it at once, and functions that have just used it within a minute.

        Raises:
            UnknownKey: It is not a key of this stack.
        """
        if key_id not in [key["id"] for key in self.all()]:
            raise UnknownKey(f"there is no key with the id {key_id!r}; list the keys: `mlops keys list` or `make keys`")
        self._gateway.delete_usage_plan_key(usagePlanId=self._plan, keyId=key_id)
        self._gateway.delete_api_key(apiKey=key_id)
        self._table.delete_item(Key={"key_id": key_id})
        self._grants.write()

    @property
    def _plan(self) -> str:
        return self._outputs["UsagePlanId"]


def _moment(seconds: Any) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _check_text(field: str, text: str) -> None:
    if not text or len(text) > MAX_NAME_LENGTH or "/" in text or not text.isprintable():
        raise BadInput(
            f"the {field} {text!r} is not valid; use 1 to {MAX_NAME_LENGTH} printable characters without a slash"
        )
