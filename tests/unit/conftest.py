"""Real adapters on moto's AWS: the same code as in production, another endpoint's worth of state per test."""

import asyncio
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_table import JobsTable


@pytest.fixture(autouse=True)
def event_loop_policy_as_on_lambda() -> None:
    """The main thread makes its loop on demand, which it no longer does once any test has called `asyncio.run`."""
    asyncio.set_event_loop_policy(None)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


@pytest.fixture
def jobs(aws: None) -> JobsTable:
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("job_id", "kind", "status")]
    indexes = [
        {
            "IndexName": name,
            "KeySchema": [
                {"AttributeName": key, "KeyType": "HASH"},
                {"AttributeName": "job_id", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        for name, key in (("by_time", "kind"), ("by_status", "status"))
    ]
    table = boto3.resource("dynamodb").create_table(
        TableName="jobs",
        AttributeDefinitions=attributes,
        KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=indexes,
        BillingMode="PAY_PER_REQUEST",
    )
    return JobsTable(DynamoTable(table))
