"""Fixtures: the feedback table on moto, and answers as predict keeps them."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from mlops.aws.dynamodb import DynamoTable
from mlops.aws.feedback_table import FeedbackTable
from tests.support.tables import make_table


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


@pytest.fixture
def raw_table(aws: None) -> Any:
    return make_table("FeedbackTable", f"feedback-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def table(raw_table: Any) -> FeedbackTable:
    return FeedbackTable(DynamoTable(raw_table))
