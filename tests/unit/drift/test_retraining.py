"""What is trained when a retrain is asked for."""

from types import SimpleNamespace
from typing import Any

import pytest

from mlops.api.schemas.sweeps import SweepRequest
from mlops.aws.jobs_table import JobsTable
from mlops.domain.drift.retrain import RetrainRequest
from mlops.domain.errors import Conflict
from mlops.domain.job import Job
from mlops.domain.model_types import ModelType
from mlops.domain.recipe import RecipeError, recipe_of
from mlops.domain.sweep import Sweep, child_parameters
from tests.support.crashes import Effects
from tests.support.model_types import PUBLISHED
from tests.unit.registry.fakes import FakeTracking
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


SEARCHED = {"learning_rate", "batch_size", "hidden_size", "dropout"}


def test_one_run_is_trained_as_the_version_in_production_was_but_with_another_seed():
    sweep = sweep_of(RetrainRequest(model_name="m"), recipe_of(TRAINED), "drift-m-1", SEARCHED)
    assert sweep.hyperparameters == {
        "learning_rate": 0.003,
        "epochs": 7,
        "batch_size": 32,
        "hidden_size": 256,
        "dropout": 0.1,
    }
    child = child_parameters(Sweep(strategy=sweep.strategy, seed=sweep.seed, num_runs=1, space=sweep.space), 0)
    assert child.keys() == {"seed"}, "nothing else is drawn"
    assert child["seed"] != 42
    assert (sweep.model_type, sweep.dataset, sweep.experiment_name) == ("cnn", "mnist", "digits")
    assert sweep.model_name == "m"


def test_a_retrained_model_goes_to_staging_unless_told_otherwise():
    for request, stage in (({}, "Staging"), ({"stage": "Production"}, "Production"), ({"stage": None}, None)):
        asked = RetrainRequest(model_name="m", **request)
        assert sweep_of(asked, recipe_of(TRAINED), "a", SEARCHED).stage == stage


def test_several_runs_search_the_default_space_and_repeat_the_rest():
    sweep = sweep_of(RetrainRequest(model_name="m", num_runs=5), recipe_of(TRAINED), "a", SEARCHED)
    assert (sweep.strategy, sweep.num_runs, sweep.space) == ("random", 5, {})
    assert sweep.hyperparameters == {"epochs": 7}


TABLE = {
    "model_type": "lightgbm",
    "dataset": "s3://bucket/churn.parquet",
    "target": "churned",
    "task": "classification",
    "columns": {"age": "category"},
    "objective": "roc_auc",
    "direction": None,
    "held_out": {"column": "date", "from": "2026-01-01"},
    "weight": "w",
    "class_weight": "balanced",
    "hyperparameters": {"num_leaves": 63},
    "preset": "best",
    "resources": {"vcpu": 4.0, "memory_gb": 16.0, "minutes": 60, "gpu": 0},
    "seed": 42,
    "run_name": "best",
}


def test_all_that_a_table_was_trained_with_is_repeated():
    sweep = sweep_of(RetrainRequest(model_name="m"), recipe_of(TABLE), "a", {"num_leaves"})
    repeated = sweep.model_dump(mode="json", by_alias=True)
    kept = TABLE.keys() - {"seed", "run_name"}
    assert {name: repeated[name] for name in kept} == {name: TABLE[name] for name in kept}


@pytest.mark.parametrize(
    ("model_type", "now", "own"),
    [
        ("logistic_regression", "linear", {"C": 3.0}),
        ("svm", "svm", {"C": 3.0}),
        ("random_forest", "random_forest", {"n_estimators": 256}),
    ],
)
def test_a_request_of_the_first_version_means_what_its_type_made_of_the_six_fields(model_type, now, own):
    recipe = recipe_of({**TRAINED, "model_type": model_type})
    assert (recipe["model_type"], recipe["hyperparameters"]) == (now, own)


def test_a_plug_in_of_the_first_version_is_not_guessed():
    with pytest.raises(RecipeError, match="'theirs'"):
        recipe_of({**TRAINED, "model_type": "theirs"})


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

    def model_type(self, name: str) -> ModelType:
        found = PUBLISHED.find(name)
        assert found is not None
        return found

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


def test_what_peoples_own_code_trained_is_left_to_them(production: FakeTracking, jobs: JobsTable) -> None:
    """Its request has a data set too, which would train another kind of model."""
    jobs.create(Job("job_000001", request={"code": "0" * 64, "script": "train.py", "dataset": "s3://b/x.csv"}))
    production.tags[1]["job_id"] = "job_000001"
    assert "mlops run" in ask()["refused"]


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
