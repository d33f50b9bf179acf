"""Every model type trains, exports and serves alike, also one that another package brings."""

import json
import sys
from base64 import b64decode
from importlib import import_module, invalidate_caches
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from predict import signals
from trainer import invocation, models
from trainer.data import Dataset
from trainer.errors import ParameterError, ParityError
from trainer.export import Exported, export
from trainer.parameters import Parameters

from .test_fit import Session

TYPES = sorted(models.BUILT_IN)
OWN = {
    "linear": {"C": 10.0},
    "random_forest": {"n_estimators": 32},
    "lightgbm": {"n_estimators": 30, "min_child_samples": 5},
    "xgboost": {"n_estimators": 30},
    "svm": {"C": 10.0},
}
"""Quick hyperparameters of the types that do not take the flat fields."""


def trained(dataset: Dataset, model_type: str, **parameters: object) -> Exported:
    if model_type in ("random_forest", "lightgbm", "xgboost"):
        pytest.importorskip("mlops_conversion.trees")
    if model_type in OWN:
        asked = Parameters(model_type=model_type, hyperparameters=OWN[model_type])
    else:
        asked = Parameters(model_type=model_type, **{"epochs": 3, "hidden_size": 32, **parameters})
    return export(models.find(model_type).train(dataset, asked, Session()), dataset)


def metadata(exported: Exported) -> dict:
    session = onnxruntime.InferenceSession(exported.content)
    return json.loads(session.get_modelmeta().custom_metadata_map["mlops"])


def few(dataset: Dataset, count: int) -> Dataset:
    rows = np.arange(count)
    return Dataset(
        dataset.name, dataset.train.take(rows), dataset.held_out, dataset.labels, dataset.image, dataset.digest
    )


def floats(text: str, columns: int) -> np.ndarray:
    return np.frombuffer(b64decode(text), "<f4").reshape(-1, columns)


@pytest.mark.slow
@pytest.mark.parametrize("model_type", TYPES)
def test_a_type_learns_digits_and_its_file_describes_itself(digits: Dataset, model_type: str):
    exported = trained(few(digits, 600), model_type, learning_rate=0.01)
    accuracy = (exported.answers.argmax(1) == digits.held_out.targets).mean()
    assert accuracy > 0.85
    described = metadata(exported)
    assert described["schema"] == 1
    assert described["labels"] == list(range(10))
    assert (described["features"], described["image"], described["framing"]) == (784, [28, 28], "digits")
    session = onnxruntime.InferenceSession(exported.content)
    assert [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()] == [
        ("inputs", "tensor(float)", [784])
    ]
    assert [(item.name, item.type) for item in session.get_outputs()] == [("probabilities", "tensor(float)")]
    test = described["self_test"]
    assert test["count"] == 8
    (answers,) = session.run(None, {"inputs": floats(test["inputs"], 784)})
    assert np.abs(answers - floats(test["probabilities"], 10)).max() <= test["tolerance"]
    assert exported.worst_difference <= 1e-4


@pytest.mark.parametrize("model_type", [name for name in TYPES if name != "cnn"])
def test_a_type_takes_vectors_with_text_labels_whatever_their_scales(flowers: Dataset, model_type: str):
    exported = trained(flowers, model_type, learning_rate=0.01, epochs=30, batch_size=8)
    assert (exported.answers.argmax(1) == flowers.held_out.targets).mean() > 0.9
    described = metadata(exported)
    assert described["labels"] == ["ash", "beech", "cedar"]
    assert described["image"] is None
    assert described["reference"]["mean_intensity"] is None
    assert described["reference"]["block_means"] is None


@pytest.mark.parametrize("model_type", list(OWN))
def test_a_type_without_epochs_gives_the_same_file_for_the_same_seed(flowers: Dataset, model_type: str):
    assert trained(flowers, model_type).sha256 == trained(flowers, model_type).sha256


@pytest.mark.parametrize(
    ("model_type", "fields", "own"),
    [
        ("logistic_regression", {"learning_rate": 0.01}, {"C": 10.0}),
        ("random_forest", {"hidden_size": 32}, {"n_estimators": 32}),
        ("svm", {"learning_rate": 0.01}, {"C": 10.0}),
    ],
)
def test_a_request_of_the_first_version_gives_the_same_file(flowers: Dataset, model_type: str, fields: dict, own: dict):
    whole = {"learning_rate": 0.001, "epochs": 10, "batch_size": 64, "hidden_size": 128, "dropout": 0.2}
    if model_type == "random_forest":
        pytest.importorskip("mlops_conversion.trees")
    old = Parameters(model_type=model_type, **{**whole, **fields})
    new = Parameters(model_type=model_type, hyperparameters=own)
    train = models.find(model_type).train
    files = [export(train(flowers, models.resolved(asked), Session()), flowers).sha256 for asked in (old, new)]
    assert files[0] == files[1]
    assert train(flowers, old, Session()).to_onnx() == train(flowers, new, Session()).to_onnx()


def test_the_network_for_images_refuses_vectors_with_a_remedy(flowers: Dataset):
    with pytest.raises(ParameterError, match=r"cnn needs images.*use mlp"):
        trained(flowers, "cnn")


def test_the_reference_is_of_the_held_out_rows_and_is_what_predict_measures(digits: Dataset):
    exported = trained(few(digits, 300), "mlp")
    described = metadata(exported)["reference"]
    count = len(digits.held_out)
    assert described["count"] == count
    predicted = exported.answers.argmax(1)
    assert described["predictions"]["counts"] == np.bincount(predicted, minlength=10).tolist()
    for name in ("confidence", "mean_intensity", "ink_share"):
        assert described[name]["edges"] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
        assert sum(described[name]["counts"]) == count
    served = signals.Signals((28, 28))(digits.held_out.inputs)
    blocks = described["block_means"]
    assert (blocks["rows"], blocks["cols"]) == (7, 7)
    np.testing.assert_allclose(np.array(blocks["sums"]) / count, served["block_means"].mean(0) / 1000, atol=1e-3)
    for name in ("mean_intensity", "ink_share"):
        assert np.histogram(served[name], range(0, 1001, 100))[0].tolist() == described[name]["counts"]


