"""Sweeps whose runs learn from those before, or are pruned: the request, the Batch job, its events, and cancelling."""

import json
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from job_events.job_states import JobStates
from mlops.domain.job import LEARNING, Job, JobStatus, Sweep, from_item, to_item
from mlops.domain.sweep import Sweep as Plan

TPE = {"strategy": "tpe", "num_runs": 4, "workers": 2}


@pytest.fixture
def submitted(ask: Any, batch: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask for a sweep; returns the answer, and what Batch was asked for."""

    def submit(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        monkeypatch.setattr(
            batch._submitter, "submit_job", lambda **request: sent.append(request) or {"jobId": "batch-1"}
        )
        status, answer = ask("POST", "/sweeps", body)
        assert status == 202, answer
        (request,) = sent
        return answer, request

    return submit


def environment(request: dict[str, Any]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in request["containerOverrides"]["environment"]}


def plan_of(request: dict[str, Any]) -> Plan:
    return Plan.model_validate_json(environment(request)["SWEEP"])


@pytest.mark.parametrize("strategy", LEARNING)
@pytest.mark.parametrize(
    ("body", "workers"),
    [
        ({"num_runs": 4, "workers": 2}, 2),
        ({"num_runs": 4}, 4),
        ({"num_runs": 3}, 3),
        ({"num_runs": 4, "workers": 3}, 3),
    ],
)
def test_a_sweep_that_learns_is_an_array_of_its_workers(submitted, jobs, strategy, body, workers):
    answer, request = submitted({"strategy": strategy, **body})
    assert request["arrayProperties"] == {"size": workers}
    plan = plan_of(request)
    assert (plan.strategy, plan.num_runs, plan.workers, plan.prune) == (strategy, body["num_runs"], workers, False)
    assert plan.job_ids == answer["job_ids"]
    assert set(plan.space) == {"learning_rate", "hidden_size", "dropout", "batch_size"}, "the space of random draws"
    assert [job.array_index for job in jobs.get_many(answer["job_ids"])] == list(range(body["num_runs"]))
    assert jobs.sweep(answer["sweep_id"]).processes == workers


@pytest.mark.parametrize("body", [{"num_runs": 4, "workers": 1}, {"num_runs": 1}])
def test_one_worker_is_a_plain_job(submitted, body):
    answer, request = submitted({"strategy": "tpe", **body})
    assert "arrayProperties" not in request
    assert request["jobName"] == answer["sweep_id"]
    assert plan_of(request).workers == 1


@pytest.mark.parametrize(
    ("body", "minutes"),
    [
        ({"num_runs": 4, "workers": 2}, 240),
        ({"num_runs": 4, "workers": 3, "resources": {"minutes": 10}}, 20),
        ({"num_runs": 4, "workers": 1, "resources": {"minutes": 10}}, 40),
        ({"num_runs": 4, "workers": 4, "resources": {"minutes": 10}}, 10),
    ],
)
def test_a_worker_has_the_time_of_all_the_runs_that_it_does(submitted, body, minutes):
    _, request = submitted({"strategy": "tpe", **body})
    assert request["timeout"] == {"attemptDurationSeconds": 60 * minutes}


@pytest.mark.parametrize(
    "body",
    [
        {"num_runs": 2},
        {"num_runs": 2, "prune": True},
        {"strategy": "grid", "space": {"dropout": [0.0, 0.1]}},
        {"strategy": "tpe", "num_runs": 2},
        {"strategy": "gp", "num_runs": 1},
    ],
)
def test_the_runs_of_every_sweep_are_ranked_by_validation(submitted, jobs, body):
    answer, request = submitted(body)
    assert plan_of(request).ranks_by_validation
    assert jobs.sweep(answer["sweep_id"]).ranks_by_validation


@pytest.mark.parametrize("body", [{"num_runs": 1}, {"strategy": "grid", "space": {"dropout": [0.0]}}])
def test_a_single_run_chooses_nothing(submitted, jobs, body):
    answer, request = submitted(body)
    assert "SWEEP" not in environment(request)
    assert not jobs.sweep(answer["sweep_id"]).ranks_by_validation


def test_the_time_of_other_sweeps_is_that_of_a_run(submitted):
    _, request = submitted({"num_runs": 2})
    assert "timeout" not in request


def test_a_random_sweep_that_prunes_tells_its_runs(submitted):
    _, request = submitted({"num_runs": 2, "prune": True})
    assert (plan_of(request).prune, request["arrayProperties"]) == (True, {"size": 2})


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"workers": 2}, "workers", "is for the strategies tpe and gp: set one of them, or leave it out"),
        ({"strategy": "grid", "workers": 2}, "workers", "tpe"),
        ({"strategy": "tpe", "num_runs": 3, "workers": 4}, "workers", "must be at most num_runs, which is 3"),
        ({"strategy": "tpe", "workers": 0}, "workers", "greater than or equal to 1"),
        ({"strategy": "grid", "prune": True}, "prune", "is for the strategies random, tpe and gp"),
        ({"strategy": "tpe", "space": {"dropout": [0.1, 0.9]}}, "space.dropout", "maximum of 0.5"),
        ({"strategy": "best", "workers": 2}, "strategy", "'random', 'grid', 'tpe' or 'gp'"),
    ],
)
def test_what_does_not_fit_names_the_field_and_the_remedy(ask, body, field, message):
    status, problem = ask("POST", "/sweeps", body)
    assert status == 422
    errors = {error["field"]: error["message"] for error in problem["errors"]}
    assert list(errors) == [field]
    assert message in errors[field]


def test_a_space_of_lists_alone_is_as_good_as_one_of_ranges(submitted):
    _, request = submitted({**TPE, "space": {"hidden_size": [32, 64], "dropout": {"low": 0, "high": 0.5}}})
    assert plan_of(request).space["hidden_size"] == [32, 64]


@pytest.fixture
def sweep(submitted: Any) -> dict[str, Any]:
    """A tpe sweep of four runs, the first two of which are claimed by workers 0 and 1."""
    answer, _ = submitted(TPE)
    return answer


@pytest.fixture
def claimed(sweep: Any, jobs: Any) -> list[str]:
    names: list[str] = sweep["job_ids"]
    for index in (0, 1):
        assert jobs.claim_trial(names[index], index, {"dropout": 0.1})
        jobs.started(names[index], 1, f"run-{index}", {}, 10)
    return names


def event(sweep: dict[str, Any], status: str, index: int | None = None, attempts: int = 1) -> dict[str, Any]:
    detail: dict[str, Any] = {"jobName": sweep["sweep_id"], "status": status, "attempts": [{}] * attempts}
    if index is None:
        return {**detail, "jobId": "batch-1"}
    detail |= {"container": {"exitCode": 137}} if status == "FAILED" else {}
    return {**detail, "jobId": f"batch-1:{index}", "arrayProperties": {"index": index}}


def statuses(jobs: Any, names: list[str]) -> list[str]:
    return [job.status.value for job in jobs.get_many(names)]


def test_the_run_of_a_worker_that_dies_has_failed_and_the_others_are_left(jobs, sweep, claimed):
    states = JobStates(jobs, None, None, None)
    states.follow(event(sweep, "RUNNING", 1, attempts=0))
    assert statuses(jobs, claimed) == ["running", "running", "pending", "pending"]
    states.follow(event(sweep, "FAILED", 1))
    assert statuses(jobs, claimed) == ["running", "failed", "pending", "pending"]
    assert "exit code 137" in jobs.job(claimed[1]).batch_reason
    assert jobs.claim_trial(claimed[2], 0, {}), "worker 0 goes on"


def test_the_end_of_a_worker_changes_no_run_that_has_ended(jobs, sweep, claimed):
    jobs.completed(claimed[1], 1, {"val_accuracy": 0.9}, None)
    JobStates(jobs, None, None, None).follow(event(sweep, "SUCCEEDED", 1))
    assert statuses(jobs, claimed) == ["running", "completed", "pending", "pending"]


def test_runs_that_no_worker_has_begun_end_with_the_sweep(jobs, sweep, claimed):
    states = JobStates(jobs, None, None, None)
    for index in (0, 1):
        states.follow(event(sweep, "FAILED", index))
    states.follow(event(sweep, "FAILED"))
    assert set(statuses(jobs, claimed)) == {"failed"}
    assert jobs.sweep(sweep["sweep_id"]).error.startswith("No run of the sweep completed")


def test_a_run_is_cancelled_without_its_worker(ask, jobs, sweep, claimed, batch):
    with Stubber(batch._batch):  # which answers nothing: any call to Batch fails the test
        for index in (1, 3):
            status, answer = ask("DELETE", f"/train/jobs/{claimed[index]}")
            assert (status, answer["status"]) == (202, "cancelled")
    assert statuses(jobs, claimed) == ["running", "cancelled", "pending", "cancelled"]
    assert ask("DELETE", f"/train/jobs/{claimed[3]}")[0] == 409
    JobStates(jobs, None, None, None).follow(event(sweep, "SUCCEEDED", 1))
    assert jobs.job(claimed[1]).status is JobStatus.CANCELLED


def test_the_whole_sweep_is_cancelled_with_its_workers(ask, jobs, sweep, claimed, batch):
    with Stubber(batch._batch) as stub:
        stub.add_response("terminate_job", {}, {"jobId": "batch-1", "reason": ANY})
        assert ask("DELETE", f"/sweeps/{sweep['sweep_id']}")[0] == 202
        stub.assert_no_pending_responses()
    JobStates(jobs, None, None, None).follow(event(sweep, "FAILED"))
    assert set(statuses(jobs, claimed)) == {"cancelled"}


def test_the_log_of_a_run_is_that_of_its_worker(ask, sweep, claimed, batch):
    with Stubber(batch._batch) as stub:
        stub.add_response("describe_jobs", {"jobs": []}, {"jobs": ["batch-1:1"]})
        assert ask("GET", f"/train/jobs/{claimed[1]}/logs")[0] == 404
        stub.assert_no_pending_responses()


def test_the_best_run_is_that_on_validation_and_pruned_runs_say_why(ask, jobs, sweep, claimed):
    jobs.completed(claimed[0], 1, {"accuracy": 0.9, "val_accuracy": 0.8}, None)
    jobs.completed(claimed[1], 1, {"accuracy": 0.8, "val_accuracy": 0.9}, None)
    jobs.claim_trial(claimed[2], 0, {})
    jobs.progressed(claimed[2], 1, 3, {"val_accuracy": 0.99}, {3: 0.99})
    jobs.pruned(claimed[2], 1, "pruned at epoch 3: it was worse")
    answer = ask("GET", f"/sweeps/{sweep['sweep_id']}")[1]
    assert answer["objective"] == {"name": "val_accuracy", "direction": "maximise"}
    assert [run["job_id"] for run in answer["runs"][:2]] == [claimed[1], claimed[0]]
    assert answer["best"]["job_id"] == claimed[1]
    assert answer["best"]["objective"] == {"name": "accuracy", "direction": "maximise"}, "the gate's"
    assert answer["unranked"] == {claimed[2]: "pruned at epoch 3: it was worse"}
    pruned = ask("GET", f"/train/status/{claimed[2]}")[1]
    assert (pruned["status"], pruned["error"]) == ("pruned", "pruned at epoch 3: it was worse")
    assert [job["job_id"] for job in ask("GET", "/train/jobs", status="pruned")[1]["jobs"]] == [claimed[2]]


def test_what_a_run_was_asked_for_is_trained_again_by_a_retrain():
    request = {"seed": 5, "hyperparameters": {"num_leaves": 31, "subsample": 0.5}, "dataset": "digits"}
    assert Job("job_000001", request=request).whole_request == request
    chosen = Job("job_000001", request=request, asked={"num_leaves": 63, "seed": 9, "max_depth": 4})
    assert chosen.whole_request == {
        "seed": 9,
        "hyperparameters": {"num_leaves": 63, "subsample": 0.5, "max_depth": 4},
        "dataset": "digits",
    }


def test_records_of_the_version_before_are_read():
    old = Sweep("sweep_000001", request={"strategy": "random"}, job_ids=("job_000001", "job_000002"))
    assert (old.has_workers, from_item(to_item(old)).ranks_by_validation, old.processes) == (False, False, 2)
    assert json.loads(Plan(strategy="random", seed=1, num_runs=2).model_dump_json())["workers"] == 1
    before = {"strategy": "random", "seed": 1, "num_runs": 2, "space": {}, "first_job_number": 1}
    assert Plan.model_validate(before).processes == 2
    assert not Plan.model_validate(before).ranks_by_validation
