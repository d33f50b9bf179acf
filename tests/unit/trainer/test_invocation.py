"""Parameters come from the command line and the environment alike, within the API's bounds."""

import json

import pytest

from mlops.aws.batch import training_environment
from mlops.domain.resources import Resources
from mlops.domain.sweep import Sweep, child_parameters
from mlops.domain.training_data import HeldOutRows
from mlops.domain.training_request import TrainRequest
from trainer import invocation
from trainer.errors import ParameterError
from trainer.parameters import Parameters


def read(*argv: str, **environment: str) -> Parameters:
    return invocation.parameters(argv, environment)


def test_nothing_given_is_the_api_s_default():
    assert read().model_dump(include=set(TrainRequest.model_fields)) == TrainRequest().model_dump()


def test_every_field_of_the_request_is_a_flag_and_a_variable():
    values = {
        "learning_rate": "0.01",
        "epochs": "3",
        "batch_size": "32",
        "hidden_size": "64",
        "dropout": "0.1",
        "seed": "7",
        "model_type": "mlp",
        "dataset": "mnist",
        "experiment_name": "trial",
        "model_name": "mine",
        "run_name": "one",
        "register": "false",
        "target": "churned",
        "task": "classification",
        "columns": '{"age": "category"}',
        "objective": "mine",
        "direction": "minimise",
        "held_out": '{"column": "date", "from": "2026-01-01"}',
        "weight": "w",
        "class_weight": "balanced",
        "decision_threshold": "0.3",
        "hyperparameters": '{"shift": 2}',
        "preset": "none",
    }
    aliases = {field.alias or name for name, field in TrainRequest.model_fields.items()} - {"resources"}
    assert set(values) == aliases
    flags = [part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", value)]
    variables = {f"TRAIN_{name.upper()}": value for name, value in values.items()}
    assert read(*flags) == read(**variables)
    assert read(*flags).register_model is False
    assert read(*flags).learning_rate == 0.01
    assert read(*flags).decision_threshold == 0.3
    assert read(*flags).hyperparameters == {"shift": 2}
    assert read(*flags).shift == 2
    assert read(*flags).held_out == HeldOutRows(column="date", start="2026-01-01")
    assert read("--held-out", "0.3").held_out == 0.3


@pytest.mark.parametrize("flag", ["columns", "held-out", "hyperparameters"])
def test_an_object_that_is_not_json_names_the_flag(flag: str):
    variable = f"TRAIN_{flag.replace('-', '_').upper()}"
    with pytest.raises(ParameterError, match=rf"--{flag} \({variable}\): must be JSON"):
        read(f"--{flag}", "{")


def test_the_request_reaches_the_trainer_as_it_was_given():
    asked = TrainRequest(
        model_type="random_forest",
        dataset="s3://bucket/set.csv",
        target="123",
        columns={"a": "ignore"},
        held_out=HeldOutRows(column="date", start="2026-01-01"),
        hyperparameters={"n_estimators": 30, "max_depth": None, "max_features": "sqrt"},
        resources=Resources(vcpu=4),
        run_name="1",
    )
    seen = read(**training_environment(asked))
    named = set(TrainRequest.model_fields) - {"resources"}
    assert seen.model_dump(include=named) == asked.model_dump(include=named)
    assert seen.resources is None


def test_the_command_line_wins_over_the_environment():
    assert read("--epochs", "5", TRAIN_EPOCHS="4").epochs == 5
    assert read(TRAIN_EPOCHS="4").epochs == 4


def test_an_empty_variable_is_not_given():
    assert read(TRAIN_RUN_NAME="").run_name is None


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("learning-rate", "0"),
        ("learning-rate", "nan"),
        ("learning-rate", "2"),
        ("epochs", "0"),
        ("epochs", "101"),
        ("epochs", "1.5"),
        ("batch-size", "7"),
        ("hidden-size", "513"),
        ("dropout", "0.51"),
        ("seed", "-1"),
        ("model-type", "Not A Name"),
        ("dataset", "http://example.com/x.npz"),
        ("model-name", "transition"),
        ("shift", "9"),
    ],
)
def test_out_of_bounds_names_the_flag_the_variable_and_the_value(flag: str, value: str):
    variable = f"TRAIN_{flag.replace('-', '_').upper()}"
    with pytest.raises(ParameterError) as caught:
        read(f"--{flag}", value)
    assert f"--{flag} ({variable})" in str(caught.value)
    assert repr(value) in str(caught.value)
    with pytest.raises(ParameterError, match=variable):
        read(**{variable: value})


def test_a_misspelt_variable_is_refused_by_name():
    with pytest.raises(ParameterError, match="TRAIN_LERNING_RATE names no parameter; use one of: TRAIN_LEARNING_RATE"):
        read(TRAIN_LERNING_RATE="1")


def test_the_preset_fills_in_only_what_is_not_given():
    best = read("--preset", "best")
    assert best.batch_size == 256
    assert read("--preset", "best", "--batch-size", "64").batch_size == 64
    assert read("--preset", "best", TRAIN_BATCH_SIZE="64").learning_rate == best.learning_rate


def test_a_child_of_a_sweep_derives_its_parameters_and_its_job():
    sweep = Sweep(strategy="random", seed=5, num_runs=3, first_job_number=40)
    environment = {
        "SWEEP": sweep.model_dump_json(),
        "SWEEP_ID": "sweep_000001",
        "JOB_ID": "sweep_000001",
        "AWS_BATCH_JOB_ARRAY_INDEX": "2",
        "AWS_BATCH_JOB_ATTEMPT": "3",
        "TRAIN_EPOCHS": "2",
        "TRAIN_REGISTER": "false",
    }
    asked, identity = invocation.parameters([], environment), invocation.identity(environment)
    assert {name: getattr(asked, name) for name in child_parameters(sweep, 2)} == child_parameters(sweep, 2)
    assert (asked.epochs, asked.register_model) == (2, False)
    assert (identity.job_id, identity.sweep_id, identity.attempt) == ("job_000042", "sweep_000001", 3)


def test_the_only_child_of_a_sweep_is_a_plain_job_without_an_index():
    sweep = Sweep(strategy="random", seed=5, num_runs=1, first_job_number=7)
    assert invocation.identity({"SWEEP": sweep.model_dump_json()}).job_id == "job_000007"


def test_a_sweep_that_cannot_be_read_is_named():
    with pytest.raises(ParameterError, match="SWEEP"):
        invocation.parameters([], {"SWEEP": json.dumps({"strategy": "guess"})})