def test_an_unknown_type_names_those_there_are():
    with pytest.raises(ParameterError, match=r"no model type 'mpl'; choose one of: cnn, .*mlp"):
        models.find("mpl")


PLUGIN = '''
import numpy as np
import onnx
from onnx import TensorProto, helper

from mlops_contract import Task
from trainer import models
from trainer.errors import TrainingError
from trainer.models import DataKind, OwnHyperparameters

class Trained(models.Trained):
    """Always the first class; `claimed` is what it claims of itself."""

    def __init__(self, features, classes, claimed):
        self.features, self.answer, self.claimed = features, np.eye(1, classes, dtype=np.float32), claimed

    def predict(self, inputs):
        return np.repeat(self.claimed, len(inputs), 0)

    def to_onnx(self):
        nodes = [
            helper.make_node("ReduceSum", ["inputs", "axes"], ["sum"], keepdims=1),
            helper.make_node("Mul", ["sum", "zero"], ["zeros"]),
            helper.make_node("Add", ["zeros", "answer"], ["probabilities"]),
        ]
        constants = [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("answer", TensorProto.FLOAT, self.answer.shape, self.answer.ravel()),
        ]
        graph = helper.make_graph(
            nodes, "constant",
            [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", self.features])],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", self.answer.shape[1]])],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return model.SerializeToString()

class Own(OwnHyperparameters):
    depth: int = 3

class Type:
    description = "Answers the same to everybody."
    tasks, data, hyperparameters = (Task.CLASSIFICATION,), (DataKind.IMAGE,), Own
    space, grid, preset = {"depth": [1, 2]}, {"depth": [1, 2]}, {"depth": 2}

    def __init__(self, name, honest=True):
        self.name, self.honest = name, honest

    def train(self, dataset, parameters, session):
        session.on_train_begin(epochs=1)
        if parameters.seed % 2:
            raise TrainingError("odd seeds are not to my taste")
        claimed = np.eye(1, dataset.classes, k=0 if self.honest else 1, dtype=np.float32)
        session.on_epoch_end(1, {"val_loss": 1.0}, None)
        return Trained(dataset.features, dataset.classes, claimed)

class Half:
    name, preset = "half", {}

    def train(self, dataset, parameters, session): ...

GOOD, LIAR, OTHER, HALF = Type("theirs"), Type("liar", False), Type("another"), Half()
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with the entry points, as pip leaves one behind."""
    (tmp_path / "their_models.py").write_text(PLUGIN)
    info = tmp_path / "their_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mlops.model_types]\ntheirs = their_models:GOOD\nliar = their_models:LIAR\nother = their_models:OTHER\n"
        "half = their_models:HALF\ngone = their_models:GONE\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    invalidate_caches()
    yield
    sys.modules.pop("their_models", None)


@pytest.mark.usefixtures("plugin")
def test_a_package_s_own_type_needs_no_change_of_ours(digits: Dataset):
    assert "theirs" in models.names()
    assert import_module("their_models").GOOD is models.find("theirs")
    trained = models.find("theirs").train(digits, Parameters(model_type="theirs"), Session())
    exported = export(trained, digits)
    assert (exported.answers[:, 0] == 1).all()
    assert metadata(exported)["reference"]["predictions"]["counts"][0] == len(digits.held_out)
    assert (trained.importance(), trained.thresholds()) == (None, {}), "what it does not say itself"


@pytest.mark.usefixtures("plugin")
def test_a_package_s_type_brings_its_schema_task_and_space():
    (document,) = models.catalogue(["theirs"])["model_types"]
    assert (document["tasks"], document["data"]) == (["classification"], ["image"])
    assert (document["space"], document["preset"]) == ({"depth": [1, 2]}, {"depth": 2})
    assert list(document["hyperparameters"]["properties"]) == ["depth"]
    assert models.run_params(invocation.resolve({"model_type": "theirs", "preset": "best"}))["depth"] == 2
    with pytest.raises(ParameterError, match="theirs has no hyperparameter 'width'; its hyperparameters are depth"):
        invocation.resolve({"model_type": "theirs", "hyperparameters": '{"width": 3}'})
    with pytest.raises(ParameterError, match="--hidden-size: the model type theirs does not have it"):
        invocation.resolve({"model_type": "theirs", "hidden_size": "64"})


@pytest.mark.usefixtures("plugin")
def test_a_model_that_is_not_what_was_trained_is_not_exported(digits: Dataset):
    liar = models.find("liar").train(digits, Parameters(model_type="liar"), Session())
    reason = r"differs from the trained one: .* kind held_out, by up to 1[;.].*not registered"
    with pytest.raises(ParityError, match=reason):
        export(liar, digits)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("half", "lacks `description`"),
        ("other", "has the `name` 'another'"),
        ("gone", "cannot be loaded"),
    ],
)
def test_a_broken_package_is_named(name: str, reason: str):
    with pytest.raises(ParameterError, match=f"'{name}' .*{reason}"):
        models.find(name)


def test_the_file_holds_nothing_that_differs_between_two_runs(digits: Dataset):
    model = onnx.load_from_string(trained(few(digits, 300), "mlp").content)
    assert [item.key for item in model.metadata_props] == ["mlops"]
    assert model.doc_string == ""
