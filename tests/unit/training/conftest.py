"""Training's API as API Gateway asks it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mlops.aws.batch import Batch, BatchSettings
from mlops.aws.jobs_table import JobsTable
from tests.support import gateway
from tests.support.governance import FakeHistory
from tests.support.model_types import PUBLISHED, Published
from training.app import handler
from training.settings import TrainingSettings

CAP = 4


@pytest.fixture
def batch(aws: None) -> Batch:
    return Batch(BatchSettings(job_queue="queue", job_definition="definition"))


@pytest.fixture
def history() -> FakeHistory:
    """The settings of models."""
    return FakeHistory()


@pytest.fixture
def ask(
    batch: Batch, jobs: JobsTable, history: FakeHistory, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Ask the function as API Gateway does, as an admin; returns (status, body)."""
    from training import submission

    settings = TrainingSettings(artifact_bucket="bucket", max_active_jobs=CAP)
    types = Published(PUBLISHED)
    monkeypatch.setattr(
        submission, "_submissions", lambda: submission.Submissions(settings, jobs, batch, types, history)
    )
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    monkeypatch.setattr(JobsTable, "from_environment", lambda: jobs)

    return partial(gateway.ask, handler)
