"""The pictures and the card: whatever the labels are, and a picture that cannot be drawn costs the picture only."""

import importlib
import json
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from trainer import report
from trainer.data import Dataset, tables
from trainer.evaluate import Evaluation, evaluate
from trainer.export import Exported
from trainer.parameters import Parameters

ODD_LABELS = ("$\\frac{1$", "<=50K", "R&D | 10%", "L" * 300)


def evaluation(labels: tuple[str, ...] = ODD_LABELS) -> Evaluation:
    targets = np.arange(40) % len(labels)
    probabilities = np.eye(len(labels), dtype=np.float32)[targets] * 0.8 + 0.2 / len(labels)
    return evaluate(probabilities, targets, labels)


@pytest.fixture
def dataset() -> Dataset:
    rows = [f'{row},"{label}"' for label in ODD_LABELS for row in range(10)]
    return tables.read("odd.csv", "\n".join(["a,label", *rows]).encode())


def write(folder: Path, dataset: Dataset) -> set[str]:
    exported = Exported(b"model", "0" * 64, np.zeros((1, 4), np.float32), 0.0, 0.01)
    report.write(folder, Parameters(), dataset, evaluation(), exported, {"mlops.python": "3"})
    return {path.name for path in folder.iterdir()}


def test_any_text_is_drawn_as_a_label(tmp_path: Path, dataset: Dataset, capsys: pytest.CaptureFixture[str]):
    assert write(tmp_path, dataset) == {"confusion.png", "calibration.png", "evaluation.json", "model_card.md"}
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert "picture_failed" not in capsys.readouterr().out


def test_the_card_and_the_file_have_the_label_beside_the_position(tmp_path: Path, dataset: Dataset):
    write(tmp_path, dataset)
    card = (tmp_path / "model_card.md").read_text("utf-8")
    assert "| 1 | <=50K | 10 |" in card
    assert "R&D \\| 10%" in card
    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8"))["labels"] == list(ODD_LABELS)
    assert set(evaluation().class_metrics()) == {f"{name}_{n}" for name in ("precision", "recall") for n in range(4)}


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
