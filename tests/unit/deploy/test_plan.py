"""`make deploy DRY=1` makes nothing, says what it would make, and tells a failed check from one that was not made."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.deploy import __main__ as command
from infra.deploy import plan
from infra.deploy.environments import environment
from infra.deploy.errors import DeployError


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "PARAMETERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(plan.shutil, "which", lambda program: f"/usr/bin/{program}")
    with mock_aws():
        yield


class Quotas:
    """Service Quotas: one value for every quota; None is a quota that was never raised; `refused` may not be asked."""

    def __init__(self, value: float | None, default: float = 1000, refused: bool = False) -> None:
        self.value, self.default, self.refused = value, default, refused
        self.exceptions = boto3.session.Session().client("service-quotas", "us-east-1").exceptions

    def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:
        if self.refused:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "GetServiceQuota")
        if self.value is None:
            raise self.exceptions.NoSuchResourceException({"Error": {"Code": "NoSuchResourceException"}}, "Get")
        return {"Quota": {"Value": self.value}}

    def get_aws_default_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:
        return {"Quota": {"Value": self.default}}


def said(quotas: Quotas, fails: bool = False) -> str:
    lines: list[str] = []
    clients = {"service-quotas": quotas}
    try:
        plan.print_plan(environment("dev"), lambda name: clients.get(name) or boto3.client(name), lines.append)
    except DeployError as error:
        assert fails
        lines.append(str(error))
    else:
        assert not fails
    return "\n".join(lines)


def test_it_says_what_it_would_make_and_makes_nothing() -> None:
    text = said(Quotas(1000))
    for part in (
        "the stack mlops-dev",
        "mlops-dev/training",
        "mlops-dev/tracking",
        "role of rds.amazonaws.com",
        "tables",
    ):
        assert part in text
    assert text.endswith("nothing was made")
    assert boto3.client("ecr").describe_repositories()["repositories"] == []
    assert boto3.client("iam").list_roles()["Roles"] == []
    assert boto3.client("cloudformation").list_stacks()["StackSummaries"] == []


@pytest.mark.parametrize("quotas", [Quotas(10), Quotas(None, default=10)])
def test_a_quota_that_is_too_low_is_said_with_the_remedy(quotas: Quotas) -> None:
    text = said(quotas, fails=True)
    assert "✘ concurrent executions of Lambda: 10 of the 100" in text
    assert "--quota-code L-B99A9384 --desired-value 100" in text
    assert "3 of the checks above failed; nothing was made" in text


def test_a_quota_follows_the_parameters() -> None:
    target = environment("dev", ["MaxTrainingVcpus=500", "MaxScoringVcpus=20"])
    assert [quota.needed for quota in plan.quotas(dict(target.parameters))] == [100, 521, 500]


@pytest.mark.parametrize(
    ("types", "codes"),
    [
        ("", []),
        ("g4dn.xlarge,g5.xlarge", ["L-DB2E81BA"]),
        ("p5.4xlarge", ["L-417A185B"]),
        ("g6.xlarge,p5.4xlarge", ["L-DB2E81BA", "L-417A185B"]),
    ],
)
def test_the_quotas_of_gpus_are_looked_at_if_they_are_wanted(types: str, codes: list[str]) -> None:
    target = environment("dev", [f"GpuInstanceTypes={types}", "MaxGpuVcpus=8"])
    found = [quota for quota in plan.quotas(dict(target.parameters)) if quota.service == "ec2"]
    assert [(quota.code, quota.needed) for quota in found] == [(code, 8) for code in codes]


def test_what_may_not_be_asked_is_not_taken_as_good() -> None:
    text = said(Quotas(1000, refused=True))
    assert text.count("not checked, ") == 3
    assert "cannot be checked:" in text


def test_no_docker_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.shutil, "which", lambda program: None)
    assert "✘ Docker: is not installed" in said(Quotas(1000), fails=True)


def test_the_command_reads_only(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    started: list[Any] = []
    made = boto3.client  # moto has no default quotas
    monkeypatch.setattr(command.boto3, "client", lambda name: Quotas(1000) if name == "service-quotas" else made(name))
    monkeypatch.setattr(command.subprocess, "run", lambda *each, **_: started.append(each))
    command.main(["plan", "AlertEmail=a@example.com"])
    assert "mlops-dev in the account" in capsys.readouterr().out
    assert started == []
