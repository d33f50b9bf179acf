"""Every model type, for every task that it claims, on a table with text, missing values and rare values."""

import dataclasses

import numpy as np
import onnxruntime
import pytest

from mlops_contract import Task
from tests.support import coded
from trainer import models
from trainer.data import Dataset, Feature, Split
from trainer.errors import Interrupted, ParameterError
from trainer.models import DataKind, Trained
from trainer.parameters import Parameters

from .test_fit import Session

SMALL = {
    "mlp": {"epochs": 40, "batch_size": 32, "hidden_size": 32, "learning_rate": 0.02, "dropout": 0.0},
    "linear": {},
    "random_forest": {"n_estimators": 40},
    "lightgbm": {"n_estimators": 60, "min_child_samples": 5},
    "xgboost": {"n_estimators": 60, "max_depth": 4},
    "svm": {},
}
"""Hyperparameters with which a type is quick, and still learns."""
KINDS = [(name, task) for name in SMALL for task in models.find(name).tasks]
EMITTED = {"random_forest", "lightgbm", "xgboost"}
"""Types whose trees the conversion writes."""


class Watch(Session):
    """A session that takes the reports of some rounds only."""

    def on_epoch_end(self, epoch, metrics, state):
        self.metrics.append({"epoch": epoch, **metrics})


def train(dataset: Dataset, model_type: str, session: Session | None = None, **asked: object) -> Trained:
    own = {**SMALL[model_type], **asked.pop("hyperparameters", {})}
    parameters = Parameters(model_type=model_type, hyperparameters=own, **asked)
    return models.find(model_type).train(dataset, models.resolved(parameters), session or Watch())


def needs_conversion(model_type: str) -> None:
    if model_type in EMITTED:
        pytest.importorskip("mlops_conversion.trees")


