"""Each model type has hyperparameters of its own, and requests of the first version still mean what they meant."""

import itertools
import json
import subprocess
import sys

import jsonschema
import pytest

from mlops.domain.model_types import ModelTypes, TaskUnknown
from mlops.domain.sweep import Sweep
from mlops.domain.training_request import HYPERPARAMETER_FIELDS, Hyperparameters, Range
from trainer import __main__, invocation, models
from trainer.errors import ParameterError
from trainer.models.settings import FLAT_FIELDS
from trainer.parameters import Parameters
from trainer.stop import Stop

TYPES = list(models.BUILT_IN)
WHOLE_REQUEST = {"learning_rate": 0.02, "epochs": 3, "batch_size": 64, "hidden_size": 48, "dropout": 0.1, "seed": 5}
"""The flat fields as a recipe of the first version has them."""


def params(**values: object) -> dict:
    return models.run_params(invocation.resolve(values))


def given(**own: object) -> str:
    return json.dumps(own)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_s_own_values_are_valid_by_its_schema(name: str):
    model_type = models.find(name)
    schema = model_type.hyperparameters.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(dict(model_type.preset), schema)
    model_type.hyperparameters.model_validate(dict(model_type.preset))
    for space in (model_type.space, model_type.grid):
        assert space
        for hyperparameter, values in space.items():
            ends = (values.low, values.high) if isinstance(values, Range) else values
            for value in ends:
                jsonschema.validate({hyperparameter: value}, schema)
    assert all(not isinstance(values, Range) for values in model_type.grid.values())
    for field in model_type.hyperparameters.model_fields.values():
        assert field.description
        assert not field.is_required()


@pytest.mark.parametrize("name", TYPES)
def test_default_spaces_have_what_the_task_uses(name: str):
    (published,) = ModelTypes.model_validate(models.catalogue([name])).model_types
    for task, strategy in itertools.product(published.tasks, ("random", "grid")):
        space = published.default_space(strategy, task)
        assert space
        assert all(task in published.tasks_of(hyperparameter) for hyperparameter in space)


def test_a_linear_model_s_grid_is_c_for_classes_and_alpha_for_quantities():
    (linear,) = ModelTypes.model_validate(models.catalogue(["linear"])).model_types
    assert linear.default_space("grid", "classification").keys() == {"C"}
    assert linear.default_space("grid", "regression").keys() == {"alpha"}
    assert linear.default_space("random", None).keys() == {"C", "alpha"}
    with pytest.raises(TaskUnknown, match="the default grid of linear depends on it"):
        linear.default_space("grid", None)


def test_the_flat_fields_are_a_short_form_with_the_same_bounds_and_defaults():
    for name in ("mlp", "cnn"):
        model_type = models.find(name)
        assert models.takes_flat_fields(model_type)
        own = model_type.hyperparameters.model_json_schema()["properties"]
        assert set(own) == FLAT_FIELDS
        request, trainer = Hyperparameters.model_json_schema()["properties"], Parameters.model_json_schema()
        for field, schema in own.items():
            bounds = request.get(field) or trainer["properties"][field]
            for key in ("minimum", "maximum", "default", "type"):
                assert schema[key] == bounds[key], (field, key)
    assert not any(models.takes_flat_fields(models.find(name)) for name in TYPES if name not in ("mlp", "cnn"))


def test_a_network_takes_either_form_and_both_if_they_agree():
    flat = params(epochs="3", hidden_size="64")
    assert flat == params(hyperparameters=given(epochs=3, hidden_size=64))
    assert flat == params(epochs="3", hyperparameters=given(epochs=3, hidden_size=64))
    assert (flat["epochs"], flat["hidden_size"], flat["seed"]) == (3, 64, 42)
    resolved = invocation.resolve({"hyperparameters": given(epochs=3, patience=2)})
    assert (resolved.epochs, resolved.patience) == (3, 2)
    assert invocation.resolve({**{k: str(v) for k, v in WHOLE_REQUEST.items()}}) == invocation.resolve(WHOLE_REQUEST)
    with pytest.raises(ParameterError, match="--epochs is 4, and 'epochs' is 3 in --hyperparameters: give one"):
        params(epochs="4", hyperparameters=given(epochs=3))


def test_the_params_of_a_run_are_complete_and_only_the_type_s():
    found = params(model_type="lightgbm", hyperparameters=given(num_leaves=15), seed="7")
    own = models.find("lightgbm").hyperparameters.model_fields
    assert set(found) == {*own, "seed", "model_type", "dataset", "preset", "class_weight"}
    assert (found["num_leaves"], found["n_estimators"], found["seed"]) == (15, 500, 7)
    assert "max_depth" not in params(model_type="random_forest")


@pytest.mark.parametrize("name", [name for name in TYPES if name not in ("mlp", "cnn")])
@pytest.mark.parametrize("flat", [{"hidden_size": "64"}, {"epochs": "10"}, {"patience": "3"}])
def test_a_flat_field_that_a_type_does_not_have_is_refused_with_those_it_has(name: str, flat: dict):
    with pytest.raises(ParameterError, match=f"model type {name} does not have it; its hyperparameters are ") as caught:
        params(model_type=name, **flat)
    assert all(field in str(caught.value) for field in models.find(name).hyperparameters.model_fields)


