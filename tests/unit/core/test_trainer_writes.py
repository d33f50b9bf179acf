"""What the trainer writes to the jobs table is what its role may write: IAM names keys, attributes and the answer."""

from fnmatch import fnmatchcase
from typing import Any

import boto3
import pytest

from infra.local.packaging import read_template
from infra.local.settings import ROOT
from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_table import COUNTER, JobsTable
from mlops.domain.job import Job, Sweep
from tests.support.tables import make_table

JOB = "job_000001"


def _condition(action: str) -> dict[str, Any]:
    """Return the condition of a permission of the trainer."""
    role = read_template(ROOT / "template.yaml")["Resources"]["TrainerRole"]["Properties"]
    (statement,) = [
        statement
        for policy in role["Policies"]
        for statement in policy.get("PolicyDocument", {}).get("Statement", [])
        if statement.get("Action") == action
    ]
    found: dict[str, Any] = statement["Condition"]
    return found


@pytest.fixture
def condition() -> dict[str, Any]:
    """The condition of its permission to update jobs."""
    return _condition("dynamodb:UpdateItem")


@pytest.fixture
def reading() -> dict[str, Any]:
    """The condition of its permission to read how the other runs of a sweep did."""
    return _condition("dynamodb:BatchGetItem")


@pytest.fixture
def requests(aws: None) -> list[dict[str, Any]]:
    """What the trainer's side of the table writes in the life of three jobs, one of which a sweep prunes."""
    resource = boto3.resource("dynamodb")
    make_table("JobsTable", "jobs")
    table = JobsTable(DynamoTable(resource.Table("jobs")))
    for job_id in (JOB, "job_000002", "job_000003"):
        table.create(Job(job_id))
    sent: list[dict[str, Any]] = []
    resource.meta.client.meta.events.register(
        "before-parameter-build.dynamodb.UpdateItem", lambda params, **_: sent.append(dict(params))
    )
    other = JobsTable(DynamoTable(resource.Table("jobs")))
    other.started(JOB, 1, "run", {"seed": 1}, 2)
    other.progressed(JOB, 1, 1, {"loss": 0.5})
    other.completed(JOB, 1, {"accuracy": 0.9}, 3)
    other.failed("job_000002", 1, "out of memory")
    assert other.claim_trial("job_000003", 0, {"dropout": 0.1})
    other.progressed("job_000003", 1, 1, {"val_loss": 0.5}, {1: -0.5})
    other.pruned("job_000003", 1, "worse than the others")
    assert table.job(JOB).model_version == 3
    assert table.job("job_000002").error == "out of memory"
    return sent


def test_the_role_may_write_what_the_trainer_writes_and_no_more(
    condition: dict[str, Any], requests: list[dict[str, Any]]
) -> None:
    named = {name for request in requests for name in request["ExpressionAttributeNames"].values()}
    assert named | {"job_id"} == set(condition["ForAllValues:StringEquals"]["dynamodb:Attributes"])


def test_the_role_may_write_records_of_runs_alone(condition: dict[str, Any]) -> None:
    (pattern,) = condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert fnmatchcase(JOB, pattern)
    assert not [key for key in (COUNTER, "sweep_000001", Sweep.KIND) if fnmatchcase(key, pattern)]


def test_the_role_is_answered_with_its_own_changes_alone(
    condition: dict[str, Any], requests: list[dict[str, Any]]
) -> None:
    assert {request["ReturnValues"] for request in requests} == {condition["StringEquals"]["dynamodb:ReturnValues"]}


def test_the_role_may_read_what_a_sweep_compares_and_no_more(
    reading: dict[str, Any], requests: list[dict[str, Any]]
) -> None:
    resource = boto3.resource("dynamodb")
    read: list[dict[str, Any]] = []
    resource.meta.client.meta.events.register(
        "before-parameter-build.dynamodb.BatchGetItem", lambda params, **_: read.append(dict(params))
    )
    (run,) = JobsTable(DynamoTable(resource.Table("jobs"))).trials(["job_000003"])
    assert (run.status, run.worker, run.asked, run.curve) == ("pruned", 0, {"dropout": 0.1}, {1: -0.5})
    ((asked,),) = (request["RequestItems"].values() for request in read)
    named = set(asked["ExpressionAttributeNames"].values())
    assert named == set(reading["ForAllValues:StringEquals"]["dynamodb:Attributes"])
    assert not {"request", "actor"} & named
