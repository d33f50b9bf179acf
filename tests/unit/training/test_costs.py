"""What jobs cost: refused before if it could be too much, recorded afterwards from the time that Batch has measured."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from job_events.costs import Costs, CostSettings
from mlops.aws.batch import Batch
from mlops.aws.jobs_table import JobsTable
from mlops.domain.errors import DependencyUnavailable
from mlops.domain.job import Job, JobStatus, Sweep
from mlops.domain.prices import Prices
from mlops.domain.resources import Resources, Size

SPOT, ON_DEMAND, GPU = "arn:spot", "arn:on-demand", "arn:gpu"
HOUR = 2 * 0.04048 + 4 * 0.004445
"""Of the usual size, without its address."""
SPOT_HOUR = HOUR * 0.3 + 0.005
FARGATE = [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "4096"}]
ON_GPU = [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "14336"}, {"type": "GPU", "value": "1"}]


class Tags:
    """MLflow, as far as costs need it."""

    def __init__(self) -> None:
        self.set: dict[str, tuple[str, str]] = {}
        self.down = False

    def set_run_tag(self, run_id: str, key: str, value: str) -> None:
        if self.down:
            raise DependencyUnavailable("MLflow does not answer")
        self.set[run_id] = (key, value)


@pytest.fixture
def tags() -> Tags:
    return Tags()


@pytest.fixture
def costs(jobs: JobsTable, tags: Tags) -> Costs:
    return Costs(CostSettings(job_queue=SPOT), jobs, tags)  # type: ignore[arg-type]


def ended(name: str, *minutes: float, queue: str = SPOT, requirements: Any = FARGATE, **more: Any) -> Any:
    """The event of a job whose attempts have taken these minutes."""
    attempts = [{"startedAt": 1_000_000, "stoppedAt": 1_000_000 + int(each * 60_000)} for each in minutes]
    container = {"resourceRequirements": requirements}
    return {"jobName": name, "jobId": "b", "jobQueue": queue, "status": "SUCCEEDED", "attempts": attempts,
            "container": container, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "dollars"),
    [
        (ended("job_000001", 60), HOUR * 0.3 + 0.005),
        (ended("job_000001", 60, queue=ON_DEMAND), HOUR + 0.005),
        (ended("job_000001", 20, 10, 30), HOUR * 0.3 + 0.005),
        (ended("job_000001", 0.1), (HOUR * 0.3 + 0.005) / 60),  # at least a minute
        (ended("job_000001", 30, queue=GPU, requirements=ON_GPU), 0.27),
        (
            ended("job_000001", 60, queue=ON_DEMAND, requirements=[
                {"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1024"}]),
            0.5 * 0.04048 + 0.004445 + 0.005,
        ),
        (ended("job_000001"), 0),
        (ended("job_000001") | {"attempts": [{"stoppedAt": 5}]}, 0),  # its container never ran
    ],
)  # fmt: skip
def test_a_job_costs_the_time_of_all_its_attempts(
    costs: Costs, jobs: JobsTable, tags: Tags, event: Any, dollars: float
) -> None:
    jobs.create(Job("job_000001", run_id="r"))
    costs.record(event)
    costs.record(event)
    assert jobs.job("job_000001").cost_usd == pytest.approx(dollars, abs=1e-6)
    key, text = tags.set["r"]
    assert (key, float(text)) == ("mlops.cost_usd", pytest.approx(dollars, rel=1e-4, abs=1e-6))


def test_of_a_job_that_batch_does_not_have_nothing_is_known(costs: Costs, jobs: JobsTable) -> None:
    jobs.create(Job("job_000001"))
    event = ended("job_000001", 60)
    del event["attempts"]
    costs.record(event)
    assert jobs.job("job_000001").cost_usd is None


def test_without_mlflow_the_record_has_it(costs: Costs, jobs: JobsTable, tags: Tags) -> None:
    jobs.create(Job("job_000001", run_id="r"))
    tags.down = True
    costs.record(ended("job_000001", 60))
    assert jobs.job("job_000001").cost_usd is not None


def sweep(jobs: JobsTable, **request: Any) -> None:
    jobs.create(Sweep("sweep_000001", job_ids=("job_000001", "job_000002"), request=request))
    for index in range(2):
        times = {"started_at": "2026-01-01T00:00:00.000Z", "completed_at": f"2026-01-01T0{index + 1}:00:00.000Z"}
        name = f"job_00000{index + 1}"
        jobs.create(Job(name, sweep_id="sweep_000001", array_index=index, status=JobStatus.COMPLETED, **times))


def test_each_run_of_a_sweep_costs_what_its_own_child_took(costs: Costs, jobs: JobsTable) -> None:
    sweep(jobs, strategy="random")
    costs.record(ended("sweep_000001", 60, arrayProperties={"index": 1}))
    assert [jobs.job(f"job_00000{each}").cost_usd for each in (1, 2)] == [None, pytest.approx(SPOT_HOUR, abs=1e-5)]
    # The child's own event was lost: the record says how long it took.
    costs.record(ended("sweep_000001", arrayProperties={"size": 2}))
    assert jobs.job("job_000001").cost_usd == pytest.approx(SPOT_HOUR, abs=1e-5)


def test_a_worker_shares_its_time_among_its_runs(costs: Costs, jobs: JobsTable) -> None:
    sweep(jobs, strategy="tpe", workers=2)
    costs.record(ended("sweep_000001", 180, arrayProperties={"index": 0}))
    assert jobs.job("job_000001").cost_usd is None
    costs.record(ended("sweep_000001", arrayProperties={"size": 2}))
    first, second = (jobs.job(f"job_00000{each}").cost_usd for each in (1, 2))
    assert first == pytest.approx(SPOT_HOUR, abs=1e-5)
    assert second == pytest.approx(2 * SPOT_HOUR, abs=1e-5)


def test_the_answers_say_it(ask: Any, jobs: JobsTable, costs: Costs) -> None:
    sweep(jobs, strategy="random", num_runs=2)
    assert ask("GET", "/train/status/job_000001")[1]["cost_usd"] is None
    assert ask("GET", "/sweeps/sweep_000001")[1]["cost_usd"] is None
    for index in range(2):
        costs.record(ended("sweep_000001", 60, arrayProperties={"index": index}))
    assert ask("GET", "/train/status/job_000001")[1]["cost_usd"] == pytest.approx(SPOT_HOUR, abs=1e-4)
    assert ask("GET", "/sweeps/sweep_000001")[1]["cost_usd"] == pytest.approx(2 * SPOT_HOUR, abs=1e-4)


@pytest.mark.parametrize(
    ("resources", "hour"),
    [
        (None, HOUR + 0.005),
        (Resources(minutes=5), HOUR + 0.005),
        (Resources(vcpu=8, memory_gb=60), 8 * 0.04048 + 60 * 0.004445 + 0.005),
        (Resources(gpu=1), 0.54),
    ],
)
def test_the_dearest_hour_is_that_on_demand(resources: Resources | None, hour: float) -> None:
    assert Prices().dearest_hour(resources) == pytest.approx(hour)
    assert Prices().fargate_hour(Size(2, 4), spot=True) < Prices().dearest_hour(None)


LARGE = {"vcpu": 8, "memory_gb": 60, "minutes": 480}  # 5 × 8 h × 0.596 = 23.82


@pytest.fixture
def capped(ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Asks a function with MaxJobCost."""
    from training import submission

    def of(most: float, path: str, body: dict[str, Any]) -> Any:
        made = submission._submissions()
        settings = made._settings
        monkeypatch.setattr(submission, "_submissions", lambda: made)
        monkeypatch.setattr(made, "_settings", type(settings)(**{**vars(settings), "max_job_cost": most}))
        return ask("POST", path, body)

    return of