def asked_onnx(trained: Trained, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(trained.to_onnx(), providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_inputs()] == ["inputs"]
    (answers,) = session.run(None, {"inputs": inputs})
    return answers


def gain(trained: Trained, dataset: Dataset) -> float:
    """How much better than the naive answer: the share of its errors that are gone."""
    answers, truth = trained.predict(dataset.held_out.inputs), dataset.held_out.targets
    if dataset.task is Task.REGRESSION:
        naive = np.mean((truth - dataset.train.targets.mean()) ** 2)
        return float(1 - np.mean((answers - truth) ** 2) / naive)
    naive = np.mean(truth != np.bincount(dataset.train.targets).argmax())
    return float(1 - np.mean(answers.argmax(1) != truth) / naive)


@pytest.fixture(scope="module")
def trained() -> dict[tuple[str, Task], tuple[Dataset, Trained, Watch]]:
    """Each type and task, trained once."""
    found = {}
    for name, task in KINDS:
        dataset, session = coded.made(task, classes=3), Watch()
        found[name, task] = dataset, train(dataset, name, session), session
    return found


@pytest.mark.parametrize(("model_type", "task"), KINDS)
def test_it_learns_from_numbers_text_and_what_is_missing(trained, model_type: str, task: Task):
    dataset, model, session = trained[model_type, task]
    assert gain(model, dataset) > 0.5
    answers = model.predict(dataset.held_out.inputs)
    assert answers.dtype == np.float32
    if task is Task.CLASSIFICATION:
        assert answers.shape == (len(dataset.held_out), 3)
        np.testing.assert_allclose(answers.sum(1), 1, atol=1e-5)
    else:
        assert answers.shape == (len(dataset.held_out),)
    last = session.metrics[-1]
    assert last["val_loss"] < 1 if task is Task.REGRESSION else last["val_loss"] < np.log(3)


@pytest.mark.parametrize(("model_type", "task"), KINDS)
def test_its_file_answers_as_it_does_also_for_missing_and_unseen_values(trained, model_type: str, task: Task):
    needs_conversion(model_type)
    dataset, model, _ = trained[model_type, task]
    rows = np.concatenate([dataset.held_out.inputs, coded.odd_rows(dataset)])
    expected, answers = model.predict(rows), asked_onnx(model, rows)
    assert answers.dtype == np.float32
    if task is Task.CLASSIFICATION:
        assert answers.shape == (len(rows), 3)
        assert np.abs(answers - expected).max() <= 1e-4
    else:
        assert answers.shape == (len(rows), 1)
        spread = np.subtract(*np.quantile(dataset.train.targets, (0.75, 0.25)))
        ordinary = len(dataset.held_out)
        assert np.abs(answers[:ordinary, 0] - expected[:ordinary]).max() <= 1e-4 * spread
        # A number a hundred deviations away gives answers as large, of which float32 has seven digits.
        np.testing.assert_allclose(answers[:, 0], expected, rtol=1e-5, atol=1e-4 * spread)


@pytest.mark.parametrize(("model_type", "task"), KINDS)
def test_the_same_seed_gives_the_same_bytes(trained, model_type: str, task: Task):
    needs_conversion(model_type)
    dataset, model, _ = trained[model_type, task]
    assert train(dataset, model_type).to_onnx() == model.to_onnx()


@pytest.mark.parametrize("model_type", ["lightgbm", "xgboost"])
def test_a_booster_does_not_depend_on_the_run_or_the_order_of_other_runs(trained, model_type: str):
    dataset, model, _ = trained[model_type, Task.CLASSIFICATION]
    drawn = {"subsample": 0.7, "colsample_bytree": 0.7}
    answers = [
        train(dataset, model_type, hyperparameters=drawn, seed=seed).predict(dataset.held_out.inputs)
        for seed in (1, 1, 2)
    ]
    assert (answers[0] == answers[1]).all()
    assert (answers[0] != answers[2]).any()
    assert (train(dataset, model_type).predict(dataset.held_out.inputs) == model.predict(dataset.held_out.inputs)).all()


@pytest.mark.parametrize("model_type", ["linear", "random_forest", "lightgbm", "xgboost"])
@pytest.mark.parametrize("task", list(Task))
def test_importance_is_by_column_and_finds_what_decides(trained, model_type: str, task: Task):
    importance = trained[model_type, task][1].importance()
    assert list(importance) == ["size", "scale", "flag", "noise", "colour", "town"]
    assert sum(importance.values()) == pytest.approx(1)
    assert importance["noise"] < importance["size"]


@pytest.mark.parametrize("model_type", ["lightgbm", "xgboost"])
def test_rounds_are_reported_sparsely_and_end_when_the_loss_gets_no_better(model_type: str):
    dataset, session = coded.made(Task.REGRESSION), Watch()
    train(dataset, model_type, session, hyperparameters={"n_estimators": 1000, "early_stopping_rounds": 10})
    rounds = [metrics["epoch"] for metrics in session.metrics]
    assert session.epochs == 1000
    assert rounds == list(range(10, rounds[-1] + 1, 10))
    assert rounds[-1] < 1000
    assert set(session.metrics[0]) == {"epoch", "val_loss", "val_rmse"}


@pytest.mark.parametrize("model_type", list(SMALL))
def test_a_run_stops_when_it_is_told_to(model_type: str):
    session = Watch(stop_at=1)
    with pytest.raises(Interrupted):
        train(coded.made(), model_type, session)
    assert len(session.metrics) == 0


def test_a_network_of_a_table_resumes_to_the_bit():
    dataset = coded.made(Task.REGRESSION)
    whole = train(dataset, "mlp", hyperparameters={"dropout": 0.2}).to_onnx()
    stopped = Watch(stop_at=101)
    with pytest.raises(Interrupted):
        train(dataset, "mlp", stopped, hyperparameters={"dropout": 0.2})
    assert train(dataset, "mlp", Watch(stopped.state), hyperparameters={"dropout": 0.2}).to_onnx() == whole


@pytest.mark.parametrize(("model_type", "task"), KINDS)
def test_rows_without_weight_teach_nothing(model_type: str, task: Task):
    """Half of the rows say the opposite; with weight 0 they do not count."""
    dataset = coded.made(task)
    train_rows = dataset.train
    opposite = 2 * train_rows.targets.mean() - train_rows.targets if task is Task.REGRESSION else 1 - train_rows.targets
    both = Split(
        np.concatenate([train_rows.inputs, train_rows.inputs]),
        np.concatenate([train_rows.targets, opposite]),
        np.repeat([1.0, 0.0], len(train_rows)).astype(np.float32),
    )
    unweighted = dataclasses.replace(both, weights=None)
    assert gain(train(dataclasses.replace(dataset, train=both), model_type), dataset) > 0.4
    assert gain(train(dataclasses.replace(dataset, train=unweighted), model_type), dataset) < 0.3


@pytest.mark.parametrize("model_type", list(SMALL))
def test_balanced_classes_answer_with_true_probabilities_in_the_file_too(model_type: str):
    needs_conversion(model_type)
    dataset = rare(coded.made(rows=3000))
    plain = train(dataset, model_type).predict(dataset.held_out.inputs)[:, 1]
    model = train(dataset, model_type, class_weight="balanced")
    answers = model.predict(dataset.held_out.inputs)
    share = dataset.held_out.targets.mean()
    assert share < 0.1
    assert abs(answers[:, 1].mean() - share) < 0.03
    assert (answers[:, 1] != plain).any()
    complete = dataset.held_out.inputs[~np.isnan(dataset.held_out.inputs).any(1)]
    assert np.abs(asked_onnx(model, complete) - model.predict(complete)).max() <= 1e-4


def rare(dataset: Dataset) -> Dataset:
    """The data set with one in twelve of the rows of the second class."""

    def thinned(split: Split) -> Split:
        seconds = np.flatnonzero(split.targets == 1)
        return split.take(np.sort(np.concatenate([np.flatnonzero(split.targets == 0), seconds[::12]])))

    parts = {part: thinned(getattr(dataset, part)) for part in ("train", "validation", "held_out")}
    return dataclasses.replace(dataset, **parts)


def test_a_regression_has_no_classes_to_balance():
    with pytest.raises(ParameterError, match="a regression has no classes"):
        train(coded.made(Task.REGRESSION), "linear", class_weight="balanced")


@pytest.mark.parametrize("model_type", list(SMALL))
def test_two_classes_have_two_probabilities(model_type: str):
    dataset = coded.made(classes=2)
    answers = train(dataset, model_type).predict(dataset.held_out.inputs)
    assert answers.shape == (len(dataset.held_out), 2)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-5)


