"""From the file of a table to the answers of predict: each model type on a dozen tables, by rows of the original cells.

A killed run that resumes to the same bytes is in test_model_types.py, test_fit.py and test_process.py.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from mlflow import MlflowClient, artifacts

from mlops_contract import Task
from mlops_contract.proof_rows import PROOF_FILE
from tests.support import served_models
from tests.support.dozen_tables import TABLES, Table
from trainer import data, job, models
from trainer.data import Dataset
from trainer.data_options import data_options
from trainer.evaluation import baseline, evaluate
from trainer.export import Exported, export
from trainer.models import DataKind, Trained
from trainer.parameters import Identity, Parameters
from trainer.run_tags import objective_of
from trainer.stop import Stop

from .test_fit import Session

SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"epochs": 40, "batch_size": 64, "hidden_size": 32, "learning_rate": 0.02, "dropout": 0.0},
    "linear": {},
    "random_forest": {"n_estimators": 20, "max_depth": 12},
    "lightgbm": {"n_estimators": 30, "min_child_samples": 5},
    "xgboost": {"n_estimators": 30, "max_depth": 4},
    "svm": {},
}
"""Hyperparameters with which a type is quick, and still learns."""
TOLERANCE = 1e-4
"""Of probabilities; of quantities in parts of the interquartile range."""
SINGLE_ROWS = 5
MOST_ROWS = 3000
"""Held-out rows that are asked of a table."""
PROOF_JSON = "proof.json"
TABLE_TYPES = [name for name in SMALL if DataKind.TABLE in models.find(name).data]


def cases() -> list[Any]:
    """Each table with each type that claims it. The tables come one after the other, so that each is read once."""
    found = []
    for name, kind in TABLES.items():
        claiming = [each for each in TABLE_TYPES if kind.task in models.find(each).tasks]
        marks = [pytest.mark.slow] if name in ("large", "wide") else []
        found += [
            pytest.param(name, each, id=f"{name}: {each}", marks=marks)
            for each in claiming
            if kind.types is None or each in kind.types
        ]
    return found


def asked(table: Table, model_type: str, **more: Any) -> Parameters:
    """The request that trains a type on a table."""
    held_out = {"column": table.split, "from": str(table.start)}
    hyperparameters = SMALL[model_type]
    return Parameters(
        model_type=model_type,
        target=table.target,
        held_out=held_out,
        hyperparameters=hyperparameters,
        **table.asked,
        **more,
    )


Read = Callable[[str], tuple[Table, Dataset]]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """A table by its name, and the data set that the trainer reads from its file, once."""
    folder = tmp_path_factory.mktemp("tables")

    @functools.lru_cache(maxsize=1)
    def reading(name: str) -> tuple[Table, Dataset]:
        table = TABLES[name].make()
        path = folder / f"{name}{table.suffix}"
        path.write_bytes(table.content())
        return table, data.load(str(path), data_options(asked(table, "linear")), trusted=True)

    return reading


def trained(dataset: Dataset, parameters: Parameters) -> tuple[Trained, Exported]:
    """The model, and the file that is made of it."""
    model = models.find(parameters.model_type).train(dataset, models.resolved(parameters), Session())
    return model, export(model, dataset)


@pytest.mark.parametrize(("name", "model_type"), cases())
def test_predict_answers_the_original_cells_as_the_trained_model_does(read: Read, name: str, model_type: str) -> None:
    table, dataset = read(name)
    parameters = asked(table, model_type)
    model, exported = trained(dataset, parameters)
    check_that_it_is_better_than_naive(parameters, dataset, exported)
    check_that_answers_are_those_of(model, table, dataset, exported.content, exported.proof_rows)


def check_that_it_is_better_than_naive(parameters: Parameters, dataset: Dataset, exported: Exported) -> None:
    objective = objective_of(parameters, dataset)
    held_out = dataset.held_out
    metrics = evaluate(dataset.task, exported.answers, held_out.targets, dataset.labels, held_out.weights).metrics()
    reached, naive = objective.value(metrics), baseline(dataset, objective)
    assert reached is not None
    assert naive is not None
    assert objective.reaches(reached, naive)
    assert abs(reached - naive) > 0.1 * abs(naive), f"{objective.name}: {reached} is hardly better than {naive}"


def check_that_answers_are_those_of(
    model: Trained, table: Table, dataset: Dataset, onnx: bytes, proof: bytes | None
) -> None:
    """By the gate and predict, from the cells of the held-out rows: what the model answers to their coded matrix."""
    held_out = table.held_out()
    assert len(held_out) == len(dataset.held_out)
    some = np.arange(0, len(held_out), max(1, len(held_out) // MOST_ROWS))
    rows = table.rows([held_out[place] for place in some])
    expected = model.predict(dataset.held_out.inputs[some])
    served = served_models.loaded(served_models.admitted(onnx, proof))
    predictions, confidences = served_models.answers(served, rows)
    if dataset.task is Task.REGRESSION:
        spread = np.subtract(*np.quantile(dataset.train.targets, (0.75, 0.25)))
        assert np.abs(np.array(predictions) - expected).max() <= TOLERANCE * spread
        assert served_models.answer(served, rows[0])["prediction"] == pytest.approx(expected[0], abs=TOLERANCE * spread)
        return
    highest = expected.max(axis=1)
    of_answers = expected[np.arange(len(rows)), [dataset.labels.index(label) for label in predictions]]
    assert np.abs(np.array(confidences) - highest).max() <= TOLERANCE
    assert (of_answers >= highest - 2 * TOLERANCE).all()
    for row, probabilities in zip(rows[:SINGLE_ROWS], expected, strict=False):
        found = served_models.answer(served, row)["probabilities"]
        assert list(found) == [str(label) for label in dataset.labels]
        assert np.abs(np.array(list(found.values())) - probabilities).max() <= TOLERANCE


@pytest.mark.parametrize("name", ["mixed", "missing", "texts"])
def test_held_out_rows_have_nulls_and_text_that_training_has_not(read: Read, name: str) -> None:
    table, dataset = read(name)
    assert dataset.contract is not None
    rows = table.rows(table.held_out())
    known = {column.name: {*column.levels, None} for column in dataset.contract.columns if column.levels is not None}
    assert any(None in row.values() for row in rows)
    assert any(row[column] not in levels for row in rows for column, levels in known.items())


@pytest.mark.parametrize("model_type", TABLE_TYPES)
def test_the_same_seed_gives_the_same_file(read: Read, model_type: str) -> None:
    table, dataset = read("missing")
    files = [trained(dataset, asked(table, model_type))[1] for _ in range(2)]
    assert files[0].sha256 == files[1].sha256


@pytest.mark.slow
@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("name", "model_type"), [("mixed", "lightgbm"), ("regression", "linear")])
def test_a_whole_job_leaves_a_version_that_the_gate_admits_with_its_proof(
    mlflow_client: MlflowClient, read: Read, name: str, model_type: str, tmp_path: Path
) -> None:
    table, dataset = read(name)
    key = f"datasets/{name}{table.suffix}"
    boto3.client("s3").put_object(Bucket="artifacts", Key=key, Body=table.content())
    parameters = asked(table, model_type, dataset=f"s3://artifacts/{key}", model_name=name)
    outcome = job.run(parameters, Identity(), Stop())
    proof = Path(mlflow_client.download_artifacts(outcome.run_id, PROOF_FILE, str(tmp_path))).read_bytes()
    source = mlflow_client.get_model_version_download_uri(name, str(outcome.model_version))
    onnx = Path(artifacts.download_artifacts(f"{source}/model.onnx", dst_path=str(tmp_path))).read_bytes()
    assert hashlib.sha256(onnx).hexdigest() == outcome.sha256
    assert PROOF_JSON in {artifact.path for artifact in mlflow_client.list_artifacts(outcome.run_id)}
    model, exported = trained(dataset, parameters)
    assert (exported.sha256, exported.proof_rows) == (outcome.sha256, proof)
    check_that_answers_are_those_of(model, table, dataset, onnx, proof)
