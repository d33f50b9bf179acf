"""A package that adds a model type: that of the page, from its boxes to a registered model, and one of another kind."""

import csv
import functools
import json
import os
import random
import re
import shlex
import sys
import tomllib
from importlib import invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import boto3
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from onnx import TensorProto, helper

from infra.local.settings import ROOT
from mlops.domain.errors import ValidationFailed
from mlops.domain.model_types import ModelTypes
from mlops.domain.training_request import TrainRequest
from mlops_contract import Task
from mlops_conversion.proof import prove
from tests.support import coded
from trainer import __main__ as trainer
from trainer import models
from trainer.data import Dataset
from trainer.errors import ParameterError, ParityError
from trainer.export import export, tables
from trainer.models import DataKind, OwnHyperparameters
from trainer.parameters import Parameters
from trainer.stop import Stop
from training import hyperparameters

from .conftest import BUCKET
from .test_fit import Session
from .test_models import metadata

PAGE = (ROOT / "docs/model-types.md").read_text()


def box(kind: str) -> str:
    (content,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(content)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The page's package, installed as pip leaves one behind."""
    project = tomllib.loads(box("toml"))["project"]
    ((group, points),) = project["entry-points"].items()
    ((name, place),) = points.items()
    module = place.partition(":")[0]
    folder = tmp_path / "installed"
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(box("python"))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {place}\n")
    monkeypatch.syspath_prepend(str(folder))
    invalidate_caches()
    yield
    sys.modules.pop(module, None)


def write_houses(path: Path) -> None:
    """A table with a number, a missing one, text, a date, and a quantity to predict."""
    generator = random.Random(3)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["area", "rooms", "town", "built", "price"])
        for number in range(400):
            area, rooms, town = generator.uniform(30, 200), generator.randrange(1, 7), generator.choice(["Ulm", "Bonn"])
            price = 2000 * area + 9000 * rooms + (80_000 if town == "Bonn" else 0) + generator.gauss(0, 4000)
            built = f"{generator.randrange(1950, 2025)}-05-01"
            rows.writerow([f"{area:.1f}" if number % 9 else "", rooms, town, built, f"{price:.2f}"])


@pytest.mark.usefixtures("package", "aws")
def test_the_package_of_the_page_is_published_trained_proved_and_registered(
    mlflow_client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    write_houses(Path("houses.csv"))
    boto3.client("s3").upload_file("houses.csv", BUCKET, "houses.csv")
    monkeypatch.setenv("DATA", f"s3://{BUCKET}/houses.csv")
    install, *commands = [shlex.split(line) for line in box("bash").replace("\\\n", "").splitlines()]
    assert install[:2] == ["pip", "install"]
    printed = {}
    for command in commands:
        assert command[:3] == ["python", "-m", "trainer"]
        assert trainer.main([os.path.expandvars(word) for word in command[3:]], Stop()) == 0
        printed[command[3]] = capsys.readouterr().out
    published = ModelTypes.model_validate_json(printed["types"]).find("extra_trees")
    assert published.tasks == ("classification", "regression")
    assert list(published.default_space("random", "regression")) == ["min_samples_leaf"]
    asked = TrainRequest(model_type="extra_trees", dataset="s3://bucket/x.csv", hyperparameters={"min_samples_leaf": 3})
    assert hyperparameters.checked(asked, published) == {"min_samples_leaf": 3}
    with pytest.raises(ValidationFailed):
        hyperparameters.checked(asked.model_copy(update={"hyperparameters": {"min_samples_leaf": 0}}), published)
    (version,) = mlflow_client.search_model_versions("name = 'houses'")
    run = mlflow_client.get_run(version.run_id).data
    assert run.params["min_samples_leaf"] == "3"
    assert run.metrics["rmse"] < run.metrics["baseline_rmse"] / 2
    proof = json.loads(Path(download_artifacts(run_id=version.run_id, artifact_path="proof.json")).read_text())
    assert {"held_out", "null", "unseen", "threshold"} <= {check["rows"] for check in proof["checks"]}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("task", Task)
def test_its_file_has_the_columns_by_name_and_takes_null_and_text_that_was_not_seen(task: Task):
    dataset = coded.made(task)
    asked = Parameters(model_type="extra_trees", hyperparameters={"n_estimators": 20})
    exported = export(models.find("extra_trees").train(dataset, asked, Session()), dataset)
    columns = metadata(exported)["contract"]["columns"]
    assert [column["name"] for column in columns] == ["size", "scale", "flag", "noise", "colour", "town"]
    assert all(column.get("null_ok", True) for column in columns)
    assert not any(column.get("closed") for column in columns)


class Filling(OwnHyperparameters):
    filling: float = 0.0


class LeastSquares:
    """A type that shares nothing with ours: numpy alone, and a graph of its own. For the regression of tables."""

    name, description = "least_squares", "A line."
    tasks, data = (Task.REGRESSION,), (DataKind.TABLE,)
    space: ClassVar[dict[str, list[float]]] = {}
    grid: ClassVar[dict[str, list[float]]] = {}
    preset: ClassVar[dict[str, float]] = {}

    hyperparameters = Filling
    output, filled = "prediction", True

    def train(self, dataset: Dataset, parameters: Parameters, session: Session) -> models.Trained:
        own = models.settings(self, self.hyperparameters, parameters, dataset)
        session.on_train_begin(epochs=1)
        inputs = np.where(np.isnan(dataset.train.inputs), np.float32(own.filling), dataset.train.inputs)
        inputs = np.column_stack([inputs, np.ones(len(inputs), np.float32)])
        solved = np.linalg.lstsq(inputs.astype(np.float64), dataset.train.targets, rcond=None)[0].astype(np.float32)
        session.on_epoch_end(1, {"val_loss": 1.0}, None)
        return Line(self, np.float32(own.filling), solved[:-1, None], solved[-1])


class Line(models.Trained):
    def __init__(self, kind: LeastSquares, filling: np.float32, slopes: np.ndarray, offset: np.float32) -> None:
        self.kind, self.filling, self.slopes, self.offset = kind, filling, slopes, offset

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return (np.where(np.isnan(inputs), self.filling, inputs) @ self.slopes + self.offset)[:, 0]

    def to_onnx(self) -> bytes:
        used, output = "filled" if self.kind.filled else "inputs", self.kind.output
        nodes = [
            helper.make_node("IsNaN", ["inputs"], ["missing"]),
            helper.make_node("Where", ["missing", "filling", "inputs"], ["filled"]),
            helper.make_node("MatMul", [used, "slopes"], ["product"]),
            helper.make_node("Add", ["product", "offset"], [output]),
        ]
        constants = {"filling": self.filling, "slopes": self.slopes, "offset": self.offset}
        graph = helper.make_graph(
            nodes,
            "line",
            [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", len(self.slopes)])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", 1])],
            [
                helper.make_tensor(name, TensorProto.FLOAT, np.shape(value), np.ravel(value))
                for name, value in constants.items()
            ],
        )
        opsets = [helper.make_opsetid("", 17)]
        content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
        return content


