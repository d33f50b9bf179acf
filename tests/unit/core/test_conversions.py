"""Records of conversions, and the start of their jobs, on moto's table; AWS Batch is in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from mlops.aws.batch import SubmissionRefused
from mlops.aws.conversion_jobs import ConversionJobs
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.dynamodb import DynamoTable
from mlops.domain.conversion import Conversion, ConversionResult, ConversionStatus, flavours_of, is_convertible
from mlops.domain.errors import DependencyUnavailable
from tests.support.tables import make_table

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
"""So it is young, whenever the tests run."""
CONVERSION = Conversion("m", 3, "conv_1", "2026-01-01", actor="ann", request_id="req-1", created_at=TOMORROW)
SHA256 = "a" * 64


class Batch:
    """Takes jobs, or fails as told."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, dict[str, str]]] = []
        self.error: Exception | None = None

    def submit(self, name: str, environment: dict[str, str]) -> str:
        if self.error is not None:
            raise self.error
        self.jobs.append((name, environment))
        return f"batch-{len(self.jobs)}"


@pytest.fixture
def table(aws: None) -> ConversionsTable:
    return ConversionsTable(DynamoTable(make_table("ConversionsTable", "conversions")))


@pytest.fixture
def batch() -> Batch:
    return Batch()


@pytest.fixture
def jobs(table: ConversionsTable, batch: Batch) -> ConversionJobs:
    return ConversionJobs(table, batch)  # type: ignore[arg-type]


def found(table: ConversionsTable) -> Conversion:
    conversion = table.get("m", 3)
    assert conversion is not None
    return conversion


def test_a_job_is_submitted_once(jobs: ConversionJobs, table: ConversionsTable, batch: Batch) -> None:
    jobs.start(CONVERSION, "mlflow/1/")
    second = jobs.start(replace(CONVERSION, conversion_id="conv_2"), "mlflow/1/")
    assert second.conversion_id == "conv_1"
    variables = {"CONVERSION_ID": "conv_1", "MODEL_NAME": "m", "MODEL_VERSION": "3", "REQUEST_ID": "req-1"}
    assert batch.jobs == [("conv_1", {**variables, "MODEL_FOLDER": "mlflow/1/"})]
    assert found(table) == replace(CONVERSION, batch_job_id="batch-1")


def test_what_has_succeeded_is_not_started_again(jobs: ConversionJobs, table: ConversionsTable, batch: Batch) -> None:
    jobs.start(CONVERSION, "mlflow/1/")
    table.finish(CONVERSION, ConversionStatus.SUCCEEDED, sha256=SHA256, notes=("a note",))
    present = jobs.start(replace(CONVERSION, conversion_id="conv_2"), "mlflow/1/")
    assert (present.status, present.sha256, present.notes) == ("succeeded", SHA256, ("a note",))
    assert len(batch.jobs) == 1


def test_what_has_failed_is(jobs: ConversionJobs, table: ConversionsTable, batch: Batch) -> None:
    jobs.start(CONVERSION, "mlflow/1/")
    table.finish(CONVERSION, ConversionStatus.FAILED, error="no")
    jobs.start(replace(CONVERSION, conversion_id="conv_2"), "mlflow/1/")
    assert (found(table).conversion_id, found(table).status, found(table).error) == ("conv_2", "running", None)
    assert [name for name, _ in batch.jobs] == ["conv_1", "conv_2"]


def test_a_new_version_with_an_old_number_has_no_conversion(
    jobs: ConversionJobs, table: ConversionsTable, batch: Batch
) -> None:
    jobs.start(CONVERSION, "mlflow/1/")
    table.finish(CONVERSION, ConversionStatus.SUCCEEDED, sha256=SHA256)
    assert jobs.of("m", 3, "2027-01-01") is None
    jobs.start(replace(CONVERSION, conversion_id="conv_2", registered_at="2027-01-01"), "mlflow/2/")
    assert found(table).conversion_id == "conv_2"


def test_a_refused_job_fails_the_conversion(jobs: ConversionJobs, table: ConversionsTable, batch: Batch) -> None:
    batch.error = SubmissionRefused("no queue")
    with pytest.raises(SubmissionRefused):
        jobs.start(CONVERSION, "mlflow/1/")
    assert (found(table).status, found(table).error) == ("failed", "no queue")
    batch.error = None
    jobs.start(replace(CONVERSION, conversion_id="conv_2"), "mlflow/1/")
    assert found(table).batch_job_id == "batch-1"


def test_who_died_before_the_submission_is_stood_in_for(
    jobs: ConversionJobs, table: ConversionsTable, batch: Batch
) -> None:
    long_ago = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    table.claim(replace(CONVERSION, created_at=long_ago))
    jobs.start(replace(CONVERSION, conversion_id="conv_2"), "mlflow/1/")
    assert [name for name, _ in batch.jobs] == ["conv_1"]
    assert found(table).batch_job_id == "batch-1"


def test_who_is_about_to_submit_is_not_disturbed(jobs: ConversionJobs, table: ConversionsTable, batch: Batch) -> None:
    table.claim(CONVERSION)
    jobs.start(replace(CONVERSION, conversion_id="conv_2"), "mlflow/1/")
    assert batch.jobs == []


def test_a_lost_answer_leaves_the_conversion_running(
    jobs: ConversionJobs, table: ConversionsTable, batch: Batch
) -> None:
    batch.error = DependencyUnavailable("no answer")
    with pytest.raises(DependencyUnavailable):
        jobs.start(CONVERSION, "mlflow/1/")
    assert (found(table).status, found(table).batch_job_id) == ("running", None)


def test_transitions_wait_for_what_runs_only(table: ConversionsTable) -> None:
    table.claim(CONVERSION)
    assert table.wait(CONVERSION, "tr_1")
    assert table.wait(CONVERSION, "tr_2")
    assert found(table).waiting == {"tr_1", "tr_2"}
    assert not table.wait(replace(CONVERSION, conversion_id="conv_2"), "tr_3")
    table.finish(CONVERSION, ConversionStatus.SUCCEEDED, sha256=SHA256)
    assert not table.wait(CONVERSION, "tr_4")
    assert found(table).waiting == {"tr_1", "tr_2"}


def test_an_end_counts_once(table: ConversionsTable) -> None:
    table.claim(CONVERSION)
    assert [each.conversion_id for each in table.running()] == ["conv_1"]
    table.finish(CONVERSION, ConversionStatus.SUCCEEDED, sha256=SHA256)
    table.finish(CONVERSION, ConversionStatus.FAILED, error="late")
    assert (found(table).status, found(table).error) == ("succeeded", None)
    assert table.running() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"reason": "no", "sha256": SHA256},
        {"sha256": "../../serving/m/Production.json"},
        {"sha256": SHA256, "proof_sha256": "x"},
        {"sha256": SHA256, "task": "clustering"},
        {"reason": "x" * 5000},
        {"reason": "no", "notes": ["note"] * 100},
        {"sha256": SHA256, "batch_job_id": "b"},
    ],
)
def test_a_result_that_cannot_be_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConversionResult.model_validate({"conversion_id": "conv_1", **wrong})


def test_flavours_are_those_of_mlmodel() -> None:
    text = (
        "artifact_path: sklearn\nflavors:\n  python_function:\n    env:\n      conda: conda.yaml\n"
        "  xgboost:\n    code: null\nsaved:\n  sklearn:\n"
    )
    assert flavours_of(text) == {"python_function", "xgboost"}
    assert is_convertible(text)
    assert not is_convertible("flavors: {}\n")
    assert not is_convertible("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n")
