"""How a sweep ends: without a best run, or with the best one by its objective."""

import math

import pytest

from job_events.job_states import JobStates
from job_events.sweep_outcome import end_sweep
from mlops.domain.job import Job, JobStatus, Sweep


def events(jobs):
    return JobStates(jobs, None, None, None)


@pytest.mark.parametrize(
    ("cancelled", "status", "error"),
    [
        ([], "failed", "No run of the sweep completed; see the errors of its runs"),
        (["job_000001"], "failed", "No run of the sweep completed; see the errors of its runs"),
        (["job_000001", "job_000002"], "cancelled", None),
        (["sweep_000001", "job_000001", "job_000002"], "cancelled", None),
    ],
)
def test_a_sweep_all_of_whose_runs_were_cancelled_is_cancelled_too(jobs, cancelled, status, error):
    jobs.create(Sweep("sweep_000001", job_ids=("job_000001", "job_000002")))
    for index in (0, 1):
        jobs.create(Job(f"job_00000{index + 1}", sweep_id="sweep_000001", array_index=index))
    for name in cancelled:
        jobs.cancel_requested(name)
    events(jobs).follow({"jobName": "sweep_000001", "jobId": "b", "status": "FAILED", "attempts": []})
    assert (jobs.get("sweep_000001").status, jobs.get("sweep_000001").error) == (status, error)


def test_the_only_run_of_a_sweep_is_cancelled_with_its_sweep(jobs, ask, batch, monkeypatch):
    """The run and the sweep are one Batch job."""
    stopped = []
    monkeypatch.setattr(batch, "stop", lambda batch_id, reason: stopped.append(batch_id))
    monkeypatch.setattr(batch, "submit_run", lambda *_: "batch-1")
    status, sweep = ask("POST", "/sweeps", {"num_runs": 1})
    assert status == 202
    assert ask("DELETE", f"/train/jobs/{sweep['job_ids'][0]}")[0] == 202
    assert stopped == ["batch-1"]
    events(jobs).follow({"jobName": sweep["sweep_id"], "jobId": "batch-1", "status": "FAILED", "attempts": []})
    assert ask("GET", f"/sweeps/{sweep['sweep_id']}")[1]["status"] == "cancelled"


@pytest.fixture
def ended(jobs):
    """Ends a sweep whose two runs have completed with these metrics, and returns its record."""

    def end(request, *metrics):
        names = tuple(f"job_{number:06d}" for number in range(1, len(metrics) + 1))
        jobs.create(Sweep("sweep_000001", job_ids=names, request={"register_best": False, **request}))
        for name, values in zip(names, metrics, strict=True):
            jobs.create(Job(name, sweep_id="sweep_000001", status=JobStatus.COMPLETED))
            jobs.update(name, metrics=values)
        end_sweep("sweep_000001", jobs, None, None, None)
        return jobs.sweep("sweep_000001")

    return end


@pytest.mark.parametrize(
    ("request_", "metrics", "best"),
    [
        ({}, [{"accuracy": 0.8}, {"accuracy": 0.9}], "job_000002"),
        ({}, [{"rmse": 3.0}, {"rmse": 4.0}], "job_000001"),
        ({"objective": "mae"}, [{"rmse": 3.0, "mae": 2.0}, {"rmse": 4.0, "mae": 1.0}], "job_000002"),
        ({"objective": "cost", "direction": "minimise"}, [{"cost": math.nan}, {"cost": 9.0}], "job_000002"),
        ({"objective": "f1"}, [{"macro_f1": 0.7, "accuracy": 0.8}, {"macro_f1": 0.6, "accuracy": 0.9}], "job_000001"),
    ],
)
def test_the_best_run_is_that_of_the_objective(ended, request_, metrics, best):
    sweep = ended(request_, *metrics)
    assert (sweep.status, sweep.best_job_id) == ("completed", best)


def test_a_sweep_whose_runs_lack_the_objective_fails_and_says_so(ended, ask):
    sweep = ended({"objective": "cost", "direction": "minimise"}, {"accuracy": 0.9}, {"cost": math.inf})
    assert sweep.status == "failed"
    assert "job_000001: it has no cost; job_000002: its cost is inf" in sweep.error
    answer = ask("GET", "/sweeps/sweep_000001")[1]
    assert answer["objective"] == {"name": "cost", "direction": "minimise"}
    assert answer["best"] is None
    assert answer["unranked"]["job_000001"] == "it has no cost"


def test_the_answer_about_a_sweep_names_its_objective_and_ranks_by_it(ended, ask):
    ended({}, {"rmse": 4.0}, {"rmse": 3.0})
    answer = ask("GET", "/sweeps/sweep_000001")[1]
    assert [run["job_id"] for run in answer["runs"]] == ["job_000002", "job_000001"]
    assert answer["best"]["job_id"] == "job_000002"
    assert answer["objective"] == answer["runs"][0]["objective"] == {"name": "rmse", "direction": "minimise"}
    assert answer["unranked"] == {}
