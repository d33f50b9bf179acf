"""How good a run is, by its own objective: in lines, in columns, and where it cannot be said."""

from mlops_client.cli import scores, watching
from mlops_client.cli.runs import metric_columns
from mlops_client.models import Job, Objective, Progress, RunRow, SweepState
from tests.support.terminal import terminal

RMSE = Objective(name="rmse", direction="minimise")
ACCURACY = Objective(name="accuracy", direction="maximise")


def row(objective: Objective | None, **metrics: float) -> RunRow:
    return RunRow(
        run_id="1",
        run_name="a",
        metrics=metrics,
        params={},
        status="finished",
        started_at=None,
        ended_at=None,
        objective=objective,
    )


def job(number: int, **metrics: float) -> Job:
    return Job(
        job_id=f"job_{number:06d}",
        experiment_name="e",
        status="completed",
        progress=Progress(epoch=1, epochs=1),
        created_at="2026-01-01T00:00:00Z",
        metrics=metrics,
        objective=RMSE,
    )


def test_a_value_is_that_of_the_final_model_or_of_the_last_epoch():
    assert scores.text(ACCURACY, {"accuracy": 0.975, "val_accuracy": 0.9}) == "97.50%"
    assert scores.text(None, {"val_accuracy": 0.9}) == "90.00%"
    assert scores.text(RMSE, {"rmse": 3.25, "accuracy": 1.0}) == "3.25"
    assert scores.text(RMSE, {"accuracy": 1.0}) == ""


def test_a_column_has_the_metrics_name_above_it_or_beside_each_value():
    assert scores.heading([RMSE, RMSE]) == "rmse"
    assert scores.heading([None, ACCURACY]) == "accuracy"
    mixed = scores.heading([RMSE, None])
    assert mixed == "objective"
    assert scores.text(RMSE, {"rmse": 3.25}, mixed) == "rmse 3.25"
    assert scores.text(RMSE, {"rmse": 3.25}, "rmse") == "3.25"


def test_the_objective_is_the_first_metric_of_runs_that_it_orders():
    runs = [row(RMSE, accuracy=0.5, rmse=3.0, mae=2.0), row(ACCURACY, accuracy=0.9)]
    assert metric_columns(runs, "objective desc") == ["rmse", "accuracy", "mae"]
    assert metric_columns(runs, "started_at desc") == ["accuracy", "rmse", "mae"]
    assert metric_columns([], "objective desc") == ["accuracy", "loss"]


def test_a_sweep_is_shown_by_its_objective_and_says_which_runs_have_no_rank(monkeypatch, capsys):
    sweep = SweepState(
        sweep_id="sweep_000001",
        status="completed",
        experiment_name="e",
        model_name="m",
        num_runs=2,
        runs=[job(2, rmse=3.25), job(1, accuracy=0.9)],
        created_at="2026-01-01T00:00:00Z",
        objective=RMSE,
        unranked={"job_000001": "it has no rmse"},
    )
    for variable, value in terminal(120).items():
        monkeypatch.setenv(variable, value)
    watching.show_leaderboard(sweep)
    shown = capsys.readouterr().out
    assert "rmse" in shown.splitlines()[1]
    assert "3.25" in shown
    assert "job_000001 has no rank: it has no rmse" in shown
