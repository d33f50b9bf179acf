"""Training's API as API Gateway asks it."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mlops.aws.batch import Batch, BatchSettings
from mlops.aws.jobs_table import JobsTable
from tests.support.tables import make_table
from training.app import handler

CAP = 4
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="r", function_version="1"
)


@pytest.fixture
def batch(aws: None) -> Batch:
    return Batch(BatchSettings(job_queue="queue", job_definition="definition"))


@pytest.fixture
def ask(batch: Batch, jobs: JobsTable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Ask the function as API Gateway does, as an admin; returns (status, body)."""
    from training import submission

    settings = submission.TrainingSettings(artifact_bucket="bucket", model_types="mlp", max_active_jobs=CAP)
    monkeypatch.setattr(submission, "_submissions", lambda: submission.Submissions(settings, jobs, batch))
    make_table("AccessKeysTable", "keys").put_item(Item={"key_id": "k1", "name": "ann", "role": "admin"})
    monkeypatch.setenv("ACCESS_KEYS_TABLE", "keys")
    monkeypatch.setattr(JobsTable, "from_environment", lambda: jobs)

    def ask(method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> tuple[int, dict[str, Any]]:
        event = {
            "httpMethod": method,
            "path": path,
            "resource": path,
            "headers": {"Host": "x"},
            "multiValueHeaders": {},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
            "requestContext": {"requestId": "req-1", "identity": {"apiKeyId": "k1"}, "stage": "v1"},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = handler(event, CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return ask
