"""API keys with roles: a key in API Gateway, in the stack's usage plan, and its role in the table of access keys."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, get_args

from mlops_client.errors import BadInput
from mlops_client.operator import aws

Role = Literal["predict", "read", "feedback", "train", "admin"]
MAX_NAME_LENGTH = 100


class UnknownKey(BadInput):
    """There is no such key in the stack's usage plan."""


class ApiKey(TypedDict):
    """A key without its value, which is shown only when it is created."""

    id: str
    name: str
    role: str


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

    @classmethod
    def of(cls, stack: str) -> Keys:
        """Return the keys of a stack. Raises as `aws.stack_outputs`."""
        return cls(aws.stack_outputs(stack))

    @aws.translated_errors()
    def create(self, name: str, role: str) -> tuple[str, str]:
        """Create a key, and return its ID and its value.

        The role is written before the key becomes valid, so that no key works without a role.

        Raises:
            BadInput: The name or the role is not valid.
        """
        if role not in get_args(Role):
            raise BadInput(f"there is no role {role!r}; choose one of {', '.join(get_args(Role))}")
        if not name or len(name) > MAX_NAME_LENGTH or "/" in name or not name.isprintable():
            raise BadInput(
                f"the name {name!r} is not valid; use 1 to {MAX_NAME_LENGTH} printable characters without a slash"
            )
        key = self._gateway.create_api_key(name=f"{self._outputs['StackName']}-{name}", enabled=True)
        self._table.put_item(Item={"key_id": key["id"], "name": name, "role": role})
        self._gateway.create_usage_plan_key(usagePlanId=self._plan, keyId=key["id"], keyType="API_KEY")
        return key["id"], key["value"]

    @aws.translated_errors()
    def all(self) -> list[ApiKey]:
        """Return the keys, ordered by name."""
        keys: list[ApiKey] = []
        for page in self._gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=self._plan):
            for key in page["items"]:
                item = self._table.get_item(Key={"key_id": key["id"]}).get("Item", {})
                name, role = str(item.get("name", key.get("name", ""))), str(item.get("role", "none"))
                keys.append({"id": key["id"], "name": name, "role": role})
        return sorted(keys, key=lambda key: (key["name"], key["id"]))

    @aws.translated_errors()
    def rotate(self, name: str) -> tuple[str, list[str]]:
        """Create a new key with the name and role of an existing one.

        Returns:
            The new key's value, and the IDs of the old keys. Revoke them when nobody uses them any more.

        Raises:
            UnknownKey: No key has that name.
        """
        old = [key for key in self.all() if key["name"] == name]
        if not old:
            raise UnknownKey(f"there is no key with the name {name!r}; list the keys: `mlops keys list` or `make keys`")
        return self.create(name, old[0]["role"])[1], [key["id"] for key in old]

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

    @property
    def _plan(self) -> str:
        return self._outputs["UsagePlanId"]