@pytest.mark.parametrize(
    ("most", "path", "body", "said"),
    [
        (
            23.8,
            "/train",
            {"resources": LARGE},
            "could cost 23.82 dollars, for 5 attempts of 480 minutes at 0.596 an hour",
        ),
        (1, "/train", {}, "could cost 1.04 dollars, for 5 attempts of 120 minutes at 0.104 an hour"),
        (3, "/sweeps", {"num_runs": 3}, "for 3 runs of 5 attempts of 120 minutes"),
        (4, "/sweeps", {"num_runs": 3, "strategy": "tpe", "workers": 2}, "for 4 runs of 5 attempts of 120 minutes"),
    ],
)
def test_what_could_cost_too_much_is_refused_with_the_arithmetic(
    capped: Any, batch: Batch, most: float, path: str, body: dict[str, Any], said: str
) -> None:
    with Stubber(batch._submitter):  # which answers nothing: any call to Batch fails the test
        status, problem = capped(most, path, body)
    (error,) = problem["errors"]
    assert (status, error["field"]) == (422, "resources.minutes")
    assert said in error["message"]
    assert f"at most {most:g} are allowed (MaxJobCost): ask for less time, a smaller size" in error["message"]
    assert ("fewer runs" in error["message"]) == (path == "/sweeps")


def test_what_costs_no_more_than_that_is_taken(capped: Any, batch: Batch) -> None:
    with Stubber(batch._submitter) as stub:
        stub.add_response("submit_job", {"jobName": "n", "jobId": "batch-1"})
        assert capped(23.9, "/train", {"resources": LARGE})[0] == 202
