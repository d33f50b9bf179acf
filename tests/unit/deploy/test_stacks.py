"""A stack that failed, one whose database is protected, one that is busy: what `make deploy` and `make destroy` do."""

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from moto import mock_aws

from infra.deploy import __main__ as command
from infra.deploy import stacks
from infra.deploy.errors import DeployError
from infra.deploy.service_roles import SERVICES, make_roles, missing_roles

STACK = "mlops-dev"
TABLE = {
    "Resources": {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            },
        }
    }
}


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


class CloudFormation:
    """A stack with a nested one that has a database, as CloudFormation lists them; `gone` stacks are refused."""

    def __init__(self, status: str, gone: tuple[str, ...] = (), deletes: bool = True) -> None:
        self.status, self.gone, self.deletes, self.deleted = status, gone, deletes, False
        self.listed = {
            STACK: [("Database", "nested", "AWS::CloudFormation::Stack"), ("Old", "old", "AWS::RDS::DBInstance")],
            "nested": [("Instance", "database-1", "AWS::RDS::DBInstance")],
        }

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        if self.status == "":
            raise self._refusal("DescribeStacks")
        return {"Stacks": [{"StackStatus": self.status}]}

    def get_paginator(self, name: str) -> Any:
        assert name == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> Iterator[dict[str, Any]]:
        if StackName in self.gone:
            raise self._refusal("ListStackResources")
        yield {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": physical,
                    "ResourceType": kind,
                    "ResourceStatus": "DELETE_COMPLETE" if logical == "Old" else "DELETE_FAILED",
                    "ResourceStatusReason": "not empty",
                }
                for logical, physical, kind in self.listed[StackName]
            ]
        }

    def delete_stack(self, StackName: str) -> None:
        self.deleted = True

    def get_waiter(self, name: str) -> Any:
        assert name == "stack_delete_complete"
        return self

    def wait(self, **_: Any) -> None:
        if not self.deletes:
            raise WaiterError("StackDeleteComplete", "it is in DELETE_FAILED", {})

    @staticmethod
    def _refusal(operation: str) -> ClientError:
        return ClientError({"Error": {"Code": "ValidationError", "Message": "Stack does not exist"}}, operation)


def database(protected: bool = True) -> Any:
    rds = boto3.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="database-1",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        MasterUserPassword="only-for-tests",
        DeletionProtection=protected,
    )
    return rds


def test_the_database_of_a_failed_first_deployment_is_found_and_can_be_deleted() -> None:
    rds, client = database(), CloudFormation("ROLLBACK_FAILED")
    protected = stacks.protected_databases(client, rds, STACK)
    assert protected == ["database-1"]
    stacks.delete(client, rds, STACK, protected)
    (described,) = rds.describe_db_instances()["DBInstances"]
    assert described["DeletionProtection"] is False
    assert client.deleted


def test_a_nested_stack_or_a_database_that_is_gone_is_not_in_the_way() -> None:
    rds = boto3.client("rds")
    assert stacks.protected_databases(CloudFormation("ROLLBACK_FAILED", gone=("nested",)), rds, STACK) == []
    assert stacks.protected_databases(CloudFormation("ROLLBACK_FAILED"), rds, STACK) == []
    rds = database(protected=False)
    assert stacks.protected_databases(CloudFormation("CREATE_COMPLETE"), rds, STACK) == []


def test_what_could_not_be_deleted_is_named() -> None:
    with pytest.raises(DeployError, match=r"left, and perhaps not free: Database \(not empty\)") as refused:
        stacks.delete(CloudFormation("DELETE_FAILED", deletes=False), boto3.client("rds"), STACK, [])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "make destroy ENV=dev"),
        ("ROLLBACK_FAILED", "make destroy ENV=dev"),
        ("DELETE_FAILED", "make destroy ENV=dev"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mlops-dev"),
        ("UPDATE_IN_PROGRESS", "wait until"),
    ],
)
def test_a_stack_that_takes_no_update_is_said_with_the_remedy(status: str, remedy: str) -> None:
    with pytest.raises(DeployError, match=remedy):
        stacks.check_state(CloudFormation(status), STACK, "dev")


