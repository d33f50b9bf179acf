"""Requests for tables, types and resources: what reaches the job, and what is refused before one starts."""

import json
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from mlops.aws.batch import MAX_OVERRIDES
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.sweep import Sweep, child_parameters
from tests.support.model_types import PUBLISHED, Published

CHURN = "s3://bucket/churn.parquet"
TABLE = {
    "model_type": "lightgbm",
    "dataset": CHURN,
    "target": "churned",
    "task": "classification",
    "columns": {"age": "category"},
    "objective": "roc_auc",
    "held_out": {"column": "date", "from": "2026-01-01"},
    "weight": "w",
    "class_weight": "balanced",
    "hyperparameters": {"num_leaves": 63.0, "max_depth": None},
    "preset": "best",
}


@pytest.fixture
def submitted(ask: Any, batch: Any) -> Any:
    """Ask for something that is taken; returns the answer and what Batch was asked."""

    def submitted(path: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        asked: dict[str, Any] = {}
        with Stubber(batch._submitter) as stub:
            stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
            batch._submitter.meta.events.register_first(
                "provide-client-params.batch.SubmitJob", lambda params, **_: asked.update(params)
            )
            status, answer = ask("POST", path, body)
        assert status == 202, answer
        return answer, asked

    return submitted


@pytest.fixture
def refused(ask: Any, batch: Any) -> Any:
    """Ask for something wrong; returns the errors, message by field. Batch answers nothing: any call fails the test."""

    def refused(path: str, body: dict[str, Any]) -> dict[str, str]:
        with Stubber(batch._submitter):
            status, problem = ask("POST", path, body)
        assert (status, problem["code"]) == (422, "validation_failed"), problem
        return {error["field"]: error["message"] for error in problem["errors"]}

    return refused


def variables(asked: dict[str, Any]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in asked["containerOverrides"]["environment"]}


def test_a_table_s_request_reaches_the_job_and_stays_in_its_record(submitted: Any, jobs: Any) -> None:
    answer, asked = submitted("/train", TABLE)
    given = variables(asked)
    assert (given["TRAIN_TARGET"], given["TRAIN_TASK"], given["TRAIN_WEIGHT"]) == ("churned", "classification", "w")
    assert json.loads(given["TRAIN_COLUMNS"]) == {"age": "category"}
    assert json.loads(given["TRAIN_HELD_OUT"]) == {"column": "date", "from": "2026-01-01"}
    assert given["TRAIN_HYPERPARAMETERS"] == '{"num_leaves": 63, "max_depth": null}', "63.0 is no whole number to all"
    assert not {"TRAIN_EPOCHS", "TRAIN_LEARNING_RATE", "TRAIN_DIRECTION", "TRAIN_RESOURCES"} & given.keys()
    job = jobs.job(answer["job_id"])
    assert {name: job.request[name] for name in TABLE} == TABLE
    # Given values, the preset's, and the defaults.
    assert job.params == {
        "seed": 42,
        "num_leaves": 63,
        "learning_rate": 0.05,
        "n_estimators": 800,
        "max_depth": None,
    }


def test_the_short_form_of_networks_is_sent_by_the_type_s_own_names(submitted: Any, jobs: Any) -> None:
    answer, asked = submitted("/train", {"epochs": 3, "learning_rate": 0.01, "seed": 7})
    given = variables(asked)
    assert json.loads(given["TRAIN_HYPERPARAMETERS"]) == {"epochs": 3, "learning_rate": 0.01}
    assert given["TRAIN_SEED"] == "7"
    job = jobs.job(answer["job_id"])
    assert (job.epochs, job.params["learning_rate"], job.params["hidden_size"], job.params["seed"]) == (3, 0.01, 128, 7)


def test_a_former_name_is_the_type_of_today(submitted: Any) -> None:
    _, asked = submitted("/train", {"model_type": "logistic_regression", "hyperparameters": {"C": 2}})
    assert variables(asked)["TRAIN_MODEL_TYPE"] == "linear"


@pytest.mark.parametrize("path", ["/train", "/sweeps"])
def test_resources_reach_batch_and_the_record(submitted: Any, jobs: Any, path: str) -> None:
    runs = {"num_runs": 2} if path == "/sweeps" else {}
    answer, asked = submitted(path, {"resources": {"vcpu": 4, "memory_gb": 16, "minutes": 60}, **runs})
    assert asked["containerOverrides"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "4"},
        {"type": "MEMORY", "value": "16384"},
    ]
    assert asked["timeout"] == {"attemptDurationSeconds": 3600}
    for job_id in answer.get("job_ids") or [answer["job_id"]]:
        kept = jobs.job(job_id).request["resources"]
        assert (kept["vcpu"], kept["memory_gb"], kept["minutes"]) == (4, 16, 60)


