"""The runs of a sweep in the order of its objective; those without it come last, and it is said why."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.domain.job import Job, JobStatus, Sweep, from_item, to_item
from mlops.domain.objective import ACCURACY, RMSE, Direction, Objective
from mlops.domain.ranking import best_of, objective_of, ranked, score, unranked

VALUES = st.none() | st.floats(width=32)
RUNS = st.lists(st.tuples(VALUES, st.sampled_from(JobStatus)), max_size=8)


def runs_of(values: list[tuple[float | None, JobStatus]]) -> list[Job]:
    return [
        Job(f"job_{number:06d}", status=status, metrics={} if value is None else {"m": value})
        for number, (value, status) in enumerate(values)
    ]


@given(RUNS, st.sampled_from(Direction), st.randoms())
def test_runs_with_the_objective_come_first_in_its_direction(values, better, random):
    runs, objective = runs_of(values), Objective("m", better)
    shuffled = random.sample(runs, len(runs))
    order = ranked(shuffled, objective)
    assert sorted(order, key=lambda run: run.job_id) == runs
    counted = [
        run for run in order if run.status is JobStatus.COMPLETED and math.isfinite(run.metrics.get("m", math.nan))
    ]
    assert order[: len(counted)] == counted
    figures = [run.metrics["m"] for run in counted]
    assert figures == sorted(figures, reverse=better is Direction.MAXIMISE)
    ids = [run.job_id for run in order[len(counted) :]]
    assert ids == sorted(ids)
    assert best_of(shuffled, objective) == (counted[0] if counted else None)
    assert set(unranked(runs, objective)) == {
        run.job_id for run in runs if run.status in (JobStatus.COMPLETED, JobStatus.PRUNED) and run not in counted
    }


@given(RUNS)
def test_without_a_known_objective_no_run_is_the_best(values):
    runs = runs_of(values)
    assert best_of(runs, None) is None
    assert [run.job_id for run in ranked(runs, None)] == [run.job_id for run in runs]
    assert all(score(run, None) is None for run in runs)


def test_runs_that_are_equal_keep_their_order():
    runs = runs_of([(0.5, JobStatus.COMPLETED)] * 3)
    assert ranked(reversed(runs), Objective("m", Direction.MINIMISE)) == runs


def test_it_is_said_why_a_run_has_no_rank():
    runs = runs_of([(None, JobStatus.COMPLETED), (math.nan, JobStatus.COMPLETED), (None, JobStatus.FAILED)])
    assert unranked(runs, Objective("m", Direction.MINIMISE)) == {
        "job_000000": "it has no m",
        "job_000001": "its m is nan, not a finite number",
    }
    assert "does not know the objective" in unranked(runs, None)["job_000000"]


def test_a_pruned_run_is_not_the_best_and_it_is_said_why_it_ended():
    objective = Objective("val_m", Direction.MAXIMISE)
    pruned = Job("job_000001", status=JobStatus.PRUNED, metrics={"val_m": 0.9}, error="pruned at epoch 3: so it was")
    completed = Job("job_000002", status=JobStatus.COMPLETED, metrics={"val_m": 0.8})
    assert ranked([pruned, completed], objective) == [completed, pruned]
    assert best_of([pruned], objective) is None
    assert unranked([pruned, completed], objective) == {"job_000001": "pruned at epoch 3: so it was"}


def test_the_record_of_a_sweep_says_that_its_runs_are_ranked_by_the_rows_for_validation():
    runs = [Job("job_000001", metrics={"accuracy": 0.9, "val_accuracy": 0.8})]
    sweep = from_item(to_item(Sweep("sweep_000001", ranks_by_validation=True)))
    assert objective_of(sweep, runs) == ACCURACY.on_validation
    assert objective_of(replace(sweep, request={"objective": "mine"}), runs) is None
    assert objective_of(Sweep("sweep_000001"), runs) == ACCURACY, "of an older version, or of a single run"
    assert objective_of(runs[0], runs) == ACCURACY


@pytest.mark.parametrize(
    ("request_", "metrics", "expected"),
    [({}, {"accuracy": 0.9}, ACCURACY), ({}, {"rmse": 3.0}, RMSE), ({"task": "regression"}, {}, RMSE)],
)
def test_the_objective_of_a_sweep_is_that_of_its_request_or_its_task(request_, metrics, expected):
    sweep = Sweep("sweep_000001", request=request_)
    assert objective_of(sweep, [Job("job_000001"), Job("job_000002", metrics=metrics)]) == expected