@pytest.mark.parametrize(
    ("status", "found"), [("", None), ("DELETE_COMPLETE", None), ("UPDATE_COMPLETE", "UPDATE_COMPLETE")]
)
def test_a_stack_that_is_not_there_or_well_can_be_deployed_to(status: str, found: str | None) -> None:
    assert stacks.check_state(CloudFormation(status), STACK, "dev") == found


def test_destroy_lifts_the_protection_only_after_the_name_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    rds, client = database(), CloudFormation("ROLLBACK_FAILED")
    clients = {"cloudformation": client, "rds": rds, "sts": boto3.client("sts")}
    clients["apigateway"] = boto3.client("apigateway")
    monkeypatch.setattr(command.boto3, "client", lambda name: clients[name])
    for answer, code, protected in (("no\n", 1, True), (f"{STACK}\n", 0, False)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert command.main(["destroy"]) == code
        assert rds.describe_db_instances()["DBInstances"][0]["DeletionProtection"] is protected
        assert "its protected database" in capsys.readouterr().out


def test_destroy_revokes_the_keys_of_the_stack_alone(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """CloudFormation does not know them. Left over they would count against the account's quota for ever."""
    client, gateway = CloudFormation("CREATE_COMPLETE"), boto3.client("apigateway")
    plan = gateway.create_usage_plan(name=STACK)["id"]
    client.listed = {STACK: [("UsagePlan", plan, "AWS::ApiGateway::UsagePlan")]}
    other = gateway.create_api_key(name="other", enabled=True)["id"]
    for name in ("ann", "ben"):
        key = gateway.create_api_key(name=name, enabled=True)["id"]
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    clients = {"cloudformation": client, "rds": boto3.client("rds"), "sts": boto3.client("sts"), "apigateway": gateway}
    monkeypatch.setattr(command.boto3, "client", lambda name: clients[name])
    for answer, left in (("no\n", 3), (f"{STACK}\n", 1)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        command.main(["destroy"])
        keys = [each["id"] for each in gateway.get_api_keys()["items"]]
        assert (len(keys), other in keys) == (left, True)
    assert "revoked 2 API keys" in capsys.readouterr().out


def test_destroy_deletes_a_real_stack_and_then_says_there_is_none(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    client = boto3.client("cloudformation")
    client.create_stack(StackName=STACK, TemplateBody=json.dumps(TABLE))
    (made,) = stacks.resources(client, STACK)
    assert made["LogicalResourceId"] == "Table"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{STACK}\n"))
    assert command.main(["destroy"]) == 0
    assert boto3.client("dynamodb").list_tables()["TableNames"] == []
    assert command.main(["destroy"]) == 1
    assert "there is no stack mlops-dev" in capsys.readouterr().err


def test_a_fresh_account_gets_the_three_roles_once() -> None:
    iam = boto3.client("iam")
    assert missing_roles(iam) == list(SERVICES)
    assert make_roles(iam) == list(SERVICES)
    assert make_roles(iam) == []
    assert len(iam.list_roles()["Roles"]) == len(SERVICES)


@pytest.mark.parametrize(("text", "harmless"), [("Service role name X has been taken", True), ("no such", False)])
def test_a_role_that_somebody_else_makes_meanwhile_is_no_error(
    monkeypatch: pytest.MonkeyPatch, text: str, harmless: bool
) -> None:
    iam = boto3.client("iam")

    def refuse(**_: Any) -> None:
        raise iam.exceptions.InvalidInputException({"Error": {"Code": "InvalidInput", "Message": text}}, "Create")

    monkeypatch.setattr(iam, "create_service_linked_role", refuse)
    if harmless:
        make_roles(iam)
        return
    with pytest.raises(ClientError, match="no such"):
        make_roles(iam)
