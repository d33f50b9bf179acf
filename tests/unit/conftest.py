"""Real adapters on moto's AWS: the same code as in production, another endpoint's worth of state per test."""

import asyncio
import sys
from collections.abc import Iterator

import pytest
from moto import mock_aws

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.jobs_table import JobsTable
from mlops.aws.transitions_table import TransitionsTable
from tests.support.tables import make_table

RECURSION = 5000
"""moto parses an expression with several calls for each of its parts, on top of pytest's own deep stack."""


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
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION))
    with mock_aws():
        yield
    sys.setrecursionlimit(limit)


@pytest.fixture
def jobs(aws: None) -> JobsTable:
    return JobsTable(DynamoTable(make_table("JobsTable", "jobs")))


@pytest.fixture
def transitions(aws: None) -> TransitionsTable:
    return TransitionsTable(DynamoTable(make_table("TransitionsTable", "transitions")))
