"""How a sweep ends none of whose runs was completed."""

import pytest

from job_events.job_states import JobStates
from mlops.domain.job import Job, Sweep


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
