"""The pictures and the card: whatever the labels are, and a picture that cannot be drawn costs the picture only."""

import importlib
import json
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from mlops.domain.objective import ACCURACY, RMSE
from mlops_contract import Column, ColumnType, Contract, Task
from mlops_data import tables
from trainer import report
from trainer.data import Dataset
from trainer.evaluation import Classification, Evaluation, evaluate_classification, evaluate_regression
from trainer.export import Exported
from trainer.parameters import Parameters

ODD_LABELS = ("$\\frac{1$", "<=50K", "R&D | 10%", "L" * 300)


def evaluation(labels: tuple[str, ...] = ODD_LABELS) -> Classification:
    targets = np.arange(40) % len(labels)
    probabilities = np.eye(len(labels), dtype=np.float32)[targets] * 0.8 + 0.2 / len(labels)
    return evaluate_classification(probabilities, targets, labels)


@pytest.fixture
def dataset() -> Dataset:
    rows = [f'{row},"{label}"' for label in ODD_LABELS for row in range(10)]
    return tables.read("odd.csv", "\n".join(["a,label", *rows]).encode())


FILES = {"evaluation.json", "profile.json", "proof.json", "proof.npz", "model_card.md"}


def write(folder: Path, dataset: Dataset, measured: Evaluation | None = None, **more: Any) -> set[str]:
    summary = tuple(more.pop("proof", ()))
    answers = np.zeros((1, 4), np.float32)
    exported = Exported(b"model", "0" * 64, answers, 0.0, 0.01, {"passes": True}, b"rows", summary)
    more = {"objective": ACCURACY, **more}
    report.write(folder, Parameters(), dataset, measured or evaluation(), exported, {"mlops.python": "3"}, **more)
    return {path.name for path in folder.iterdir()}


def colours(picture: Path) -> int:
    """How many different colours a picture has; a blank one has few."""
    return len(np.unique(imread(picture).reshape(-1, 4), axis=0))


def test_any_text_is_drawn_as_a_label(tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]):
    pictures = {"confusion.png", "calibration.png", "roc.png", "precision_recall.png"}
    assert write(tmp_path, dataset) == {*pictures, *FILES}
    for name in pictures:
        assert colours(tmp_path / name) > 50, name
    assert "picture_failed" not in capsys.readouterr().out


def test_the_card_and_the_file_have_the_label_beside_the_position(tmp_path: Path, dataset: Dataset):
    write(tmp_path, dataset)
    card = (tmp_path / "model_card.md").read_text("utf-8")
    assert "| 1 | <=50K | 10 |" in card
    assert "R&D \\| 10%" in card
    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["labels"] == list(ODD_LABELS)
    assert set(evaluation().class_metrics()) == {
        f"class/{n}/{name}" for name in ("precision", "recall") for n in range(4)
    }


@dataclass(frozen=True)
class Profile:
    document: dict[str, Any]

    def to_document(self) -> dict[str, Any]:
        return self.document


@pytest.fixture
def prices(dataset: Dataset) -> Dataset:
    """A table of two columns whose target is a price."""
    columns = (Column("size | m²", ColumnType.DOUBLE, 0), Column("town", ColumnType.STRING, 0))
    profile = {
        "columns": [
            {"name": "size | m²", "type": "double", "missing": 0.25, "distinct": 40},
            {"name": "town", "type": "string", "missing": 0.0, "distinct": 3},
        ]
    }
    return replace(
        dataset,
        labels=(),
        task=Task.REGRESSION,
        contract=Contract(Task.REGRESSION, "price", columns),
        profile=Profile(profile),
    )


def test_a_quantity_has_pictures_and_a_card_of_its_own(tmp_path: Path, prices: Dataset):
    truth = np.linspace(1e5, 9e5, 200)
    measured = evaluate_regression(truth + np.sin(truth) * 1e4, truth)
    names = write(
        tmp_path,
        prices,
        measured,
        objective=RMSE,
        baseline=231_000.5,
        importance={"town": 0.25, "size | m²": 0.75},
        proof=["1,200 generated rows agree with the original"],
    )
    pictures = {"predictions.png", "residuals.png", "importance.png"}
    assert names == {*pictures, *FILES}
    for name in pictures:
        assert colours(tmp_path / name) > 50, name
    card = (tmp_path / "model_card.md").read_text("utf-8")
    assert "A mlp that predicts `price` from rows of 2 columns." in card
    assert f"- rmse {measured.rmse:.6g}" in card
    assert "- objective: minimise `rmse`; a model that knows no inputs reaches 231000" in card
    assert "| size \\| m² | double | 0.2500 | 40 |" in card
    assert "- 1,200 generated rows agree with the original" in card
    assert "classes" not in card
    assert "| position | class |" not in card
    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["mae"] == measured.mae
    assert json.loads((tmp_path / "profile.json").read_text("utf-8"))["columns"][1]["name"] == "town"


def test_curves_of_many_classes_are_not_drawn(tmp_path: Path, dataset: Dataset):
    measured = evaluation(tuple(f"label {index}" for index in range(21)))
    assert not {"roc.png", "precision_recall.png"} & write(tmp_path, dataset, measured)


def test_a_picture_drawn_while_another_thread_imports_ipython_costs_the_picture_only(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Matplotlib asks an IPython that is loaded; one that is half loaded has nothing to ask."""
    from matplotlib.backend_bases import FigureCanvasBase

    FigureCanvasBase._fix_ipython_backend2gui.cache_clear()
    half_loaded = types.ModuleType("IPython")
    half_loaded.version_info = (8, 0)
    monkeypatch.setitem(sys.modules, "IPython", half_loaded)
    names = write(tmp_path, dataset)
    FigureCanvasBase._fix_ipython_backend2gui.cache_clear()
    assert {"evaluation.json", "model_card.md"} <= names
    failures = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["picture"] for line in failures if line["event"] == "report.picture_failed"][:1] == ["confusion.png"]
    assert "get_ipython" in failures[0]["reason"]
    assert "confusion.png" not in names


@pytest.mark.slow
def test_two_reports_at_once_while_ipython_is_first_imported_are_both_written(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
):
    """Two runs of a sweep draw while MLflow's thread imports IPython, which has all its names at the end only."""
    from matplotlib.backend_bases import FigureCanvasBase

    (tmp_path / "packages" / "IPython").mkdir(parents=True)
    late = "import time; version_info = (8, 0); time.sleep(3)\ndef get_ipython(): return None\n"
    (tmp_path / "packages" / "IPython" / "__init__.py").write_text(late)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    FigureCanvasBase._fix_ipython_backend2gui.cache_clear()
    folders = [tmp_path / "one", tmp_path / "two"]
    with ThreadPoolExecutor() as threads:
        imported = threads.submit(importlib.import_module, "IPython")
        while "IPython" not in sys.modules:
            assert not imported.done(), imported.exception()
        for folder in folders:
            folder.mkdir()
        names = [drawn.result() for drawn in [threads.submit(write, folder, dataset) for folder in folders]]
        imported.result()
    FigureCanvasBase._fix_ipython_backend2gui.cache_clear()
    monkeypatch.delitem(sys.modules, "IPython")
    assert all({"evaluation.json", "model_card.md"} <= found for found in names)


def test_a_picture_that_cannot_be_written_is_left_out(
    tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "calibration.png").mkdir()
    write(tmp_path, dataset)
    assert "report.picture_failed" in capsys.readouterr().out
    assert (tmp_path / "model_card.md").exists()
