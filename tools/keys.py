"""API keys with roles, made through AWS's own API: a key in API Gateway, in the usage plan, and its role in the table.

python -m tools.keys create --name alice --role read
python -m tools.keys list
python -m tools.keys rotate --name alice     a new value; the old one works until it is revoked
python -m tools.keys revoke --id abcdefghij
"""

import argparse
import os
import sys
from typing import Any, get_args

import boto3

from mlops.api.auth import AccessKeys, Role


class UnknownKey(Exception):
    """There is no such key in the stack's usage plan."""


def stack_outputs(stack: str) -> dict[str, str]:
    """The outputs of a deployed stack by name."""
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


class Keys:
    """The keys of one deployed stack, which `outputs` are of."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self._outputs = outputs
        self._gateway: Any = boto3.client("apigateway")
        self._table: Any = boto3.resource("dynamodb").Table(outputs["AccessKeysTableName"])

    def create(self, name: str, role: Role) -> tuple[str, str]:
        """Make a key; its id and its value, which is shown here and never again by the platform.

        The role is written before the key is let in, so that no key works without one.
        """
        key = self._gateway.create_api_key(name=f"{self._outputs['StackName']}-{name}", enabled=True)
        AccessKeys(self._table).add(key["id"], name, role)
        plan = self._outputs["UsagePlanId"]
        self._gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        return key["id"], key["value"]

    def all(self) -> list[dict[str, str]]:
        """Each key's `id`, `name` and `role`, by name."""
        found = []
        for page in self._gateway.get_paginator("get_usage_plan_keys").paginate(
            usagePlanId=self._outputs["UsagePlanId"]
        ):
            for key in page["items"]:
                item = self._table.get_item(Key={"key_id": key["id"]}).get("Item", {})
                name, role = str(item.get("name", key.get("name", ""))), str(item.get("role", "none"))
                found.append({"id": key["id"], "name": name, "role": role})
        return sorted(found, key=lambda key: (key["name"], key["id"]))

    def rotate(self, name: str) -> tuple[str, list[str]]:
        """A new key of the same name and role; its value, and the ids of those to revoke once nobody uses them.

        Raises:
            UnknownKey: nobody has that name.
        """
        old = [key for key in self.all() if key["name"] == name]
        if not old:
            raise UnknownKey(f"there is no key of {name!r}; `make keys` lists them")
        role: Any = old[0]["role"]
        return self.create(name, role)[1], [key["id"] for key in old]

    def revoke(self, key_id: str) -> None:
        """Let a key in no more: at API Gateway at once, at functions that have just seen it within a minute.

        Raises:
            UnknownKey: it is no key of this stack.
        """
        if key_id not in [key["id"] for key in self.all()]:
            raise UnknownKey(f"there is no key with the id {key_id!r}; `make keys` lists them")
        self._gateway.delete_usage_plan_key(usagePlanId=self._outputs["UsagePlanId"], keyId=key_id)
        self._gateway.delete_api_key(apiKey=key_id)
        self._table.delete_item(Key={"key_id": key_id})


def create_key(name: str, role: Role, outputs: dict[str, str]) -> str:
    """Make a key and return its value."""
    return Keys(outputs).create(name, role)[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.keys", description=__doc__)
    parser.add_argument("command", choices=["create", "list", "rotate", "revoke"])
    parser.add_argument("--name", help="whose key it is; the history names it")
    parser.add_argument("--role", choices=get_args(Role))
    parser.add_argument("--id", help="of the key to revoke")
    parser.add_argument("--stack", default=os.environ.get("MLOPS_STACK", "mlops-dev"))
    options = parser.parse_args()
    needed = {"create": ("name", "role"), "list": (), "rotate": ("name",), "revoke": ("id",)}[options.command]
    if missing := [name for name in needed if not getattr(options, name)]:
        parser.error(f"{options.command} needs {' and '.join(f'--{name}' for name in missing)}")
    keys = Keys(stack_outputs(options.stack))
    try:
        if options.command == "create":
            print(keys.create(options.name, options.role)[1])
        elif options.command == "rotate":
            value, old = keys.rotate(options.name)
            print(value)
            revoke = " && ".join(f"make revoke-key ID={each}" for each in old)
            print(f"when nobody uses the old one any more: {revoke}", file=sys.stderr)
        elif options.command == "revoke":
            keys.revoke(options.id)
        else:
            for key in keys.all():
                print(f"{key['id']:12} {key['role']:8} {key['name']}")
    except UnknownKey as error:
        print(f"✘ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
