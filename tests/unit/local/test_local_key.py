"""The stack's own key: kept while it is valid, and with an owner in the table of keys."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.local import deploy
from infra.local.environment import write_env
from infra.local.settings import STACK_NAME, Settings
from infra.local.stack import Stack
from tests.support.tables import make_table


@pytest.fixture
def stack(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    settings = Settings(home=tmp_path)
    monkeypatch.setattr(deploy, "client", lambda _, service: boto3.client(service))
    return Stack(settings, lambda _: None)


@pytest.mark.parametrize(("had", "has"), [(None, "local"), ("team-m", "team-m")])
def test_a_key_from_before_keys_had_owners_gets_one(stack: Stack, had: str | None, has: str) -> None:
    gateway: Any = boto3.client("apigateway")
    table = make_table("AccessKeysTable", "keys")
    key = gateway.create_api_key(name=f"{STACK_NAME}-local", enabled=True)
    plan = gateway.create_usage_plan(name="plan")["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    item = {"key_id": key["id"], "name": "local", "role": "admin"} | ({} if had is None else {"owner": had})
    table.put_item(Item=item)
    write_env(stack.settings.env_file, {"MLOPS_API_KEY": key["value"]})
    outputs = {"StackName": STACK_NAME, "UsagePlanId": plan, "AccessKeysTableName": table.name}
    for _ in range(2):
        assert stack._api_key(deploy.Deployed("CREATE_COMPLETE", outputs)) == key["value"]
    assert table.get_item(Key={"key_id": key["id"]})["Item"] == {**item, "owner": has}
