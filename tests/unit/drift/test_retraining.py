"""What is trained when a retrain is asked for."""

from types import SimpleNamespace
from typing import Any

import pytest

from mlops.api.schemas.sweeps import SweepRequest
from mlops.aws.jobs_table import JobsTable
from mlops.domain.drift.retrain import RetrainRequest
from mlops.domain.errors import Conflict
from mlops.domain.job import Job
from mlops.domain.sweep import Sweep, child_parameters
from tests.unit.registry.fakes import Effects, FakeTracking
from training import retraining
from training.retraining import sweep_of

TRAINED = {
    "learning_rate": 0.003,
    "epochs": 7,
    "batch_size": 32,
    "hidden_size": 256,
    "dropout": 0.1,
    "seed": 42,
    "model_type": "cnn",
    "dataset": "mnist",
    "experiment_name": "digits",
    "model_name": "other",
    "run_name": "best",
    "register": False,
}


def test_one_run_is_trained_as_the_version_in_production_was_but_with_another_seed():
    sweep = sweep_of(RetrainRequest(model_name="m"), TRAINED, "drift-m-1")
    child = child_parameters(
        Sweep(strategy=sweep.strategy, seed=sweep.seed, num_runs=1, space=sweep.space, first_job_number=1), 0
    )
    assert {name: child[name] for name in ("learning_rate", "batch_size", "hidden_size", "dropout")} == {
        "learning_rate": 0.003,
        "batch_size": 32,
        "hidden_size": 256,
        "dropout": 0.1,
    }
    assert (sweep.epochs, sweep.model_type, sweep.dataset, sweep.experiment_name) == (7, "cnn", "mnist", "digits")
    assert sweep.model_name == "m"
    assert child["seed"] != 42


def test_a_retrained_model_goes_to_staging_unless_told_otherwise():
    assert sweep_of(RetrainRequest(model_name="m"), TRAINED, "a").stage == "Staging"
    assert sweep_of(RetrainRequest(model_name="m", stage="Production"), TRAINED, "a").stage == "Production"
    assert sweep_of(RetrainRequest(model_name="m", stage=None), TRAINED, "a").stage is None


def test_several_runs_search_the_default_space():
    sweep = sweep_of(RetrainRequest(model_name="m", num_runs=5), TRAINED, "a")
    assert (sweep.strategy, sweep.num_runs, sweep.space, sweep.epochs) == ("random", 5, {}, 7)


@pytest.fixture
def production(jobs: JobsTable, monkeypatch: pytest.MonkeyPatch) -> FakeTracking:
    """A registry whose version 1 is in Production; what is submitted raises Submitted."""
    made = FakeTracking(Effects())
    made.add_version()
    made.aliases["production"] = 1
    monkeypatch.setattr(retraining, "_production", lambda: retraining._Production(made, jobs))  # type: ignore[arg-type]
    monkeypatch.setattr(retraining, "once", lambda action, **_: action())
    monkeypatch.setattr(retraining.Submissions, "from_environment", lambda: Submitted())
    return made


class Submitted:
    """In place of what submits jobs."""

    def sweep(self, sweep: SweepRequest, actor: str, request_id: str) -> SimpleNamespace:
        answer = {"sweep_id": "sweep_000001", "dataset": sweep.dataset, "actor": actor}
        return SimpleNamespace(model_dump=lambda **_: answer)


def ask() -> dict[str, Any]:
    return retraining.retrain({"detail": {"model_name": "m", "retrain_id": "r"}}, None)


def test_what_a_job_trained_is_trained_again_on_the_same_data(production: FakeTracking, jobs: JobsTable) -> None:
    jobs.create(Job("job_000001", request=TRAINED))
    production.tags[1]["job_id"] = "job_000001"
    assert ask() == {"sweep_id": "sweep_000001", "dataset": "mnist", "actor": "retrain"}


def test_a_version_that_came_from_outside_is_refused_and_nothing_is_trained(production: FakeTracking) -> None:
    assert ask()["refused"].startswith("Version 1 of 'm' was not trained by a job of the platform")


def test_a_version_whose_job_is_forgotten_is_refused(production: FakeTracking, jobs: JobsTable) -> None:
    production.tags[1]["job_id"] = "job_000009"
    assert "is not known any more" in ask()["refused"]


def test_a_version_whose_job_has_no_request_is_refused(production: FakeTracking, jobs: JobsTable) -> None:
    jobs.create(Job("job_000001"))
    production.tags[1]["job_id"] = "job_000001"
    assert "was not trained by a job of the platform" in ask()["refused"]


def test_a_model_with_nothing_in_production_is_refused(production: FakeTracking) -> None:
    production.aliases.clear()
    assert ask() == {"refused": "No version of 'm' is in Production: train one and promote it"}


def test_what_only_waits_is_raised_so_that_lambda_tries_again(
    production: FakeTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def under_way(*_: object, **__: object) -> None:
        raise Conflict("The first request is still under way")

    monkeypatch.setattr(retraining, "once", under_way)
    with pytest.raises(Conflict):
        ask()