def test_without_resources_the_job_definition_decides(submitted: Any) -> None:
    _, asked = submitted("/train", {})
    assert "timeout" not in asked
    assert "resourceRequirements" not in asked["containerOverrides"]


def test_a_job_that_is_moved_keeps_its_resources_and_its_time(batch: Any) -> None:
    requirements = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "16384"}]
    job = {
        "jobId": "old",
        "jobName": "sweep_000001",
        "jobQueue": "spot",
        "status": "RUNNABLE",
        "container": {"environment": [{"name": "JOB_ID", "value": "x"}], "resourceRequirements": requirements},
        "timeout": {"attemptDurationSeconds": 3600},
        "arrayProperties": {"size": 3},
    }
    with Stubber(batch._submitter) as stub:
        wanted = {
            "jobName": "sweep_000001",
            "jobQueue": "other",
            "jobDefinition": ANY,
            "containerOverrides": {
                "environment": [{"name": "JOB_ID", "value": "x"}],
                "resourceRequirements": requirements,
            },
            "timeout": {"attemptDurationSeconds": 3600},
            "arrayProperties": {"size": 3},
        }
        stub.add_response("submit_job", {"jobName": "n", "jobId": "new"}, wanted)
        assert batch.submit_again(job, "other") == "new"


@pytest.mark.parametrize("strategy", ["random", "grid"])
def test_a_sweep_searches_the_type_s_own_space_around_what_is_fixed(submitted: Any, jobs: Any, strategy: str) -> None:
    fixed = {"learning_rate": 0.2, "n_estimators": 50}
    body = {"model_type": "lightgbm", "dataset": CHURN, "strategy": strategy, "hyperparameters": fixed, "num_runs": 4}
    answer, asked = submitted("/sweeps", body)
    given = variables(asked)
    assert json.loads(given["TRAIN_HYPERPARAMETERS"]) == fixed
    plan = Sweep.model_validate_json(given["SWEEP"])
    searched = {"num_leaves", "max_depth"} if strategy == "random" else {"num_leaves"}
    assert len(answer["job_ids"]) == (4 if strategy == "random" else 2)
    for index, run in enumerate(sorted(jobs.get_many(answer["job_ids"]), key=lambda job: job.job_id)):
        drawn = child_parameters(plan, index)
        assert drawn.keys() == {"seed", *searched}
        own = run.request["hyperparameters"]
        assert own == {**fixed, **{name: drawn[name] for name in searched}}
        assert isinstance(own["num_leaves"], int)
        assert {name: run.params[name] for name in ("seed", *own)} == {"seed": drawn["seed"], **own}


def test_a_space_of_text_and_null_is_tried(submitted: Any, jobs: Any) -> None:
    space = {"penalty": ["l2", "elasticnet"], "max_iter": [100.0]}
    answer, _ = submitted("/sweeps", {"model_type": "linear", "strategy": "grid", "space": space})
    own = [run.request["hyperparameters"] for run in jobs.get_many(answer["job_ids"])]
    assert sorted(each["penalty"] for each in own) == ["elasticnet", "l2"]
    assert {each["max_iter"] for each in own} == {100}


LINEAR = {"model_type": "linear", "num_runs": 8}


@pytest.mark.parametrize(
    ("body", "tried"),
    [
        ({"dataset": CHURN, "task": "classification"}, "C"),
        ({"dataset": CHURN, "task": "regression"}, "alpha"),
        ({"dataset": CHURN, "task": "regression", "preset": "best"}, "alpha"),
        ({"dataset": "s3://bucket/vectors.npz"}, "C"),
        ({}, "C"),
    ],
)
def test_a_default_grid_is_that_of_the_task(submitted: Any, jobs: Any, body: dict[str, Any], tried: str) -> None:
    answer, _ = submitted("/sweeps", {**LINEAR, **body, "strategy": "grid"})
    own = [run.request["hyperparameters"] for run in jobs.get_many(answer["job_ids"])]
    assert [each.keys() for each in own] == [{tried}] * 4
    assert len({each[tried] for each in own}) == 4


