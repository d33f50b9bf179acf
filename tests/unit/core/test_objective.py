"""An objective: the metric that a request, a run or a version is measured by, and which values of it are better."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.domain import objective as objectives
from mlops.domain.metric_direction import direction
from mlops.domain.metric_kinds import metric_kinds
from mlops.domain.objective import ACCURACY, RMSE, Direction, Objective, ObjectiveError, named, of_runs, of_tags
from mlops_contract import Task

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
DIRECTIONS = st.sampled_from(Direction)
STORED_INFINITE = 1.7976931348623157e308
"""An infinity as MLflow's database gives it back."""


@pytest.mark.parametrize(
    ("name", "metric", "better"),
    [
        ("accuracy", "accuracy", "maximise"),
        ("f1", "macro_f1", "maximise"),
        ("macro_f1", "macro_f1", "maximise"),
        ("roc_auc", "roc_auc", "maximise"),
        ("average_precision", "average_precision", "maximise"),
        ("log_loss", "loss", "minimise"),
        ("rmse", "rmse", "minimise"),
        ("mae", "mae", "minimise"),
        ("r2", "r2", "maximise"),
    ],
)
def test_a_known_objective_has_its_metric_and_its_direction(name: str, metric: str, better: str) -> None:
    assert named(name) == named(name, better) == Objective(metric, Direction(better))
    opposite = "minimise" if better == "maximise" else "maximise"
    with pytest.raises(ObjectiveError, match=f"the direction of '{name}' is {better}: leave the direction out"):
        named(name, opposite)


@pytest.mark.parametrize("name", [*objectives.names(Task.CLASSIFICATION), *objectives.names(Task.REGRESSION)])
def test_what_a_known_objective_is_called_shows_the_same_direction(name: str) -> None:
    objective = named(name)
    assert direction(objective.name) == ("higher" if objective.direction is Direction.MAXIMISE else "lower")
    assert metric_kinds({objective.name}) == {objective.name: "summary"}


def test_a_metric_of_ones_own_needs_a_direction() -> None:
    assert named("profit", "maximise") == Objective("profit", Direction.MAXIMISE)
    with pytest.raises(ObjectiveError, match="'profit' is a metric of your own: give its direction"):
        named("profit")
    with pytest.raises(ObjectiveError, match="neither maximise nor minimise"):
        named("profit", "up")


def test_an_objective_of_the_other_task_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ObjectiveError, match="the task is regression: choose one of rmse, mae, r2"):
        named("f1", task=Task.REGRESSION)
    with pytest.raises(ObjectiveError, match="choose one of accuracy, f1, roc_auc, average_precision, log_loss"):
        named("rmse", task=Task.CLASSIFICATION)
    assert named("profit", "maximise", Task.REGRESSION).name == "profit"


@pytest.mark.parametrize(
    ("request_", "metrics", "expected"),
    [
        ({}, [], ACCURACY),
        ({"objective": None, "direction": None, "task": None}, [], ACCURACY),
        ({"task": "regression"}, [], RMSE),
        ({"task": "classification"}, [{"rmse"}], ACCURACY),
        ({}, [{"rmse", "mae"}], RMSE),
        ({}, [set(), {"rmse"}], RMSE),
        ({}, [{"rmse", "accuracy"}], ACCURACY),
        ({"objective": "mae"}, [], Objective("mae", Direction.MINIMISE)),
        ({"objective": "profit", "direction": "maximise"}, [{"rmse"}], Objective("profit", Direction.MAXIMISE)),
        ({"objective": "of a later version"}, [], None),
        ({"objective": "rmse", "task": "classification"}, [], None),
    ],
)
def test_a_request_is_ranked_by_its_objective_or_by_the_one_of_its_task(
    request_: dict[str, str], metrics: list[set[str]], expected: Objective | None
) -> None:
    assert of_runs(request_, metrics) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, ACCURACY),
        ({"direction": "minimise"}, ACCURACY),
        (RMSE.tags, RMSE),
        ({"objective": "rmse"}, RMSE),
        ({"objective": "profit", "direction": "maximise"}, Objective("profit", Direction.MAXIMISE)),
        ({"objective": "profit"}, None),
        ({"objective": "profit", "direction": "sideways"}, None),
        ({"objective": "rmse", "direction": "maximise"}, None),
    ],
)
def test_the_tags_of_a_version_name_its_objective(tags: dict[str, str], expected: Objective | None) -> None:
    assert of_tags(tags) == expected


@given(st.text(min_size=1), DIRECTIONS)
def test_tags_are_read_as_they_were_written(name: str, better: Direction) -> None:
    objective = Objective(name, better)
    assert of_tags(objective.tags) in (objective, of_tags({"objective": name}), None)
    written = objectives.run_tags(objective, Task.REGRESSION)
    assert written == {"mlops.objective": name, "mlops.direction": better.value, "mlops.task": "regression"}


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, STORED_INFINITE, -STORED_INFINITE])
def test_a_metric_that_is_missing_or_not_finite_has_no_score(value: float | None) -> None:
    for objective in (ACCURACY, RMSE):
        metrics = {} if value is None else {objective.name: value}
        assert objective.value(metrics) is objective.score(metrics) is None


@given(FINITE, FINITE, DIRECTIONS)
def test_a_better_value_has_the_higher_score_and_reaches_the_other(one: float, two: float, better: Direction) -> None:
    objective = Objective("m", better)
    first, second = objective.score({"m": one}), objective.score({"m": two})
    assert first is not None
    assert second is not None
    assert objective.reaches(one, two) == (first >= second) == ((one >= two) if better == "maximise" else (one <= two))


@given(FINITE, st.floats(0, 1), st.sampled_from([ACCURACY, RMSE, Objective("profit", Direction.MAXIMISE)]))
def test_the_champions_own_value_is_always_good_enough(champion: float, margin: float, objective: Objective) -> None:
    assert objective.reaches(champion, objective.limit(champion, margin))


@pytest.mark.parametrize(
    ("objective", "champion", "limit"),
    [
        (ACCURACY, 0.9, 0.8),
        (named("r2"), -2.0, -2.1),
        (RMSE, 200.0, 220.0),
        (named("log_loss"), 0.5, 0.55),
        (named("profit", "maximise"), 50.0, 45.0),
        (named("profit", "maximise"), -50.0, -55.0),
    ],
)
def test_a_margin_is_a_difference_of_shares_and_a_share_of_quantities(
    objective: Objective, champion: float, limit: float
) -> None:
    assert objective.limit(champion, 0.1) == pytest.approx(limit)
