"""The conversion routes as API Gateway asks them, on moto's table; MLflow and AWS Batch are in memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.domain.conversion import ConversionStatus
from tests.support import gateway
from tests.support.crashes import Effects
from tests.support.governance import FakeBin
from tests.support.tables import make_table
from tests.unit.registry.fakes import MODEL, FakeTracking
from transitions import app
from transitions.conversion_requests import ConversionRequests

Ask = Callable[..., tuple[int, dict[str, Any]]]
ROUTE = f"/models/{MODEL}/versions/1/conversion"
SHA256 = "a" * 64


class Batch:
    def __init__(self) -> None:
        self.jobs: list[dict[str, str]] = []

    def submit(self, name: str, environment: dict[str, str]) -> str:
        self.jobs.append(environment)
        return f"b{len(self.jobs)}"


@pytest.fixture
def batch() -> Batch:
    return Batch()


@pytest.fixture
def table(aws: None) -> ConversionsTable:
    return ConversionsTable(DynamoTable(make_table("ConversionsTable", "conversions")))


@pytest.fixture
def tracking() -> FakeTracking:
    made = FakeTracking(Effects())
    made.add_version()
    return made


@pytest.fixture
def bin_() -> FakeBin:
    return FakeBin()


@pytest.fixture
def ask(
    table: ConversionsTable, batch: Batch, tracking: FakeTracking, bin_: FakeBin, monkeypatch: pytest.MonkeyPatch
) -> Ask:
    jobs = ConversionJobs(table, batch)  # type: ignore[arg-type]
    requests = ConversionRequests(tracking, jobs, bin_, "bucket")  # type: ignore[arg-type]
    monkeypatch.setattr(ConversionRequests, "from_environment", lambda: requests)
    monkeypatch.setenv("ACCESS_KEYS_TABLE", gateway.make_access_keys())
    return partial(gateway.ask, app.handler)


def test_a_request_starts_one_job(ask: Ask, batch: Batch) -> None:
    status, answer = ask("POST", ROUTE)
    assert (status, answer["status"], answer["actor"], answer["version"]) == (202, "running", "ann", 1)
    assert ask("POST", ROUTE) == (202, answer)
    assert ask("GET", ROUTE) == (200, answer)
    assert [job["MODEL_FOLDER"] for job in batch.jobs] == ["mlflow/1/"]


def test_a_version_in_the_bin_is_not_converted(ask: Ask, batch: Batch, bin_: FakeBin) -> None:
    bin_.put(MODEL, 1)
    status, problem = ask("POST", ROUTE)
    assert (status, f"restore it with POST /models/{MODEL}/versions/1/restore" in problem["detail"]) == (409, True)
    assert batch.jobs == []


def test_the_outcome_is_shown(ask: Ask, table: ConversionsTable, batch: Batch) -> None:
    ask("POST", ROUTE)
    running = table.get(MODEL, 1)
    assert running is not None
    table.finish(running, ConversionStatus.SUCCEEDED, sha256=SHA256, task="regression", notes=("a note",))
    status, answer = ask("POST", ROUTE)
    assert (status, answer["status"], answer["sha256"]) == (200, "succeeded", SHA256)
    assert (answer["task"], answer["notes"]) == ("regression", ["a note"])
    assert len(batch.jobs) == 1


def test_what_failed_says_why_and_is_tried_again(ask: Ask, table: ConversionsTable, batch: Batch) -> None:
    ask("POST", ROUTE)
    running = table.get(MODEL, 1)
    assert running is not None
    table.finish(running, ConversionStatus.FAILED, error="no equivalent")
    assert ask("GET", ROUTE)[1]["error"] == "no equivalent"
    status, answer = ask("POST", ROUTE)
    assert (status, answer["status"], answer["error"]) == (202, "running", None)
    assert len(batch.jobs) == 2


def test_what_was_never_converted_is_not_found(ask: Ask, batch: Batch) -> None:
    status, answer = ask("GET", ROUTE)
    assert (status, answer["code"]) == (404, "not_found")
    assert "never converted" in answer["detail"]
    assert ask("POST", f"/models/{MODEL}/versions/9/conversion")[0] == 404
    assert ask("POST", f"/models/{MODEL}/versions/0/conversion")[0] == 422
    assert batch.jobs == []


def test_files_elsewhere_are_not_read(
    ask: Ask, tracking: FakeTracking, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("s3://other/mlflow/1", "s3://bucket/serving/m", "file:///etc"):
        monkeypatch.setattr(tracking, "artifact_uri", lambda name, version, address=address: address)
        status, answer = ask("POST", ROUTE)
        assert (status, answer["code"]) == (409, "conflict")
    assert batch.jobs == []
