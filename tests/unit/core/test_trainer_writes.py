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


@pytest.fixture
def condition() -> dict[str, Any]:
    """The condition of the trainer's permission to update jobs."""
    role = read_template(ROOT / "template.yaml")["Resources"]["TrainerRole"]["Properties"]
    (statement,) = [
        statement
        for policy in role["Policies"]
        for statement in policy.get("PolicyDocument", {}).get("Statement", [])
        if statement.get("Action") == "dynamodb:UpdateItem"
    ]
    found: dict[str, Any] = statement["Condition"]
    return found


@pytest.fixture
def requests(aws: None) -> list[dict[str, Any]]:
    """What the trainer's side of the table sends in the life of two jobs."""
    resource = boto3.resource("dynamodb")
    make_table("JobsTable", "jobs")
    table = JobsTable(DynamoTable(resource.Table("jobs")))
    for job_id in (JOB, "job_000002"):
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