@pytest.mark.parametrize(
    ("model_type", "own", "error"),
    [
        ("lightgbm", {"leaves": 3}, "lightgbm has no hyperparameter 'leaves'; its hyperparameters are .*num_leaves"),
        ("lightgbm", {"num_leaves": 1}, "num_leaves: input should be greater than or equal to 2, got 1"),
        ("lightgbm", {"num_leaves": "31"}, "num_leaves: input should be a valid integer, got '31'"),
        ("xgboost", {"subsample": 0}, "subsample: input should be greater than 0"),
        ("random_forest", {"max_features": "all"}, "max_features: "),
        ("linear", {"penalty": None}, "penalty: "),
        ("svm", {"gamma": True}, "gamma: "),
        ("mlp", {"units": 3}, "mlp has no hyperparameter 'units'"),
    ],
)
def test_an_own_hyperparameter_is_checked_by_name_and_value(model_type: str, own: dict, error: str):
    with pytest.raises(ParameterError, match=error):
        params(model_type=model_type, hyperparameters=given(**own))


@pytest.mark.parametrize("text", ["num_leaves=31", "[1]", "3"])
def test_hyperparameters_are_a_json_object(text: str):
    reason = r"--hyperparameters \(TRAIN_HYPERPARAMETERS\): (must be JSON|input should be)"
    with pytest.raises(ParameterError, match=reason):
        params(hyperparameters=text)


@pytest.mark.parametrize("name", TYPES)
def test_the_preset_fills_what_is_not_given(name: str):
    preset = models.find(name).preset
    best = params(model_type=name, preset="best")
    assert {key: best[key] for key in preset} == dict(preset)
    field, value = next(iter(preset.items()))
    other = type(value)(value * 0.5) if isinstance(value, int | float) else value
    assert params(model_type=name, preset="best", hyperparameters=given(**{field: other}))[field] == other


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("logistic_regression", {"C": 20.0}),
        ("random_forest", {"n_estimators": 48}),
        ("svm", {"C": 20.0}),
    ],
)
def test_a_request_of_the_first_version_means_what_it_meant(name: str, own: dict):
    found = params(model_type=name, **WHOLE_REQUEST)
    assert {key: found[key] for key in own} == own
    assert found["model_type"] == name
    assert "hidden_size" not in found
    again = invocation.resolve({"model_type": name, **WHOLE_REQUEST})
    assert models.resolved(again) == again


def test_the_old_name_of_linear_takes_both_forms():
    assert models.find("logistic_regression") is models.find("linear")
    assert "logistic_regression" not in models.names()
    assert params(model_type="logistic_regression")["C"] == 1.0
    assert params(model_type="logistic_regression", learning_rate="0.0001")["C"] == pytest.approx(0.1)
    assert params(model_type="logistic_regression", epochs="3")["C"] == 1.0
    assert params(model_type="logistic_regression", preset="best")["C"] == 0.1
    assert params(model_type="logistic_regression", hyperparameters=given(C=3.0))["C"] == 3.0


def test_a_recipe_of_the_first_version_trains_again_by_way_of_a_sweep():
    """A retrain repeats all flat fields as the values of a grid of one run."""
    tuned = {name: [WHOLE_REQUEST[name]] for name in HYPERPARAMETER_FIELDS if name not in ("seed", "epochs")}
    sweep = Sweep(strategy="grid", seed=9, num_runs=1, space=tuned)
    environment = {"SWEEP": sweep.model_dump_json(), "TRAIN_MODEL_TYPE": "random_forest", "TRAIN_EPOCHS": "3"}
    found = models.run_params(invocation.parameters([], environment))
    assert (found["n_estimators"], found["seed"]) == (48, 9)


def test_a_sweep_draws_the_type_s_own_hyperparameters():
    space = {"learning_rate": [0.05], "reg_lambda": [2.5]}
    sweep = Sweep(strategy="grid", seed=9, num_runs=1, space=space)
    environment = {"SWEEP": sweep.model_dump_json(), "TRAIN_MODEL_TYPE": "lightgbm"}
    found = models.run_params(invocation.parameters([], environment))
    assert (found["learning_rate"], found["reg_lambda"], found["seed"]) == (0.05, 2.5, 9)


def test_a_draw_wins_over_the_request_s_value():
    sweep = Sweep(strategy="grid", seed=9, num_runs=1, space={"learning_rate": [0.05]})
    environment = {"SWEEP": sweep.model_dump_json(), "TRAIN_LEARNING_RATE": "0.001"}
    assert invocation.parameters([], environment).learning_rate == 0.05


def test_the_types_are_printed_as_one_json_document(capsys: pytest.CaptureFixture[str]):
    assert __main__.main(["types"], Stop()) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == models.catalogue()
    by_name = {item["name"]: item for item in document["model_types"]}
    assert sorted(by_name) == sorted(TYPES)
    assert set(by_name["cnn"]) == {
        *("name", "tasks", "data", "description", "hyperparameters", "space", "grid", "preset", "gpu"),
    }
    assert (by_name["cnn"]["tasks"], by_name["cnn"]["data"]) == (["classification"], ["image"])
    assert by_name["lightgbm"]["hyperparameters"]["properties"]["num_leaves"]["minimum"] == 2
    assert by_name["linear"]["space"]["C"] == {"low": 0.001, "high": 100.0, "log": True}


def test_the_document_needs_none_of_the_libraries_that_train():
    code = "import sys; from trainer import models; models.catalogue(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path())
    heavy = {"torch", "sklearn", "lightgbm", "xgboost", "scipy", "onnx", "skl2onnx"}
    assert heavy.isdisjoint(done.stdout.split())


def path() -> dict[str, str]:
    """The environment of a process that finds what this one has found."""
    return {"PYTHONPATH": ":".join(sys.path)}