def test_a_hyperparameter_of_one_task_says_which_task_a_default_space_is_for(submitted: Any, jobs: Any) -> None:
    fixed = {"dataset": CHURN, "hyperparameters": {"C": 2.0}}
    for strategy, runs in (("random", 2), ("grid", 1)):
        answer, _ = submitted("/sweeps", {**LINEAR, **fixed, "strategy": strategy, "num_runs": 2})
        own = [run.request["hyperparameters"] for run in jobs.get_many(answer["job_ids"])]
        assert own == [{"C": 2.0}] * runs


def test_random_runs_of_an_unknown_task_draw_what_either_task_uses(submitted: Any, jobs: Any) -> None:
    for task, drawn in ((None, {"C", "alpha"}), ("regression", {"alpha"})):
        answer, _ = submitted("/sweeps", {**LINEAR, "dataset": CHURN, "task": task, "num_runs": 2})
        assert all(run.request["hyperparameters"].keys() == drawn for run in jobs.get_many(answer["job_ids"]))


def test_a_default_grid_needs_the_task_where_it_depends_on_it(refused: Any) -> None:
    errors = refused("/sweeps", {**LINEAR, "dataset": CHURN, "strategy": "grid"})
    assert errors == {"task": "must be given: the default grid of linear depends on it; or give a space"}


@pytest.mark.parametrize(("task", "other", "own"), [("regression", "C", "alpha"), ("classification", "alpha", "C")])
def test_what_only_another_task_uses_is_refused(refused: Any, task: str, other: str, own: str) -> None:
    body = {"dataset": CHURN, "task": task}
    errors = refused("/train", {"model_type": "linear", **body, "hyperparameters": {other: 1.0}})
    assert errors[f"hyperparameters.{other}"].endswith(f"and the task is {task}: use {own}")
    errors = refused("/sweeps", {**LINEAR, **body, "space": {other: [1.0, 2.0], "max_iter": [100]}})
    assert errors.keys() == {f"space.{other}"}


def test_values_for_either_task_are_taken(submitted: Any) -> None:
    """As those of a random run whose task was not known, which a retrain repeats."""
    both = {"C": 2.0, "alpha": 3.0}
    submitted("/train", {"model_type": "linear", "dataset": CHURN, "task": "regression", "hyperparameters": both})


LIGHT = {"model_type": "lightgbm", "dataset": CHURN}


@pytest.mark.parametrize("path", ["/train", "/sweeps"])
@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"model_type": "lightgmb"}, "model_type", "must be one of mlp, cnn, linear, lightgbm"),
        ({"model_type": "svm", "task": "regression", "dataset": CHURN}, "task", "svm takes classification only"),
        ({"task": "regression"}, "task", "the labels of digits are classes"),
        ({**LIGHT, "task": "regression", "class_weight": "balanced"}, "class_weight", "has no classes"),
        ({"model_type": "cnn", "dataset": CHURN}, "model_type", "this data set has tables: use mlp, linear, lightgbm"),
        ({"model_type": "lightgbm"}, "model_type", "this data set has images: use mlp, cnn"),
        ({"target": "y"}, "target", "for tables with named columns"),
        ({"dataset": "s3://bucket/a.npz", "weight": "w"}, "weight", "for tables with named columns"),
        ({"held_out": 0.2}, "held_out", "for tables with named columns"),
        ({**LIGHT, "target": "y", "columns": {"y": "ignore"}}, "columns.y", "it is the target"),
        ({**LIGHT, "target": "y", "weight": "y"}, "weight", "another column than the target"),
        ({**LIGHT, "target": "y", "held_out": {"column": "y"}}, "held_out.column", "another column than the target"),
        ({**LIGHT, "held_out": 0.6}, "held_out", "less than or equal to 0.5"),
        ({**LIGHT, "held_out": "0.2"}, "held_out", "should be a share, or an object with column and from"),
        ({**LIGHT, "held_out": {"from": "x"}}, "held_out.column", "required"),
        ({**LIGHT, "columns": {"a": "text"}}, "columns.a", "'ignore', 'number', 'category'"),
        ({**LIGHT, "task": "regression", "objective": "f1"}, "objective", "rmse, mae, r2"),
        ({"model_type": "svm", "dataset": CHURN, "objective": "rmse"}, "objective", "svm does not take"),
        ({**LIGHT, "objective": "profit"}, "objective", "maximise or minimise"),
        ({**LIGHT, "direction": "maximise"}, "direction", "objective"),
        (
            {**LIGHT, "hyperparameters": {"hidden_size": 64}},
            "hyperparameters.hidden_size",
            "which has num_leaves, lear",
        ),
        ({**LIGHT, "hyperparameters": {"num_leaves": 1}}, "hyperparameters.num_leaves", "less than the minimum of 2"),
        (
            {**LIGHT, "hyperparameters": {"num_leaves": 2.5}},
            "hyperparameters.num_leaves",
            "whole numbers only, not 2.5",
        ),
        ({**LIGHT, "hyperparameters": {"num_leaves": "31"}}, "hyperparameters.num_leaves", "not of type 'integer'"),
        ({**LIGHT, "hyperparameters": {"num_leaves": True}}, "hyperparameters.num_leaves", "not of type 'integer'"),
        ({**LIGHT, "hyperparameters": {"max_depth": 65}}, "hyperparameters.max_depth", "maximum of 64"),
        ({**LIGHT, "epochs": 3}, "epochs", "is no field for lightgbm; use `hyperparameters`, which has num_leaves"),
        ({"epochs": 3, "hyperparameters": {"epochs": 3}}, "epochs", "is given twice"),
        ({"resources": {"gpu": 1}}, "resources.gpu", "with the parameter GpuInstanceTypes"),
        ({"resources": {"gpu": 1, "vcpu": 4}}, "resources", "must be left out with gpu"),
        ({"resources": {"vcpu": 2, "memory_gb": 20}}, "resources", "2 vCPU with 16 GB and 4 vCPU with 20 GB"),
        ({"resources": {"vcpu": 16, "memory_gb": 32}}, "resources.vcpu", "at most 8 are allowed (MaxVcpu)"),
        ({"resources": {"minutes": 481}}, "resources.minutes", "at most 480 are allowed (MaxMinutes)"),
        ({"dataset": "https://example.com/parts/"}, "dataset", "only s3:// addresses may end in /"),
    ],
)
def test_what_does_not_fit_names_the_field_and_the_remedy(
    refused: Any, path: str, body: dict[str, Any], field: str, message: str
) -> None:
    errors = refused(path, body)
    assert message in errors.get(field, ""), errors