def test_an_elastic_net_drops_what_does_not_help():
    dataset = coded.made(Task.REGRESSION)
    model = train(dataset, "linear", hyperparameters={"penalty": "elasticnet", "alpha": 0.1})
    assert model.importance()["noise"] == 0
    assert gain(model, dataset) > 0.3


@pytest.mark.parametrize(
    ("model_type", "task", "own", "error"),
    [
        ("linear", Task.REGRESSION, {"C": 2.0}, "C is for classification.*made.csv is a regression: use alpha"),
        ("linear", Task.CLASSIFICATION, {"alpha": 2.0}, "alpha is for regression.*use C"),
        ("svm", Task.CLASSIFICATION, {"epsilon": 0.2}, "epsilon is for regression.*leave it out"),
    ],
)
def test_a_hyperparameter_of_the_other_task_is_refused(model_type: str, task: Task, own: dict, error: str):
    with pytest.raises(ParameterError, match=error):
        train(coded.made(task), model_type, hyperparameters=own)


@pytest.mark.parametrize("task", list(Task))
def test_a_sweep_may_draw_for_either_task(task: Task):
    assert gain(train(coded.made(task), "linear", hyperparameters={"C": 1.0, "alpha": 1.0}), coded.made(task)) > 0.5


def test_a_type_that_does_not_suit_the_data_names_those_that_do():
    dataset = coded.made(Task.REGRESSION)
    with pytest.raises(ParameterError, match=r"cnn needs images, for classification; made.csv has a table.*use mlp"):
        models.find("cnn").train(dataset, Parameters(model_type="cnn"), Watch())


def test_the_kinds_of_data():
    table = coded.made()
    vectors = dataclasses.replace(table, contract=None, feature_columns=())
    assert [DataKind.of(item) for item in (table, vectors, dataclasses.replace(vectors, image=(2, 3)))] == [
        DataKind.TABLE,
        DataKind.VECTOR,
        DataKind.IMAGE,
    ]


@pytest.mark.parametrize("model_type", ["lightgbm", "xgboost"])
def test_a_booster_parts_the_values_of_text_in_any_order(model_type: str):
    """Of 60 values every second one has the other class, which few thresholds on their codes cannot part."""
    codes = np.arange(3000) % 60
    split = Split(codes.astype(np.float32)[:, None], codes % 2)
    levels = tuple(f"value {code}" for code in range(60))
    dataset = dataclasses.replace(
        coded.made(Task.CLASSIFICATION, classes=2),
        train=split,
        validation=split,
        held_out=split,
        contract=None,
        feature_columns=(Feature("text", "text", levels),),
    )
    depth = {"max_depth": 2, "n_estimators": 3, "learning_rate": 1.0}
    model = train(dataset, model_type, hyperparameters=depth)
    assert (model.predict(split.inputs).argmax(1) == split.targets).all()
