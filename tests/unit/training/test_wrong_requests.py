"""Wrong training requests and sweeps: 422, the field named, and nothing is submitted."""

from typing import Any

import pytest
from botocore.stub import Stubber

from mlops.domain.job import Job

WIDE = {"low": -1e308, "high": 1e308}


@pytest.fixture
def refused(ask: Any, batch: Any) -> Any:
    """Ask for something wrong; returns the errors, message by field. Batch answers nothing: any call fails the test."""

    def refused(path: str, body: dict[str, Any]) -> dict[str, str]:
        with Stubber(batch._submitter):
            status, problem = ask("POST", path, body)
        assert (status, problem["code"]) == (422, "validation_failed"), problem
        return {error["field"]: error["message"] for error in problem["errors"]}

    return refused


@pytest.mark.parametrize("path", ["/train", "/sweeps"])
@pytest.mark.parametrize(
    "dataset",
    [
        "https://[zz]/a.csv",
        "https://[::1/a.csv",
        "https://user:secret@example.com/a.csv",
        "https://user@example.com/a.csv",
        "s3://elsewhere/a.csv",
        "ftp://example.com/a.csv",
        "https://example.com/" + "a" * 1000,
    ],
)
def test_an_address_that_is_none_or_not_allowed_names_the_data_set(refused: Any, path: str, dataset: str) -> None:
    errors = refused(path, {"dataset": dataset})
    assert list(errors) == ["dataset"]
    assert "secret" not in str(errors)


@pytest.mark.parametrize("name", ["run_name", "experiment_name"])
@pytest.mark.parametrize("text", ["", "a\0b", "a\x1b[2J", "a\x9b2J", "a\nb", "a" * 201])
def test_a_name_has_no_control_characters(refused: Any, name: str, text: str) -> None:
    assert list(refused("/train", {name: text})) == [name]


@pytest.mark.parametrize("strategy", ["random", "grid"])
@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("learning_rate", [1e308], "greater than the maximum of 1"),
        ("hidden_size", [1e308], "greater than the maximum of 512"),
        ("hidden_size", [64, 64.5], "whole numbers only, not 64.5"),
        ("epochs", [1.5, 2.7], "whole numbers only, not 1.5"),
        ("epochs", [-0.5], "whole numbers only"),
        ("seed", [2**31], "greater than the maximum of 2147483647"),
        ("dropout", [0.1, 0.9], "greater than the maximum of 0.5"),
        ("colour", [1], "is not a hyperparameter of mlp, which has learning_rate, epochs"),
    ],
)
def test_values_out_of_bounds_name_the_hyperparameter(
    refused: Any, strategy: str, name: str, values: Any, message: str
) -> None:
    errors = refused("/sweeps", {"strategy": strategy, "space": {name: values}})
    assert list(errors) == [f"space.{name}"]
    assert message in errors[f"space.{name}"]


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        *((name, WIDE) for name in ("learning_rate", "epochs", "batch_size", "hidden_size", "dropout", "seed")),
        ("learning_rate", {"low": 1e-308, "high": 1e308, "log": True}),
        ("learning_rate", {"low": 1e-5, "high": 1.0001}),
        ("hidden_size", {"low": 32, "high": 512.5}),
        ("epochs", {"low": 1e-9, "high": 5, "log": True}),
    ],
)
def test_a_range_out_of_bounds_names_the_hyperparameter(refused: Any, name: str, ends: dict[str, Any]) -> None:
    assert list(refused("/sweeps", {"space": {name: ends}})) == [f"space.{name}"]


def test_a_name_of_a_megabyte_is_not_repeated(refused: Any) -> None:
    (field,) = refused("/sweeps", {"space": {"x" * 500_000: [1]}})
    assert len(field) < 100


def test_a_range_as_wide_as_the_bounds_is_drawn_within_them(ask: Any, batch: Any, jobs: Any) -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1, "log": True}, "hidden_size": {"low": 32, "high": 512}}
    with Stubber(batch._submitter) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
        status, accepted = ask("POST", "/sweeps", {"num_runs": 4, "space": space})
    assert status == 202
    for run in jobs.get_many(accepted["job_ids"]):
        assert 1e-5 <= run.params["learning_rate"] <= 1
        assert 32 <= run.params["hidden_size"] <= 512


@pytest.mark.parametrize("path", ["/train/status/job_", "/train/jobs/job_", "/sweeps/sweep_"])
def test_an_id_that_is_too_long_is_422_and_named(ask: Any, batch: Any, path: str) -> None:
    status, problem = ask("DELETE" if path.startswith("/train/jobs") else "GET", path + "1" * 3000)
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == ["sweep_id" if "sweep" in path else "job_id"]


def test_a_cursor_that_the_log_has_not_returned_is_422_and_named(
    ask: Any, batch: Any, jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudWatch Logs refuses it as an invalid parameter, which is the caller's and no outage."""
    jobs.create(Job("job_000001", experiment_name="e", model_name="m"))
    jobs.submitted("job_000001", "batch-1")
    monkeypatch.setattr(batch, "describe", lambda ids: [{"container": {"logStreamName": "training/1"}}])
    batch._logs.create_log_group(logGroupName="/aws/batch/job")
    batch._logs.create_log_stream(logGroupName="/aws/batch/job", logStreamName="training/1")
    status, page = ask("GET", "/train/jobs/job_000001/logs")
    assert (status, page["lines"]) == (200, [])
    status, problem = ask("GET", "/train/jobs/job_000001/logs", cursor="garbage")
    assert status == 422
    assert [error["field"] for error in problem["errors"]] == ["cursor"]