@pytest.mark.parametrize(
    ("space", "field", "message"),
    [
        ({"hidden_size": [64]}, "space.hidden_size", "is not a hyperparameter of lightgbm, which has num_leaves"),
        ({"num_leaves": {"low": 1, "high": 10}}, "space.num_leaves", "less than the minimum of 2"),
        ({"num_leaves": [15, "x"]}, "space.num_leaves", "not of type 'integer'"),
        ({"n_estimators": [10]}, "space.n_estimators", "is in `hyperparameters` too"),
    ],
)
def test_a_space_that_does_not_fit_names_the_hyperparameter(
    refused: Any, space: dict[str, Any], field: str, message: str
) -> None:
    errors = refused("/sweeps", {**LIGHT, "hyperparameters": {"n_estimators": 50}, "space": space})
    assert message in errors.get(field, ""), errors


@pytest.mark.parametrize("strategy", ["bayes", "halving"])
def test_strategies_that_there_are_not_are_refused(refused: Any, strategy: str) -> None:
    assert list(refused("/sweeps", {"strategy": strategy})) == ["strategy"]


def test_what_is_too_long_for_a_job_is_refused_before_one_starts(ask: Any, batch: Any, jobs: Any) -> None:
    columns = {f"a column with a rather long name, number {number}": "ignore" for number in range(200)}
    with Stubber(batch._submitter):
        status, problem = ask("POST", "/train", {**LIGHT, "columns": columns})
    assert (status, problem["code"]) == (422, "validation_failed")
    assert f"AWS allows {MAX_OVERRIDES}" in problem["detail"]
    assert not list(jobs.active_jobs())


def test_model_types_are_listed_as_they_were_published(ask: Any) -> None:
    status, answer = ask("GET", "/model-types")
    assert status == 200
    assert answer["model_types"] == PUBLISHED.model_dump(mode="json")["model_types"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/model-types"), ("POST", "/train"), ("POST", "/sweeps")])
def test_without_a_published_list_the_answer_is_503_with_the_remedy(
    ask: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    def missing(_: Published) -> None:
        raise DependencyUnavailable("The list of model types is missing; run `make up`")

    monkeypatch.setattr(Published, "read", missing)
    status, problem = ask(method, path, {} if method == "POST" else None)
    assert (status, problem["code"]) == (503, "dependency_unavailable")
    assert "make up" in problem["detail"]
