"""A job that waits too long for Spot is moved once, whatever round dies on the way."""

from datetime import UTC, datetime, timedelta

import pytest

from job_events.job_states import JobStates
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, Sweep
from reconcile.waiting_jobs import WaitingJobs, WaitingSettings

SPOT, ON_DEMAND = "arn:spot", "arn:on-demand"


class FakeBatch:
    """Two queues, as far as reconcile sees them; `dies_at` names the call that does not come back."""

    def __init__(self):
        self.jobs, self.dies_at = {}, None

    def add(self, name, queue=SPOT, status="RUNNABLE", **more):
        job_id = f"batch-{len(self.jobs) + 1}"
        container = {"environment": [{"name": "JOB_ID", "value": name}]}
        self.jobs[job_id] = {
            "jobId": job_id,
            "jobName": name,
            "jobQueue": queue,
            "status": status,
            "container": container,
            **more,
        }
        return job_id

    def describe(self, ids):
        return [self.jobs[each] for each in ids]

    def find(self, name, queue):
        found = (job_id for job_id, job in self.jobs.items() if (job["jobName"], job["jobQueue"]) == (name, queue))
        return next(found, None)

    def submit_again(self, job, queue):
        new = self.add(job["jobName"], queue)
        self._die("submitted")
        return new

    def stop(self, job_id, reason):
        self.jobs[job_id]["status"] = "FAILED"
        self._die("stopped")

    def _die(self, moment):
        if self.dies_at == moment:
            raise TimeoutError(moment)


@pytest.fixture
def batch():
    return FakeBatch()


@pytest.fixture
def waiting(jobs, batch):
    return WaitingJobs(WaitingSettings(SPOT, ON_DEMAND, 900), jobs, batch)


def recorded(jobs, name, batch_id, minutes=20):
    jobs.create(Sweep(name) if name.startswith("sweep") else Job(name))
    jobs.submitted(name, batch_id)
    created = datetime.now(UTC) - timedelta(minutes=minutes)
    jobs.update(name, created_at=created.isoformat().replace("+00:00", "Z"))


def test_a_job_that_waits_too_long_is_moved_and_the_old_ones_end_does_not_count(jobs, batch, waiting):
    old = batch.add("job_000001")
    recorded(jobs, "job_000001", old)
    assert waiting.look() == ["job_000001"]
    new = jobs.get("job_000001").batch_job_id
    assert batch.jobs[new]["jobQueue"] == ON_DEMAND
    assert batch.jobs[old]["status"] == "FAILED"
    states = JobStates(jobs, None, None, None)
    states.follow({"jobName": "job_000001", "jobId": old, "status": "FAILED", "attempts": []})
    assert jobs.get("job_000001").status == "pending"
    states.follow({"jobName": "job_000001", "jobId": new, "status": "RUNNING", "attempts": []})
    assert jobs.get("job_000001").status == "running"
    assert waiting.look() == []


@pytest.mark.parametrize("moment", ["submitted", "stopped"])
def test_a_round_that_dies_half_way_is_finished_by_the_next_without_a_second_job(jobs, batch, waiting, moment):
    recorded(jobs, "job_000001", batch.add("job_000001"))
    batch.dies_at = moment
    with pytest.raises(ExceptionGroup) as group:
        waiting.look()
    assert [type(error) for error in group.value.exceptions] == [TimeoutError]
    batch.dies_at = None
    assert waiting.look() == ["job_000001"]
    assert len(batch.jobs) == 2
    assert jobs.get("job_000001").batch_job_id == "batch-2"


def test_what_is_young_or_running_or_on_demand_already_stays(jobs, batch, waiting):
    recorded(jobs, "job_000001", batch.add("job_000001"), minutes=5)
    recorded(jobs, "job_000002", batch.add("job_000002", status="RUNNING"))
    recorded(jobs, "job_000003", batch.add("job_000003", queue=ON_DEMAND))
    recorded(jobs, "job_000005", batch.add("job_000005", queue="arn:gpu"))  # Fargate has none
    half = {"size": 2, "statusSummary": {"RUNNABLE": 1, "RUNNING": 1}}
    recorded(jobs, "sweep_000004", batch.add("sweep_000004", status="PENDING", arrayProperties=half))
    assert waiting.look() == []


def test_a_sweep_none_of_whose_runs_has_begun_is_moved_whole(jobs, batch, waiting):
    untouched = {"size": 2, "statusSummary": {"RUNNABLE": 2, "RUNNING": 0}}
    recorded(jobs, "sweep_000001", batch.add("sweep_000001", status="PENDING", arrayProperties=untouched))
    assert waiting.look() == ["sweep_000001"]


def test_a_job_that_cannot_be_moved_keeps_no_other_from_being_moved(jobs, batch, waiting):
    for number in range(1, 4):
        recorded(jobs, f"job_00000{number}", batch.add(f"job_00000{number}"))
    submit = batch.submit_again

    def refuse(job, queue):
        if job["jobName"] == "job_000002":
            raise DependencyUnavailable("AWS Batch refused the job")
        return submit(job, queue)

    batch.submit_again = refuse
    with pytest.raises(ExceptionGroup) as group:
        waiting.look()
    (error,) = group.value.exceptions
    assert (type(error), error.__notes__) == (DependencyUnavailable, ["job_000002"])
    queues = {name: batch.jobs[jobs.get(name).batch_job_id]["jobQueue"] for name in ("job_000001", "job_000003")}
    assert queues == {"job_000001": ON_DEMAND, "job_000003": ON_DEMAND}
    batch.submit_again = submit
    assert waiting.look() == ["job_000002"]


def test_a_job_that_waits_for_the_limit_on_vcpus_does_not_move_to_dearer_capacity(jobs, batch, waiting):
    """Moved jobs would use the limit a second time, in the on-demand queue."""
    running = {"size": 31, "statusSummary": {"RUNNING": 30, "STARTING": 1}}
    recorded(jobs, "sweep_000001", batch.add("sweep_000001", status="PENDING", arrayProperties=running), minutes=5)
    demands = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8192"}]
    container = {"environment": [], "resourceRequirements": demands}
    recorded(jobs, "job_000002", batch.add("job_000002", container=container))
    assert waiting.look() == [], "62 of 64 vCPUs are used, and it asks for 4"
    running["statusSummary"] = {"RUNNING": 30, "SUCCEEDED": 1}
    assert waiting.look() == ["job_000002"]
