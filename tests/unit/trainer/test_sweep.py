"""A sweep on one machine, through the command line's own entry."""

import io
import json
import math
from dataclasses import replace

import boto3
import numpy as np
import pytest
from mlflow import MlflowClient

from mlops.domain.job import Job, JobStatus
from mlops.domain.objective import ACCURACY, RMSE, Direction, Objective
from mlops.domain.sweep import Sweep, child_parameters
from mlops.domain.training_request import Range
from mlops_contract import Task
from trainer import job, search, sweep
from trainer.errors import Interrupted, ParameterError
from trainer.job import Outcome
from trainer.parameters import Identity, Parameters
from trainer.stop import Stop

from .conftest import BUCKET
from .test_models import plugin  # noqa: F401


def events(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def run(*argv: str) -> int:
    return sweep.main(["--epochs", "2", "--hidden-size", "32", *argv], Stop())


def test_ranked_and_the_best_registered_once(mlflow_client: MlflowClient, capsys: pytest.CaptureFixture[str]):
    space = json.dumps({"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}})
    assert run("--num-runs", "3", "--seed", "5", "--space", space, "--model-name", "swept") == 0
    lines = events(capsys)
    ranked = [event for event in lines if event["event"] == "sweep.ranked"]
    accuracies = [event["val_accuracy"] for event in ranked]
    assert accuracies == sorted(accuracies, reverse=True)
    assert all(0 < event["accuracy"] <= 1 for event in ranked), "the gate's"
    plan = Sweep(strategy="random", seed=5, num_runs=3, space=json.loads(space))
    tried = {event["params"]["learning_rate"] for event in ranked}
    assert tried == {child_parameters(plan, index)["learning_rate"] for index in range(3)}
    (version,) = mlflow_client.search_model_versions("name = 'swept'")
    assert version.run_id == ranked[0]["run_id"]
    assert version.tags["stage"] == "Registered"


@pytest.mark.slow
def test_each_run_of_tpe_learns_from_those_before(mlflow_client: MlflowClient, capsys: pytest.CaptureFixture[str]):
    space = {"learning_rate": Range(low=1e-4, high=1e-1, log=True)}
    argv = ("--strategy", "tpe", "--num-runs", "5", "--seed", "5", "--model-name", "asked")
    assert run(*argv, "--space", json.dumps({name: values.model_dump() for name, values in space.items()})) == 0
    ranked = [event for event in events(capsys) if event["event"] == "sweep.ranked"]
    scores = [event["val_accuracy"] for event in ranked]
    assert scores == sorted(scores, reverse=True)
    plan = Sweep(strategy="tpe", seed=5, num_runs=5, space=space, whole=("seed",))
    by_index = sorted(ranked, key=lambda event: event["params"]["seed"])
    rates = [event["params"]["learning_rate"] for event in by_index]
    before = [
        Job(
            f"job_{index:06d}",
            status=JobStatus.COMPLETED,
            asked={"learning_rate": rate},
            metrics={"val_accuracy": by_index[index]["val_accuracy"]},
        )
        for index, rate in enumerate(rates)
    ]
    assert rates == [
        search.ask(plan, index, before[:index], ACCURACY.on_validation)["learning_rate"] for index in range(5)
    ]
    (version,) = mlflow_client.search_model_versions("name = 'asked'")
    assert version.run_id == ranked[0]["run_id"]


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_client")
def test_a_run_that_is_pruned_is_not_ranked_and_it_is_said_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The last run is compared with four that have reached everything."""
    completed = sweep._run

    def perfect(plan, child, asked, before, sweep_id, stop):
        others = [replace(each, record=replace(each.record, curve={3: 1.1})) for each in before]
        return completed(plan, child, asked, others, sweep_id, stop)

    monkeypatch.setattr(sweep, "_run", perfect)
    space = json.dumps({"epochs": [3]})
    assert sweep.main(["--prune", "true", "--num-runs", "5", "--hidden-size", "32", "--space", space], Stop()) == 0
    lines = events(capsys)
    (pruned,) = [event for event in lines if event["event"] == "sweep.pruned_run"]
    assert pruned["index"] == 4
    assert pruned["reason"].startswith("pruned at epoch 3: ")
    assert len([event for event in lines if event["event"] == "sweep.ranked"]) == 4


def child(index: int, objective: Objective, metrics: dict[str, float] | None) -> sweep.Child:
    if metrics is None:
        return sweep.Child(index, {}, error="it failed")
    outcome = Outcome("run", metrics, objective, Task.REGRESSION, "0" * 64, "digest", None)
    return sweep.Child(index, {}, outcome=outcome)


@pytest.mark.parametrize(
    ("objective", "order"),
    [(RMSE, [5, 1, 0, 4]), (Objective("rmse", Direction.MAXIMISE), [0, 4, 1, 5])],
)
def test_runs_are_ranked_in_the_direction_of_their_objective(objective: Objective, order: list[int]):
    metrics = [{"rmse": 3.0}, {"rmse": 2.0}, {"accuracy": 1.0}, {"rmse": math.nan}, {"rmse": 3.0}, {"rmse": -1.0}, None]
    children = [child(index, objective, values) for index, values in enumerate(metrics)]
    assert [each.index for each in sweep.ranked(children)] == order
    assert [each.index for each in sweep.unranked(children)] == [2, 3]


@pytest.mark.usefixtures("plugin")
def test_a_child_that_fails_does_not_spoil_the_sweep(mlflow_client: MlflowClient, capsys: pytest.CaptureFixture[str]):
    argv = ["--num-runs", "3", "--seed", "1", "--model-type", "theirs", "--model-name", "survivors"]
    assert sweep.main(argv, Stop()) == 0
    lines = events(capsys)
    assert len([event for event in lines if event["event"] == "sweep.ranked"]) == 1
    failed = [event for event in lines if event["event"] == "sweep.failed_run"]
    assert [event["index"] for event in failed] == [0, 2]
    assert failed[0]["reason"] == "odd seeds are not to my taste"
    assert len(mlflow_client.search_model_versions("name = 'survivors'")) == 1


@pytest.mark.slow
def test_the_only_run_of_a_sweep_chooses_nothing_and_trains_on_all_rows(
    mlflow_client: MlflowClient, capsys: pytest.CaptureFixture[str]
):
    assert run("--num-runs", "1", "--seed", "5", "--space", '{"dropout": [0.0]}', "--model-name", "single") == 0
    (ranked,) = [event for event in events(capsys) if event["event"] == "sweep.ranked"]
    alone = job.run(Parameters(epochs=2, hidden_size=32, dropout=0.0, seed=5, register=False), Identity(), Stop())
    assert ranked["accuracy"] == alone.metrics["accuracy"]
    (version,) = mlflow_client.search_model_versions("name = 'single'")
    assert version.tags["sha256"] == alone.sha256


@pytest.mark.usefixtures("mlflow_client", "aws")
def test_too_few_rows_to_set_some_aside_are_the_reason_of_each_run(capsys: pytest.CaptureFixture[str]):
    random, file = np.random.default_rng(1), io.BytesIO()
    train, test = random.random((8, 3)), random.random((4, 3))
    np.savez(file, x_train=train, y_train=[0, 1] * 4, x_test=test, y_test=[0, 1] * 2)
    boto3.client("s3").put_object(Bucket=BUCKET, Key="few.npz", Body=file.getvalue())
    assert run("--num-runs", "2", "--dataset", f"s3://{BUCKET}/few.npz") == 1
    first, second = [event for event in events(capsys) if event["event"] == "sweep.failed_run"]
    assert first["reason"] == second["reason"]
    assert "has 8 training rows; a sweep sets every tenth aside to rank its runs, so it needs at" in first["reason"]


@pytest.mark.usefixtures("plugin", "mlflow_client")
def test_a_sweep_of_failures_only_fails():
    assert sweep.main(["--num-runs", "1", "--seed", "1", "--model-type", "theirs"], Stop()) == 1


@pytest.mark.usefixtures("mlflow_client")
def test_data_that_cannot_be_read_is_the_reason_of_each_child(capsys: pytest.CaptureFixture[str]):
    assert run("--num-runs", "2", "--dataset", "https://example.com/set.xlsx") == 1
    failed = [event for event in events(capsys) if event["event"] == "sweep.failed_run"]
    assert [event["index"] for event in failed] == [0, 1]
    assert "spreadsheets are not read" in failed[0]["reason"]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--num-runs", "101"], "--num-runs: input should be less than or equal to 100, got '101'"),
        (["--space", "{"], "--space: not JSON"),
        (["--space", '{"epochs": "all"}'], "--space"),
        (["--strategy", "grid", "--num-runs", "4", "--space", '{"hidden_size": [32, 64]}'], "2 combinations"),
        (["--strategy", "grid", "--model-type", "linear", "--dataset", "s3://b/x.csv"], "--task: must be given"),
        (["--space", '{"hidden_size": [32, 9999]}', "--num-runs", "8"], r"--hidden-size .*9999"),
        (["--strategy", "grid", "--prune", "true"], "--prune: .*random, tpe and gp"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_runs(argv: list[str], reason: str):
    with pytest.raises(ParameterError, match=reason):
        run(*argv)


def test_sigterm_ends_the_sweep():
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        sweep.main(["--num-runs", "2"], stop)
