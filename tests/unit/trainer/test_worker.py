"""The workers of a tpe sweep, as Batch starts them, with the jobs table between them."""

import json
import re
from collections.abc import Callable, Iterator

import boto3
import pytest
from mlflow import MlflowClient

from mlops.aws.jobs_table import JobsTable
from mlops.domain.job import LEARNING, Job, JobStatus
from mlops.domain.objective import ACCURACY, Direction, Objective
from mlops.domain.pruning import reason_to_prune
from mlops.domain.sweep import Sweep
from mlops_data.errors import DataError
from trainer import __main__ as trainer
from trainer import job, worker
from trainer.errors import Interrupted, ParameterError
from trainer.stop import Stop
from trainer.trial_records import TrialRecords

NUMBERS = iter(range(2001, 90_000, 100))
SPACE = {"learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}, "hidden_size": [32, 64]}


@pytest.fixture
def jobs(aws: str) -> JobsTable:
    return JobsTable.from_environment()


@pytest.fixture
def plan(jobs: JobsTable) -> Sweep:
    """A sweep of six runs, with the records that the API has made for it."""
    return made(jobs)


def made(jobs: JobsTable, **values: object) -> Sweep:
    sweep = Sweep.model_validate(
        {"strategy": "tpe", "seed": 3, "num_runs": 6, "space": SPACE, "whole": ["hidden_size", "seed"]}
        | {"first_job_number": next(NUMBERS), **values}
    )
    for index, job_id in enumerate(sweep.job_ids):
        jobs.create(Job(job_id, sweep_id="sweep_000009", array_index=index))
    return sweep


Start = Callable[..., int]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Start a worker of a sweep, as Batch does, and return its exit code."""

    def started(sweep: Sweep, index: int = 0, attempt: int = 1, model_type: str = "mlp") -> int:
        own = {"TRAIN_EPOCHS": "2"} if model_type == "mlp" else {}
        for name, value in {
            "SWEEP_ID": "sweep_000009",
            "SWEEP": sweep.model_dump_json(),
            "TRAIN_MODEL_TYPE": model_type,
            **own,
            "TRAIN_REGISTER": "false",
            "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
            "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        }.items():
            monkeypatch.setenv(name, value)
        return worker.main([], sweep, Stop())

    return started


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch, jobs: JobsTable) -> list[tuple[str, dict, int]]:
    """Runs that train in no time, and are the better the nearer the rate is to 0.02; returns what was trained."""
    trained = []

    def run(parameters, identity, stop, trial):
        asked = {name: getattr(parameters, name) for name in ("learning_rate", "hidden_size", "seed")}
        trained.append((identity.job_id, asked, identity.attempt))
        score = 1 - abs(parameters.learning_rate - 0.02)
        jobs.completed(identity.job_id, identity.attempt, {"accuracy": 0.5, "val_accuracy": score}, None)

    monkeypatch.setattr(job, "run", run)
    return trained


def test_a_worker_does_all_runs_with_what_it_asked_for(jobs, plan, start, scored):
    assert start(plan) == 0
    assert [job_id for job_id, _, _ in scored] == plan.job_ids
    runs = jobs.get_many(plan.job_ids)
    assert {run.status for run in runs} == {JobStatus.COMPLETED}
    for index, (run, (_, asked, _)) in enumerate(zip(runs, scored, strict=True)):
        assert (run.worker, run.asked) == (0, {name: asked[name] for name in SPACE})
        assert asked["seed"] == 3 + index
    assert len({run.asked["learning_rate"] for run in runs}) == 6
    assert runs[0].asked["learning_rate"] == 0.001, "the type's own value comes first"
    assert start(plan) == 0
    assert len(scored) == 6, "nothing is left to do"


@pytest.mark.parametrize("strategy", LEARNING)
def test_one_worker_asks_for_the_same_each_time(jobs, start, scored, strategy):
    first, second = made(jobs, strategy=strategy), made(jobs, strategy=strategy)
    start(first)
    start(second)
    assert [asked for _, asked, _ in scored[:6]] == [asked for _, asked, _ in scored[6:]]


def test_workers_share_the_runs_and_each_is_done_once(jobs, plan, start, scored, monkeypatch):
    """Before each claim of worker 0, worker 1 claims the same run first."""
    records = TrialRecords(plan, 5)
    other = worker.Worker(plan, {}, 1, records, Stop())
    claim = TrialRecords.claim
    beaten = []

    def slower(self, job_id, index, asked):
        if index == 0 and len(beaten) < 2:
            beaten.append(job_id)
            assert claim(self, job_id, 1, {"learning_rate": 0.05, "hidden_size": 32})
            jobs.completed(job_id, 1, {"val_accuracy": 0.9}, None)
        return claim(self, job_id, index, asked)

    monkeypatch.setattr(TrialRecords, "claim", slower)
    assert start(plan) == 0
    assert beaten == plan.job_ids[:2]
    assert [job_id for job_id, _, _ in scored] == plan.job_ids[2:]
    assert [run.worker for run in jobs.get_many(plan.job_ids)] == [1, 1, 0, 0, 0, 0]
    assert other.next_run() is None


def test_an_attempt_after_an_interruption_takes_its_run_up_again(jobs, plan, start, scored, monkeypatch):
    asked = {"learning_rate": 0.011, "hidden_size": 64}
    assert jobs.claim_trial(plan.job_ids[0], 1, {"learning_rate": 0.09, "hidden_size": 32})
    assert jobs.claim_trial(plan.job_ids[1], 0, asked)
    jobs.started(plan.job_ids[1], 1, "run", {}, 2)
    assert start(plan, attempt=2) == 0
    assert scored[0] == (plan.job_ids[1], {**asked, "seed": 4}, 2)
    assert [job_id for job_id, _, _ in scored] == plan.job_ids[1:], "the run of worker 1 is left to it"


def test_in_another_queue_attempts_are_counted_anew_and_the_record_takes_the_report(jobs, plan, start, scored):
    job_id = plan.job_ids[0]
    assert jobs.claim_trial(job_id, 0, {"learning_rate": 0.011, "hidden_size": 64})
    jobs.started(job_id, 3, "run", {}, 2)
    assert start(plan, attempt=1) == 0
    assert (scored[0][0], scored[0][2]) == (job_id, 3)
    assert jobs.job(job_id).metrics["val_accuracy"] > 0.9


def test_sigterm_keeps_the_run_for_the_next_attempt(jobs, plan, start, monkeypatch):
    def interrupted(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(job, "run", interrupted)
    with pytest.raises(Interrupted):
        start(plan)
    first, second = jobs.get_many(plan.job_ids[:2])
    assert (first.worker, first.status, second.worker) == (0, JobStatus.PENDING, None)
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        worker.Worker(plan, {}, 0, TrialRecords(plan, 5), stop).next_run()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (DataError("no rows"), "no rows"),
        (ZeroDivisionError("boom"), r"internal error: ZeroDivisionError in test_worker.py:\d+; see the job's log"),
    ],
)
def test_a_run_that_fails_has_an_end_and_the_next_one_follows(jobs, plan, start, monkeypatch, failure, reason):
    def failing(*_: object) -> None:
        raise failure

    monkeypatch.setattr(job, "run", failing)
    assert start(plan) == 0
    runs = jobs.get_many(plan.job_ids)
    assert {run.status for run in runs} == {JobStatus.FAILED}
    assert all(re.fullmatch(reason, run.error or "") for run in runs)


def test_hyperparameters_that_the_type_refuses_fail_the_run(jobs, start):
    plan = made(jobs, num_runs=1, space={"dropout": [0.9]})
    assert start(plan) == 0
    assert "dropout" in str(jobs.job(plan.job_ids[0]).error)


def test_a_run_that_was_cancelled_before_it_began_is_left_out(jobs, plan, start, scored):
    jobs.move(plan.job_ids[1], JobStatus.CANCELLED, 0)
    assert start(plan) == 0
    assert [job_id for job_id, _, _ in scored] == [plan.job_ids[0], *plan.job_ids[2:]]
    assert not jobs.claim_trial(plan.job_ids[1], 0, {})


def test_without_the_table_it_is_said_what_is_missing(plan, start, monkeypatch):
    monkeypatch.delenv("JOBS_TABLE")
    with pytest.raises(ParameterError, match="JOBS_TABLE"):
        start(plan)


def test_runs_are_measured_on_validation_and_not_on_the_rows_of_the_gate(
    jobs: JobsTable, start: Start, mlflow_client: MlflowClient, monkeypatch: pytest.MonkeyPatch
):
    """Two real runs: their metrics have both, and what is learned from is the former."""
    plan = made(jobs, num_runs=2)
    assert start(plan) == 0
    for run in jobs.get_many(plan.job_ids):
        assert (run.status, run.error) == (JobStatus.COMPLETED, None)
        assert 0 < run.metrics["val_accuracy"] <= 1
        assert run.metrics["val_accuracy"] != run.metrics["accuracy"]
        assert {name: run.params[name] for name in SPACE} == dict(run.asked)
        logged = mlflow_client.get_run(run.run_id)
        assert logged.data.tags["mlops.objective"] == "accuracy"
        assert logged.data.params["learning_rate"] == str(run.asked["learning_rate"])
        assert run.curve == {}, "only a sweep that prunes needs it"


@pytest.fixture
def others(jobs: JobsTable) -> Iterator[Callable[[Sweep, float], None]]:
    """Write five other runs of a sweep that all reach a value in each epoch."""

    def write(sweep: Sweep, value: float) -> None:
        for number, job_id in enumerate(sweep.job_ids[1:]):
            asked = {name: values[0] for name, values in sweep.space.items()}
            jobs.claim_trial(job_id, 1 + number, asked)
            jobs.progressed(job_id, 1, 4, {}, dict.fromkeys(range(1, 5), value))
            jobs.completed(job_id, 1, {"val_accuracy": value}, None)

    return write


@pytest.mark.parametrize(
    ("model_type", "epochs", "measured"),
    [
        ("mlp", "epochs", Objective("val_accuracy", Direction.MAXIMISE)),
        ("lightgbm", "n_estimators", Objective("val_loss", Direction.MINIMISE)),
        ("xgboost", "n_estimators", Objective("val_loss", Direction.MINIMISE)),
    ],
)
def test_a_run_that_is_worse_than_the_others_is_pruned(
    jobs, start, others, mlflow_client, model_type, epochs, measured
):
    plan = made(jobs, prune=True, space={epochs: [6]}, whole=[epochs, "seed"])
    others(plan, 1.1)  # better than any accuracy, and any loss
    assert start(plan, model_type=model_type) == 0
    run = jobs.job(plan.job_ids[0])
    assert (run.status, run.epoch, sorted(run.curve)) == (JobStatus.PRUNED, 3, [1, 2, 3])
    assert run.error == reason_to_prune(run.curve, jobs.get_many(plan.job_ids[1:]))
    assert run.curve[3] == measured.score(run.metrics)
    logged = mlflow_client.get_run(run.run_id)
    assert (logged.info.status, logged.data.tags["mlops.pruned"]) == ("KILLED", run.error)
    assert "accuracy" not in logged.data.metrics
    keys = boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix=f"checkpoints/{run.job_id}/").get("Contents")
    assert not keys, "nobody will resume it"


@pytest.mark.usefixtures("mlflow_client")
def test_a_child_of_a_random_sweep_is_pruned_too_and_exits_with_0(jobs, others, monkeypatch):
    plan = made(
        jobs, strategy="random", prune=True, ranks_by_validation=True, space={"epochs": [6]}, whole=["epochs", "seed"]
    )
    others(plan, 1.1)
    for name, value in {"SWEEP": plan.model_dump_json(), "TRAIN_REGISTER": "false"}.items():
        monkeypatch.setenv(name, value)
    assert trainer.main([], Stop()) == 0
    assert jobs.job(plan.job_ids[0]).status is JobStatus.PRUNED


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_client")
@pytest.mark.parametrize("strategy", ["random", "grid"])
def test_a_run_of_any_sweep_is_measured_on_validation(jobs, monkeypatch, strategy):
    """The held-out rows do not rank it, but are what the gate compares by."""
    plan = made(jobs, strategy=strategy, num_runs=2, space={"C": [0.1, 1.0]}, ranks_by_validation=True)
    values = {"SWEEP": plan.model_dump_json(), "TRAIN_REGISTER": "false", "TRAIN_MODEL_TYPE": "linear"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert trainer.main([], Stop()) == 0
    run = jobs.job(plan.job_ids[0])
    assert (run.status, run.curve) == (JobStatus.COMPLETED, {})
    assert 0.5 < run.metrics["val_accuracy"] != run.metrics["accuracy"] > 0.5


@pytest.mark.usefixtures("mlflow_client")
def test_a_run_that_is_as_good_goes_on_to_its_end(jobs, start, others):
    plan = made(jobs, prune=True, space={"epochs": [4]}, whole=["epochs", "seed"])
    others(plan, 0.0)
    assert start(plan) == 0
    run = jobs.job(plan.job_ids[0])
    assert (run.status, sorted(run.curve)) == (JobStatus.COMPLETED, [1, 2, 3, 4])


@pytest.mark.usefixtures("mlflow_client")
def test_a_run_that_is_cancelled_ends_after_its_epoch_and_the_worker_goes_on(jobs, start, monkeypatch):
    plan = made(jobs, num_runs=2, space={"epochs": [3]}, whole=["epochs", "seed"])
    glance = TrialRecords.glance

    def cancelled(self, job_ids):
        if job_ids == [plan.job_ids[0]]:
            jobs.move(job_ids[0], JobStatus.CANCELLED, 1, cancel_requested=True)
        return glance(self, job_ids)

    monkeypatch.setattr(TrialRecords, "glance", cancelled)
    assert start(plan) == 0
    first, second = jobs.get_many(plan.job_ids)
    assert (first.status, first.epoch) == (JobStatus.CANCELLED, 1)
    assert second.status is JobStatus.COMPLETED


def test_a_table_that_does_not_answer_for_a_moment_does_not_stop_a_training(plan, monkeypatch, capsys):
    records = TrialRecords(plan, 5)

    def down(*_: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(JobsTable, "trials", down)
    assert records.glance(plan.job_ids) == []
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "trial.not_compared"


def test_an_attempt_that_begins_again_measures_its_epochs_anew(jobs, plan):
    job_id = plan.job_ids[0]
    jobs.progressed(job_id, 1, 9, {}, dict.fromkeys(range(1, 10), 0.5))
    trial = TrialRecords(plan.model_copy(update={"prune": True}), 5).trial(job_id)
    trial.begin(ACCURACY)
    assert trial.measured(4, {"val_accuracy": 0.7, "val_loss": 1.0}) == {1: 0.5, 2: 0.5, 3: 0.5, 4: 0.7}
    assert trial.measured(1, {"val_loss": 2.0}) == {1: -2.0}, "the loss stands in for what is not reported"