@pytest.fixture
def least_squares(monkeypatch: pytest.MonkeyPatch) -> LeastSquares:
    """The type, found by its name."""
    kind = LeastSquares()
    module = ModuleType("their_squares")
    monkeypatch.setattr(module, "TYPE", kind, raising=False)
    monkeypatch.setitem(sys.modules, "their_squares", module)
    monkeypatch.setitem(models.BUILT_IN, "least_squares", "their_squares:TYPE")
    return kind


def test_a_type_with_a_graph_of_its_own_serves_tables(least_squares: LeastSquares):
    dataset = coded.made(Task.REGRESSION)
    asked = Parameters(model_type="least_squares", hyperparameters={"filling": 10.0})
    exported = export(models.find("least_squares").train(dataset, asked, Session()), dataset)
    assert np.corrcoef(exported.answers[:, 0], dataset.held_out.targets)[0, 1] > 0.7
    assert len(metadata(exported)["contract"]["columns"]) == 6
    assert exported.proof_rows is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"output": "answer"}, r"gives \[\('answer', 'float32', \[1\]\)\]; serving wants .*`prediction` \[n, 1\]"),
        ({"filled": False}, r"are not finite numbers, .*has to be filled in the graph"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused_with_the_reason(
    least_squares: LeastSquares, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], reason: str
):
    for name, value in change.items():
        monkeypatch.setattr(least_squares, name, value)
    dataset = coded.made(Task.REGRESSION)
    trained = least_squares.train(dataset, Parameters(model_type="least_squares"), Session())
    with pytest.raises(ParityError, match=reason):
        export(trained, dataset)


@pytest.mark.parametrize(
    ("trained", "reason"),
    [(object(), "lacks a method of trainer.models.Trained"), (b"no graph", "does not return the bytes of an ONNX")],
)
def test_what_is_no_model_is_refused(trained: object, reason: str):
    class Nonsense(models.Trained):
        def predict(self, inputs: np.ndarray) -> np.ndarray:
            return inputs

        def to_onnx(self) -> bytes:
            return trained  # type: ignore[return-value]

    given = Nonsense() if isinstance(trained, bytes) else trained
    with pytest.raises(ParityError, match=reason):
        export(given, coded.made())  # type: ignore[arg-type]


def test_a_proof_that_is_not_done_in_time_is_refused_with_how_far_it_came(
    least_squares: LeastSquares, monkeypatch: pytest.MonkeyPatch
):
    dataset = coded.made(Task.REGRESSION)
    trained = least_squares.train(dataset, Parameters(model_type="least_squares"), Session())
    monkeypatch.setattr(tables, "prove", functools.partial(prove, seconds=0))
    with pytest.raises(ParityError, match=r"not done after 0 seconds.* 0 rows.*not registered. Train a smaller model"):
        export(trained, dataset)


def test_a_task_that_the_type_does_not_take_is_refused_with_types_that_do(least_squares: LeastSquares):
    with pytest.raises(ParameterError, match=r"least_squares needs a table, for regression; .*use .*lightgbm"):
        least_squares.train(coded.made(), Parameters(model_type="least_squares"), Session())
