"""What is trained when a retrain is asked for."""

from mlops.domain.drift.retrain import RetrainRequest
from mlops.domain.sweep import Sweep, child_parameters
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


def test_a_version_that_no_job_made_is_retrained_with_the_defaults():
    sweep = sweep_of(RetrainRequest(model_name="m"), {}, "a")
    assert (sweep.num_runs, sweep.epochs, sweep.model_name) == (1, 10, "m")
